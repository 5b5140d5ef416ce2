"""The sockets questions leave by: retired by count and by age, heard a while longer; a connection never made leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from resolver import ports, streams
from resolver.ports import CLOSED_AT_ONCE, DRAIN_SECONDS, MOST_QUESTIONS, MOST_SECONDS, SLOTS, Dice, Ports
from resolver.sockets import bind
from resolver.streams import Stream
from tests.tools import free_ports, wait_for

QUESTION = b"\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"
"""All of a question but its ID."""


def attempt(at: float) -> Any:
    """All that `Ports` asks of an attempt."""
    return SimpleNamespace(sent_at=at)


class Server:
    """A socket that questions go to, and the `Ports` that send them."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.heard: list[bytes] = []
        self.refused: list[Any] = []
        self.strays: list[list[Any]] = []
        self.ports = Ports("127.0.0.1", self.socket.getsockname()[1], Dice(), self._received, self.refused.append, self._strayed)

    def _strayed(self, attempts: list[Any], _: float) -> None:
        self.strays.append(attempts)

    def _received(self, data: bytes, _: Any) -> bool:
        self.heard.append(data)
        return True

    def send(self, at: float) -> tuple[bytes, tuple[str, int]]:
        """One question, as the server met it."""
        self.ports.send(QUESTION, attempt(at))
        return self.socket.recvfrom(512)

    def drain(self, count: int) -> None:
        """Reads until so many answers were heard."""

        def heard() -> bool:
            if select.select([self.ports], [], [], 0)[0]:
                self.ports.drain()
            return len(self.heard) >= count

        wait_for(heard, f"{count} answers")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.ports.close()
    made.socket.close()


