"""The page's own server over real sockets: what a connection may ask and hold, that its answer is not lost, and what all may hold together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import resource
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import psutil
import pytest
from uvicorn.server import ServerState

from landing import door, front, reply
from landing.front import Front, Hall
from landing.head import MAX_HEAD, Head
from landing.reply import Reply
from tests.landing.conftest import Resolver
from tests.landing.samples import order, put_in_force
from tests.landing.server import Client, Landing
from tests.tools import DEADLINE, in_time, wait_for

GET = b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n"


# One connection, with the real page


@pytest.mark.parametrize(
    ("request_", "said", "stays"),
    [
        (b"GET / HTTP/1.0\r\nHost: blocked.example\r\n\r\n", "close", False),
        (b"GET / HTTP/1.0\r\nHost: blocked.example\r\nConnection: keep-alive\r\n\r\n", "keep-alive", True),
        (b"GET / HTTP/1.1\r\nHost: blocked.example\r\nConnection: close\r\n\r\n", "close", False),
        (GET, "", True),
        (b"\r\n" + GET, "", True),
    ],
)
def test_a_connection_stays_when_the_client_would_have_it_so(landing: Landing, request_: bytes, said: str, stays: bool) -> None:
    with landing.client() as client:
        client.send(request_)
        answer = client.answer()
        assert answer.status == 451
        assert ("connection" in answer and answer["connection"]) == (said or False)
        if stays:
            client.send(GET)
            assert client.answer().status == 451
        else:
            assert client.closed()


@pytest.mark.parametrize("host", ["blocked.example", "nothing.example", "a..b"])
def test_every_answer_has_the_date(landing: Landing, host: str) -> None:
    said = landing.ask(host)["date"]
    assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", said)
    assert abs(parsedate_to_datetime(said).timestamp() - time.time()) < 3


def test_requests_in_a_row_are_answered_in_their_order(landing: Landing) -> None:
    hosts = ["blocked.example", "alias.example", "nothing.example", "own.example"] * 60  # those that are waited for among those that are not
    octets = b"".join(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode() for host in hosts)
    with landing.client() as client:
        client.send(octets)
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.answer().status for _ in hosts] == [451, 451, 404, 403] * 60
        assert client.closed()


@pytest.mark.parametrize("host", [b"blocked.example", b"alias.example", b"never-asked.example"])
def test_who_sends_no_more_is_still_answered(landing: Landing, host: bytes) -> None:
    with landing.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer().status in {451, 404}
        assert client.closed()


@pytest.mark.parametrize(
    "fields", [b"Content-Length: 900000\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 900000\r\nExpect: 100-continue\r\n"]
)
def test_an_answer_is_not_lost_to_the_body_that_nobody_reads(landing: Landing, fields: bytes) -> None:
    with landing.client() as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: blocked.example\r\n" + fields + b"\r\n")
        for _ in range(9):
            client.send(b"x" * 100_000)
        answer = client.answer()
        assert (answer.status, answer["connection"]) == (451, "close")
        assert client.closed()


def test_a_small_body_is_skipped_however_it_comes(landing: Landing) -> None:
    body = b"GET / HTTP/1.1\r\nHost: nothing.example\r\n\r\n"
    octets = b"POST / HTTP/1.1\r\nHost: blocked.example\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with landing.client() as client:
        for part in (octets[:50], octets[50:-20], octets[-20:] + GET):
            client.send(part)
        assert [client.answer().status for _ in range(2)] == [451, 451]


def test_a_head_of_a_million_octets_is_cut_and_its_client_told(landing: Landing) -> None:
    with landing.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: blocked.example\r\nX: ")
        for _ in range(10):
            client.send(b"x" * 100_000)
        answer = client.answer()
        assert (answer.status, answer["connection"]) == (431, "close")
        assert client.closed()


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _blocked(landing: Landing) -> None:
    assert landing.ask("blocked.example").status == 451


@pytest.mark.usefixtures("many_files")
def test_visitors_are_served_beside_many_who_say_nothing_or_speak_slowly(landing: Landing) -> None:
    process = psutil.Process(landing.process.pid)
    with contextlib.ExitStack() as held:
        landing.ask("blocked.example")
        before = process.memory_info().rss
        clients = [held.enter_context(landing.client()) for _ in range(900)]
        for client in clients[:300]:
            client.send(b"GET / HTTP/1.1\r\nHost: bl")
        for client in clients[300:600]:
            client.send(GET)
            assert client.answer().status == 451
        assert in_time(lambda _: _blocked(landing), 1)
        assert process.memory_info().rss - before < 900 * 4096 + 1024 * 1024


def test_million_octet_heads_hold_no_memory(landing: Landing) -> None:
    process = psutil.Process(landing.process.pid)
    before = process.memory_info().rss
    with contextlib.ExitStack() as held:
        for client in [held.enter_context(landing.client()) for _ in range(60)]:
            client.socket.setblocking(False)
            with contextlib.suppress(OSError):
                client.socket.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000)
        assert landing.ask("blocked.example").status == 451
        assert process.memory_info().rss - before < 16 * 1024 * 1024


# The hall alone, with bounds that a test can reach


class Served:
    """A hall in the test's own process, and what it says to each path."""

    def __init__(self, answer: Callable[[Head], Reply | Awaitable[Reply]], connections: int = 100, head_seconds: float = 30) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.hall = Hall(answer, connections=connections, head_seconds=head_seconds, idle_seconds=30)
        self.door: door.Door | None = None

    async def __aenter__(self) -> Served:
        self.door = self.hall.listen(ServerState(), lambda _: asyncio.Protocol(), [self.listener])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.door is not None
        self.door.close()
        for each in [*self.hall.occupied, *self.hall.silent]:
            each.cut()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


