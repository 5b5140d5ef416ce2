"""The prober's times are those of the server: a stall counts for all who fell into it, a silence is a loss, an error is no answer."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from bench import data, prober

NAMES = [data.hit_name(number) for number in range(50)]


@contextmanager
def answering(behave: Callable[[int, bytes], bytes | None]) -> Iterator[int]:
    """A server on loopback that sends what `behave` makes of each query and its number, one after the other; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.05)
        ended = threading.Event()

        def serve() -> None:
            number = 0
            while not ended.is_set():
                try:
                    query, client = server.recvfrom(512)
                except TimeoutError:
                    continue
                if (answer := behave(number, query)) is not None:
                    server.sendto(answer, client)
                number += 1

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            ended.set()
            thread.join()


def answer(query: bytes, rcode: int = 0) -> bytes:
    """The query with QR and a response code."""
    return query[:2] + (0x8180 | rcode).to_bytes(2, "big") + query[4:]


def test_moments_are_as_many_as_asked_have_no_rhythm_and_come_again_with_the_seed() -> None:
    moments = prober.schedule(2_000, 10, "a")
    gaps = [after - before for before, after in pairwise(moments)]
    assert abs(len(moments) / 20_000 - 1) < 0.05
    assert sorted(moments) == moments
    assert min(gaps) < 0.0001
    assert max(gaps) > 0.002
    assert prober.schedule(2_000, 10, "a") == moments != prober.schedule(2_000, 10, "b")


def test_a_stall_counts_for_every_query_that_fell_into_it() -> None:
    stall = 0.3

    def stalls_once(number: int, query: bytes) -> bytes:
        if number == 100:
            time.sleep(stall)
        return answer(query)

    with answering(stalls_once) as port:
        probes = prober.run(port, NAMES, prober.schedule(500, 1, "stall"))
    seconds = [probe.seconds for probe in probes if probe.seconds is not None]
    assert len(seconds) == len(probes) > 400
    # A closed loop would have seen one slow answer; of an open one some 500 x 0.3 s / 2 wait for half of the stall or more.
    assert sum(each > stall / 2 for each in seconds) > 40
    assert max(seconds) > stall


def test_silence_is_a_loss_and_a_failure_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prober, "LOST_AFTER", 0.5)
    seen: list[bytes] = []

    def moody(number: int, query: bytes) -> bytes | None:
        seen.append(query)
        return None if number % 10 == 0 else answer(query, 2 if number % 10 == 1 else 0)

    with answering(moody) as port:
        probes = prober.run(port, NAMES, [number / 200 for number in range(100)])
    assert [number for number, probe in enumerate(probes) if probe.seconds is None] == list(range(0, 100, 10))
    assert [number for number, probe in enumerate(probes) if probe.wrong] == list(range(1, 100, 10))
    assert len({query[:2] for query in seen}) == 100
