"""A million packets that are nearly right, to every listener there is; then a right answer from each, and nothing of them left in memory."""

from __future__ import annotations

import socket
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.landing.samples import order, put_in_force
from tests.landing.server import Landing
from tests.resolver import quick
from tests.resolver.mutations import mutated, right
from tests.resolver.servers import HOST, PATIENCE, Lists, Resolver, data, domains, query, resolver
from tests.tools import wait_for

PACKETS = 1_000_000
WARM = 400_000
"""Of these: after so many, all that is made once is made and the caches are full."""
GROUP = 400
STREAMS = 1500
REQUESTS = 1200
SEED = 20260401


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return domains(tmp_path_factory.mktemp("lists"), "blocked.example")


class Storm:
    """Sends from several sockets, and hears what comes back. It is at most two groups ahead of the worker, so that the kernel drops nothing."""

    def __init__(self, port: int) -> None:
        self.senders = [self._socket(port) for _ in range(8)]
        self._barrier = self._socket(port)
        self._barrier.setblocking(True)
        self._barrier.settimeout(PATIENCE)
        self.heard: Counter[int] = Counter()
        self.bases = right()

    def _socket(self, port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        made.connect((HOST, port))
        made.setblocking(False)
        return made

    def blow(self, count: int, dice: Random) -> None:
        """So many packets. Every datagram that comes back is an answer, and none is large."""
        calm = query("blocked.example").to_wire()[2:]
        awaited: list[bytes] = []
        for group in range(0, count, GROUP):
            sender = self.senders[group // GROUP % len(self.senders)]
            send = sender.send
            for packet in mutated(self.bases, min(GROUP, count - group), dice):
                send(packet)
            awaited.append((group // GROUP & 0xFFFF).to_bytes(2, "big"))
            self._barrier.send(awaited[-1] + calm)
            if len(awaited) == 2:
                self._wait(awaited.pop(0))
            self._hear()
        self._wait(awaited.pop())
        self._hear()

    def _wait(self, identifier: bytes) -> None:
        reply = self._barrier.recv(4096)
        assert reply[:2] == identifier
        assert reply[3] & 15 == 0

    def _hear(self) -> None:
        for sender in self.senders:
            receive = sender.recv
            with suppress(BlockingIOError):
                while True:
                    reply = receive(65535)
                    assert reply[2] & 0x80
                    assert len(reply) <= 1232
                    self.heard[reply[3] & 15] += 1

    def close(self) -> None:
        for each in (*self.senders, self._barrier):
            each.close()


def test_a_million_mutated_packets(lists: Lists, tmp_path: Path) -> None:
    dice = Random(SEED)
    print(f"seed {SEED}")
    with quick.upstream() as upstream, resolver(tmp_path, lists, upstream.upstream, cache_mb=8, max_negative_ttl_seconds=1) as worker:
        storm = Storm(worker.port)
        storm.blow(WARM, dice)
        before = worker.resident()
        begun = time.monotonic()
        storm.blow(PACKETS - WARM, dice)
        seconds = time.monotonic() - begun
        after = worker.resident()
        print(f"{seconds:.1f} s, {(PACKETS - WARM) / seconds:.0f}/s; RCODEs {dict(storm.heard)}; {(after - before) >> 10} KiB more of {before >> 10}")
        assert storm.heard[1] > PACKETS // 10, "FORMERR"
        assert storm.heard[0] > PACKETS // 10
        assert storm.heard[3] > PACKETS // 50
        assert storm.heard.total() < PACKETS, "some deserve silence"
        assert after - before < 3 << 20
        storm.close()
        streams(worker, dice)
        assert data(worker.ask("blocked.example")) == data(worker.ask("blocked.example", tcp=True)) == ["A 192.0.2.80"]
        assert data(worker.ask("after.example")) == data(worker.ask("after.example", tcp=True)) == ["A 192.0.2.1"]
        assert "Traceback" not in worker.said()
        assert "ERROR" not in worker.said()


def streams(worker: Resolver, dice: Random) -> None:
    """Connections on which framing is mutated: lengths that lie, messages in pieces of any size, garbage behind what is right."""
    bases = right()

    def connection() -> bytes:
        octets = bytearray()
        for packet in mutated(bases, dice.randrange(1, 40), dice):
            length = len(packet)
            if dice.random() < 0.05:
                length = dice.choice((0, 1, length - 1, length + 1, 65535, dice.randrange(65536))) & 0xFFFF
            octets += length.to_bytes(2, "big") + packet
        if dice.random() < 0.3:
            octets += dice.randbytes(dice.randrange(1, 300))
        return bytes(octets)

    def talk() -> None:
        with socket.create_connection((HOST, worker.port), PATIENCE) as client, suppress(ConnectionError):
            octets = connection()
            while octets:
                size = dice.choice((1, 2, 3, 7, 100, 5000))
                client.send(octets[:size])
                octets = octets[size:]
                if len(octets) > 2000:
                    client.send(octets[:-1000])
                    octets = octets[-1000:]
            if dice.random() < 0.5:
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass

    def open_now() -> int:
        return sum(each.status != "LISTEN" for each in psutil.Process(worker.process.pid).net_connections("tcp"))

    for _ in range(STREAMS // 5):
        talk()
    before = worker.resident()
    for _ in range(STREAMS):
        talk()
    wait_for(lambda: open_now() == 0, "connections to end")
    print(f"{STREAMS} connections: {(worker.resident() - before) >> 10} KiB more")
    assert worker.resident() - before < 2 << 20


def test_mutated_requests_to_the_landing_page(tmp_path: Path) -> None:
    """In proportion to what such a page is asked: its own tests send it every kind of malformed request; here are many, mutated from right ones."""
    dice = Random(SEED + 1)
    print(f"seed {SEED + 1}")
    put_in_force(tmp_path, order("blocked.example"))
    asked = [
        b"GET / HTTP/1.1\r\nHost: blocked.example\r\nAccept-Language: de, en;q=0.5\r\nUser-Agent: Mozilla/5.0\r\n\r\n",
        b"HEAD /index.html HTTP/1.1\r\nHost: www.blocked.example:80\r\nConnection: keep-alive\r\n\r\n",
        b"POST /login HTTP/1.1\r\nHost: blocked.example\r\nContent-Length: 11\r\n\r\nname=someone",
        b"POST / HTTP/1.1\r\nHost: blocked.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"GET http://blocked.example/ HTTP/1.0\r\n\r\n",
    ]
    with Landing(tmp_path) as landing:
        process = psutil.Process(landing.process.pid)

        def talk(count: int) -> None:
            for packet in mutated(asked, count, dice):
                with socket.create_connection((HOST, landing.port), PATIENCE) as client, suppress(ConnectionError):
                    client.sendall(packet)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(65536):
                        pass

        talk(REQUESTS // 3)
        before = process.memory_full_info().uss
        talk(REQUESTS)
        grown = process.memory_full_info().uss - before
        print(f"{REQUESTS} requests: {grown >> 10} KiB more")
        assert grown < 2 << 20
        page = landing.ask("blocked.example")
        assert page.status in (403, 451)
        assert "Traceback" not in landing.errors.read_text()