LONG = os.urandom(1 << 20)


def page(asked: Head) -> Reply:
    return reply.make(451, [(b"x-target", asked.target)], LONG if asked.target == b"/long" else b"page")


def run(test: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE):
            await test

    asyncio.run(bounded())


def test_a_long_answer_waits_for_its_reader_where_it_is_kept() -> None:
    async def test() -> None:
        async with Served(page) as served:
            reader, writer = await served.connect()
            writer.write(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"content-length: %d\r\n" % len(LONG) in head
            assert await reader.readexactly(len(LONG)) == LONG
            assert b"x-target: /after" in await reader.readuntil(b"\r\n\r\n")
            writer.close()

    run(test())


def test_who_never_reads_is_cut_and_holds_one_answer_meanwhile() -> None:
    async def test() -> None:
        made = 0

        def counted(asked: Head) -> Reply:
            nonlocal made
            made += 1
            return page(asked)

        async with Served(counted, head_seconds=0.5) as served:
            loop = asyncio.get_running_loop()
            with socket.socket() as deaf:
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.setblocking(False)
                await loop.sock_connect(deaf, ("127.0.0.1", served.port))
                await loop.sock_sendall(deaf, b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
                while served.hall.occupied or not made:
                    await asyncio.sleep(0.01)
                assert made < 10
                assert served.hall.unfinished == 0

    run(test())


def test_all_unfinished_requests_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "UNFINISHED", 4 * MAX_HEAD)

    async def test() -> None:
        async with Served(page) as served:
            streams = [await served.connect() for _ in range(6)]
            for _, writer in streams:
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (MAX_HEAD - 100))
                await writer.drain()
            gone = [reader for reader, _ in streams]
            while len(served.hall.occupied) > 4:
                await asyncio.sleep(0.01)
            assert served.hall.unfinished <= 4 * MAX_HEAD
            streams[0][1].write(b"\r\n\r\n")
            assert b"451" in await gone[0].readuntil(b"\r\n\r\n")
            assert await gone[5].read() == b""
            for _, writer in streams:
                writer.close()

    run(test())


def test_no_connection_is_held_once_it_is_closed() -> None:
    async def test() -> None:
        async with Served(page) as served:
            for number in range(50):
                reader, writer = await served.connect()
                writer.write(GET if number % 2 else GET[:9])
                if number % 2:
                    await reader.readuntil(b"\r\n\r\n")
                writer.close()
                await writer.wait_closed()
            while served.hall.occupied or served.hall.silent:
                await asyncio.sleep(0.01)
            assert not served.hall.state.connections
            assert served.door is not None
            assert not vars(served.door)["_lines"]

    gc.collect()  # connections of tests before this one, which their own cycles hold, are not to be counted here
    gc.disable()  # what is left over shows: no cycle may hold a connection until the collector comes
    try:
        run(test())
        assert not [each for each in gc.get_objects() if isinstance(each, Front)]
    finally:
        gc.enable()


def test_a_fault_of_ours_costs_one_connection_and_says_nothing_of_its_client(caplog: pytest.LogCaptureFixture) -> None:
    def faulty(asked: Head) -> Reply | Awaitable[Reply]:
        async def later() -> Reply:
            raise RuntimeError(asked.target.decode())

        if asked.target == b"/mark-later":
            return later()
        if asked.target == b"/mark-now":
            raise RuntimeError(asked.target.decode())
        return page(asked)

    async def test() -> None:
        async with Served(faulty, head_seconds=0.5) as served:
            streams = [await served.connect() for _ in range(3)]
            for (_, writer), path in zip(streams, (b"mark-now", b"mark-later", b"fine"), strict=True):
                writer.write(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            assert b"451" in await streams[2][0].readuntil(b"\r\n\r\n")
            for reader, _ in streams[:2]:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
            for _, writer in streams:
                writer.close()

    run(test())
    gc.collect()
    assert "a connection could not be served: RuntimeError at test_front.py" in caplog.text
    assert "mark" not in caplog.text


def test_a_closed_door_hears_no_more_of_a_socket_that_others_hold() -> None:
    async def test() -> None:
        async with Served(page) as served:
            assert served.door is not None
            with served.listener.dup(), socket.socket() as client:
                served.door.close()
                client.connect(("127.0.0.1", served.port))
                client.send(GET)
                assert served.door.poll.poll(0.05) == []

    run(test())


def test_a_full_hall_cuts_the_oldest_and_serves_the_newcomer() -> None:
    async def test() -> None:
        async with Served(page, connections=3) as served:
            streams = [await served.connect() for _ in range(3)]
            streams[1][1].write(GET)
            await streams[1][0].readuntil(b"\r\n\r\n")
            reader, writer = await served.connect()
            writer.write(GET)
            assert b"451" in await reader.readuntil(b"\r\n\r\n")
            await streams[1][0].readexactly(4)
            assert await streams[1][0].read() == b"", "the one kept open, though others came before it"
            for _, each in [*streams, (reader, writer)]:
                each.close()

    run(test())


def test_when_there_are_no_descriptors_left_it_goes_on_afterwards(tmp_path: Path, resolver: Resolver) -> None:
    put_in_force(tmp_path, order("blocked.example"))
    with Landing(tmp_path, connections=200) as landing:
        landing.wait_for("blocked.example", 451)
        process = psutil.Process(landing.process.pid)
        process.rlimit(psutil.RLIMIT_NOFILE, (process.num_fds() + 20, 4096))
        with contextlib.ExitStack() as held:
            clients: list[Client] = [held.enter_context(landing.client()) for _ in range(60)]
            clients[0].send(GET)
            assert clients[0].answer().status == 451
        wait_for(lambda: landing.ask("blocked.example").status == 451, "a visitor served")
        assert not landing.errors.read_text()