def test_a_socket_is_retired_by_count(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SLOTS >= 256
    assert MOST_QUESTIONS <= 1000
    monkeypatch.setattr(ports, "MOST_QUESTIONS", 4)
    carried = Counter(server.send(0.0)[1][1] for _ in range(SLOTS * 8))
    assert len(carried) > SLOTS
    # A port number may be drawn twice in a socket's and its successor's life; seldom.
    assert sum(count > 4 for count in carried.values()) < 10
    assert len(server.ports.open_ports()) <= SLOTS


def test_a_socket_is_retired_by_age_and_heard_a_while_longer(server: Server) -> None:
    before = len(os.listdir("/proc/self/fd"))
    asked = [server.send(100.0) for _ in range(200)]
    first = set(server.ports.open_ports())
    assert {address[1] for _, address in asked} == first
    server.ports.retire(100.0 + MOST_SECONDS)
    assert set(server.ports.open_ports()) == first
    server.ports.retire(100.0 + MOST_SECONDS + 1.1)
    assert server.ports.open_ports() == []
    for wire, address in asked:
        server.socket.sendto(wire[:2] + b"\x81" + wire[3:], address)
    server.drain(len(asked))
    assert not set(server.ports.open_ports()) & first
    for _ in range(0, len(first), CLOSED_AT_ONCE):
        server.ports.retire(100.0 + MOST_SECONDS + 1.1 + DRAIN_SECONDS)
    assert len(os.listdir("/proc/self/fd")) == before
    fresh = server.send(130.0)[1][1]
    assert server.ports.open_ports() == [fresh]


def test_an_old_socket_is_not_sent_from_even_if_nobody_retired_it(server: Server) -> None:
    first = {server.send(0.0)[1][1] for _ in range(2000)}
    second = {server.send(MOST_SECONDS + 1)[1][1] for _ in range(2000)}
    assert len(second) > 200
    assert len(first & second) < 20


def test_an_id_in_use_on_a_socket_is_not_given_out_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    rolls = iter([7, 20000, 500, 7, 500, 500, 501])  # a slot, a port, an ID; the slot again, the ID again and again, another ID
    monkeypatch.setattr(Dice, "roll", lambda _: next(rolls))
    first, second = server.send(0.0), server.send(0.0)
    assert (first[0][:2], second[0][:2]) == ((500).to_bytes(2, "big"), (501).to_bytes(2, "big"))
    assert first[1] == second[1]


def test_an_answer_settles_one_attempt_once(server: Server) -> None:
    wire, address = server.send(0.0)
    for _ in range(3):
        server.socket.sendto(wire, address)
    after, elsewhere = server.send(0.0)
    server.socket.sendto(after, elsewhere)
    server.drain(2)
    wait_for(lambda: not select.select([server.ports], [], [], 0)[0] or server.ports.drain(), "the queue to be read")
    assert sorted(server.heard) == sorted([wire, after])


def test_the_kernel_believes_no_icmp_about_the_path(server: Server) -> None:
    """RFC 9715; the options are those of linux/in.h, read back as the kernel holds them."""
    server.send(0.0)
    (ours,) = [port.socket for port in server.ports._slots if port is not None]
    assert ours.getsockopt(socket.IPPROTO_IP, 10) == 5
    for bound in bind([("127.0.0.1", free_ports(1)[0])], 1).workers[0]:
        if bound.transport == "udp":
            assert bound.socket.getsockopt(socket.IPPROTO_IP, 10) == 5
        bound.socket.close()


def test_what_fits_no_question_is_told_with_those_that_wait_there(server: Server) -> None:
    wire, address = server.send(0.0)
    server.socket.sendto(bytes((wire[0] ^ 1, *wire[1:])), address)
    wait_for(lambda: select.select([server.ports], [], [], 0)[0], "the datagram")
    server.ports.drain()
    assert [len(attempts) for attempts in server.strays] == [1]
    for _ in range(2):  # the second is the network's doing
        server.socket.sendto(wire, address)
    server.drain(1)
    wait_for(lambda: not select.select([server.ports], [], [], 0)[0] or server.ports.drain(), "the queue to be read")
    assert (server.heard, len(server.strays)) == ([wire], 1)


# The connection for truncated answers


@pytest.fixture
def deaf() -> Iterator[tuple[str, int]]:
    """A listening port whose queue is full, so that a connection to it is never made and never refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(4)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()
        for each in fillers:
            each.close()


@pytest.mark.parametrize(("patience", "idle"), [("CONNECT_SECONDS", "IDLE_SECONDS"), ("IDLE_SECONDS", "CONNECT_SECONDS")])
def test_a_connection_never_made_is_given_up_and_everyone_told(
    deaf: tuple[str, int], patience: str, idle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, patience, 0.05)
    monkeypatch.setattr(streams, idle, 60.0)

    async def scenario() -> None:
        lost: list[int] = []
        stream = Stream(*deaf, Dice(), lambda data, _: True, lost.append)
        for number in range(3 * streams.MOST_WAITING):  # more than may wait at once: none may take a place for ever
            stream.send(QUESTION, number)
            if number % streams.MOST_WAITING == streams.MOST_WAITING - 1:
                begun = time.monotonic()
                while len(lost) <= number:
                    assert time.monotonic() - begun < 10, f"{len(lost)} of {number + 1} were told"
                    await asyncio.sleep(0.01)
        assert sorted(lost) == list(range(3 * streams.MOST_WAITING))
        stream.close()

    asyncio.run(scenario())


def test_a_peer_that_never_reads_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        lost: list[int] = []
        heard: list[bytes] = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            stream = Stream(*listener.getsockname(), Dice(), lambda data, _: heard.append(data) is None, lost.append)
            loop = asyncio.get_running_loop()
            for number in range(900):
                stream.send(QUESTION + b"x" * 30000, number)
            first, _ = await asyncio.wait_for(loop.sock_accept(listener), 5)
            monkeypatch.setattr(streams, "IDLE_SECONDS", 0.05)
            stream.send(QUESTION, 900)
            while len(lost) < 901:
                await asyncio.sleep(0.01)
            monkeypatch.setattr(streams, "IDLE_SECONDS", 60.0)
            stream.send(QUESTION, 901)
            second, _ = await asyncio.wait_for(loop.sock_accept(listener), 5)
            asked = await asyncio.wait_for(loop.sock_recv(second, 512), 5)
            await loop.sock_sendall(second, asked)
            while not heard:
                await asyncio.sleep(0.01)
            assert heard == [asked[2:]]
            first.close()
            second.close()
            stream.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))
