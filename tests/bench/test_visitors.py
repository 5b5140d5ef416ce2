"""The visitors of the page's measurement, against a server that answers well, late, wrongly or not at all."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.prober import schedule
from bench.visitors import Seen, Visitors

REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
HEAD = b"HTTP/1.1 451 X\r\nContent-Length: 4\r\nDate: %s GMT\r\n\r\n"


@contextmanager
def serving(answers: list[bytes], pause: float = 0) -> Iterator[int]:
    """A server that gives these in turn, the last one for ever; an empty one closes the connection. Before the third it rests for `pause` seconds."""
    given = 0
    lock = threading.Lock()

    def serve(connection: socket.socket) -> None:
        nonlocal given
        with connection:
            while connection.recv(4096):
                with lock:
                    answer = answers[min(given, len(answers) - 1)]
                    if given == 2:
                        time.sleep(pause)
                    given += 1
                if not answer:
                    return
                connection.sendall(answer)

    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def good(day: int) -> bytes:
    return HEAD % (b"Sun, %02d Nov 2026 10:00:00" % day) + b"page"


def visited(answers: list[bytes], fresh: bool = False, pause: float = 0) -> Seen:
    with serving(answers, pause) as port:
        visitors = Visitors(port, REQUEST, fresh)
        visitors.open_loop(schedule(500, 0.2, "a test"))
        return visitors.seen


@pytest.mark.parametrize("fresh", [False, True])
def test_good_answers_are_counted_whatever_their_date(fresh: bool) -> None:
    seen = visited([good(1), good(2), good(3)], fresh)
    assert (len(seen.seconds), seen.wrong, seen.broken, seen.lost) == (len(schedule(500, 0.2, "a test")), 0, 0, 0)
    assert (seen.connections == len(seen.seconds)) is fresh


def test_another_answer_is_wrong_and_a_closed_connection_is_broken() -> None:
    seen = visited([good(1), good(2).replace(b"page", b"pace"), b"", good(4)])
    assert (seen.wrong, seen.broken, seen.lost) == (1, 1, 0)


def test_a_stall_counts_for_every_visit_that_fell_into_it() -> None:
    seen = visited([good(1)], pause=0.3)
    assert sum(seconds > 0.1 for seconds in seen.seconds) > 20
