"""TCP as clients use and misuse it: pipelined, in pieces, half-closed, idle, too many, never read (RFC 7766)."""

from __future__ import annotations

import random
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import dns.message
import psutil
import pytest

from tests.resolver.servers import (
    HOST,
    PATIENCE,
    Asked,
    Lists,
    Resolver,
    Scripted,
    data,
    dig,
    domains,
    errors,
    has_ipv6,
    needs_ipv6,
    query,
    rcode,
    resolver,
)
from tests.tools import wait_for

RIGHT = "A 192.0.2.1"
CONNECTIONS = 8
"""How many the workers here allow."""


def script(asked: Asked) -> None:
    """`held…` is left to the test, `large…` has 16 KB, everything else one address."""
    name = asked.name.lower()  # the resolver asks in letters of its own choice
    if name.startswith("large"):
        asked.send(asked.answer(*(f'TXT "{number:03} {"x" * 200}"' for number in range(80))) if asked.tcp else asked.answer(flags=dns.flags.TC))
    elif not name.startswith("held"):
        asked.send(asked.answer(RIGHT))


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return domains(tmp_path_factory.mktemp("lists"), "blocked.example")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with Scripted(script) as running:
        yield running


@pytest.fixture(scope="module")
def worker(lists: Lists, upstream: Scripted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resolver]:
    """Patient: a connection may be idle for a minute."""
    addresses = [HOST] + (["::1"] if has_ipv6() else [])
    with resolver(
        tmp_path_factory.mktemp("patient"), lists, upstream, addresses=addresses, tcp_connections=CONNECTIONS, tcp_idle_seconds=60
    ) as running:
        yield running


@pytest.fixture(scope="module")
def brief(lists: Lists, upstream: Scripted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resolver]:
    """A connection may be idle for a second."""
    with resolver(tmp_path_factory.mktemp("brief"), lists, upstream, tcp_idle_seconds=1) as running:
        yield running


class Client:
    """One connection, framed by hand."""

    def __init__(self, port: int, to: str = HOST) -> None:
        self.socket = socket.create_connection((to, port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pending = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *messages: dns.message.Message | bytes) -> None:
        """All messages in one write."""
        self.socket.sendall(b"".join(map(framed, messages)))

    def receive(self) -> dns.message.Message:
        return dns.message.from_wire(self._exactly(struct.unpack(">H", self._exactly(2))[0]))

    def _exactly(self, count: int) -> bytes:
        while len(self._pending) < count:
            received = self.socket.recv(65536)
            assert received, f"closed after {self._pending[:40]!r}"
            self._pending += received
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken

    def is_open(self) -> bool:
        """Whether the server has not closed it, so far as is known now."""
        if not select.select([self.socket], [], [], 0)[0]:
            return True
        with suppress(ConnectionResetError):
            return self.socket.recv(1, socket.MSG_PEEK) != b""
        return False

    def closed(self) -> bool:
        return not self.is_open()


def framed(message: dns.message.Message | bytes) -> bytes:
    wire = message if isinstance(message, bytes) else message.to_wire()
    return struct.pack(">H", len(wire)) + wire


@pytest.mark.parametrize("to", [HOST, pytest.param("::1", marks=needs_ipv6)])
def test_pipelined_questions_are_answered_as_their_answers_come(worker: Resolver, upstream: Scripted, to: str) -> None:
    family = "six" if ":" in to else "four"
    held, fast, listed, last = (query(f"{name}.{family}.example") for name in ("held", "fast", "www.blocked", "last"))
    listed = query("www.blocked.example")
    with Client(worker.port, to) as client:
        client.send(held, fast, listed, last)
        early = [client.receive() for _ in range(3)]
        assert {answer.id for answer in early} == {fast.id, listed.id, last.id}
        assert client.is_open()
        (asked, *_) = wait_for(lambda: upstream.of(f"held.{family}.example"), "the held question")
        asked.send(asked.answer("A 192.0.2.2"))
        late = client.receive()
    assert (late.id, data(late)) == (held.id, ["A 192.0.2.2"])
    assert {answer.id: data(answer) for answer in early} == {fast.id: [RIGHT], listed.id: ["A 192.0.2.80"], last.id: [RIGHT]}


def test_many_questions_in_one_segment(worker: Resolver) -> None:
    questions = {number: f"n{number}.segment.example" for number in range(400)}  # more than may wait at once
    with Client(worker.port) as client:
        client.send(*(query(name, id=number) for number, name in questions.items()))
        answers = [client.receive() for _ in questions]
    assert {answer.id: answer.question[0].name.to_text(True) for answer in answers} == questions
    assert all(data(answer) == [RIGHT] for answer in answers)


def test_one_octet_at_a_time(worker: Resolver) -> None:
    with Client(worker.port) as client:
        for name in ("slowly.example", "slowly.example", "blocked.example"):
            for octet in framed(query(name)):
                client.socket.sendall(bytes((octet,)))
            assert rcode(client.receive()) == "NOERROR"


def test_messages_cut_at_every_place(worker: Resolver) -> None:
    both = framed(query("cut.example", id=1)) + framed(query("blocked.example", id=2))
    with Client(worker.port) as client:
        for cut in range(1, len(both)):
            client.socket.sendall(both[:cut])
            client.socket.sendall(both[cut:])
            assert {client.receive().id, client.receive().id} == {1, 2}


def test_a_half_closed_connection_is_answered_and_then_closed(worker: Resolver, upstream: Scripted) -> None:
    with Client(worker.port) as client:
        client.send(query("held.half.example", id=1), query("half.example", id=2), query("held.half.example", id=3))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.receive().id == 2
        (asked, *_) = wait_for(lambda: upstream.of("held.half.example"), "the held question")
        asked.send(asked.answer(RIGHT))
        assert {client.receive().id, client.receive().id} == {1, 3}
        wait_for(client.closed, "the connection's end", 2)
    with Client(worker.port) as client:  # all known: answered from the cache, and closed
        client.send(query("half.example", id=4))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.receive().id == 4
        wait_for(client.closed, "the connection's end", 2)


def test_too_many_connections_cost_the_longest_idle(worker: Resolver) -> None:
    with ExitStack() as opened:
        clients = []
        for _ in range(CONNECTIONS):
            clients.append(opened.enter_context(Client(worker.port)))
            clients[-1].send(query("limit.example"))
            clients[-1].receive()
        for number in (0, 2):  # the first and the third are used again: the second is now the longest idle
            clients[number].send(query("limit.example"))
            clients[number].receive()
        for gone in (1, 3):
            clients.append(opened.enter_context(Client(worker.port)))
            clients[-1].send(query("limit.example"))
            assert data(clients[-1].receive()) == [RIGHT]
            wait_for(clients[gone].closed, "room to be made")
        assert [number for number, client in enumerate(clients) if client.closed()] == [1, 3]


def test_connections_that_are_owed_answers_are_not_closed_for_new_ones(worker: Resolver, upstream: Scripted) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(Client(worker.port)) for _ in range(CONNECTIONS)]
        for client in clients:
            client.send(query("held.full.example"))
        (asked, *_) = wait_for(lambda: upstream.of("held.full.example"), "the held question")
        wait_for(lambda: _unread(worker.port) == 0, "every question to be read")
        refused = opened.enter_context(Client(worker.port))
        wait_for(refused.closed, "the ninth to be turned away", 2)
        asked.send(asked.answer(RIGHT))
        for client in clients:
            assert data(client.receive()) == [RIGHT]


def _unread(port: int) -> int:
    """Octets that clients have sent and the worker has not read, from the kernel's own table."""
    found = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[1].endswith(f":{port:04X}") and columns[3] == "01":
            found += int(columns[4].partition(":")[2], 16)
    return found


def test_lengths_that_mean_nothing(worker: Resolver) -> None:
    dice = random.Random(2)
    with Client(worker.port) as client:
        client.send(b"", b"x", b"", b"\0" * 11)
        client.send(query("blocked.example", id=7))
        assert client.receive().id == 7
        client.send(b"\x01\x02\x01\0\0\1\0\0\0\0\0\0" + dice.randbytes(65523))  # 65,535 octets
        malformed = client.receive()
        assert (malformed.id, rcode(malformed)) == (0x0102, "FORMERR")
        client.send(b"\xff" * 65535)  # an answer, by its QR bit: silence
        client.send(query("blocked.example", id=8))
        assert client.receive().id == 8


def test_garbage_harms_nobody_else(worker: Resolver) -> None:
    dice = random.Random(3)
    for _ in range(60):
        with Client(worker.port) as client, suppress(ConnectionError):
            client.socket.sendall(dice.randbytes(dice.randrange(1, 5000)))
        assert data(worker.ask("blocked.example", tcp=True)) == ["A 192.0.2.80"]


def test_clients_that_vanish_leave_nothing_behind(worker: Resolver, upstream: Scripted) -> None:
    process = psutil.Process(worker.process.pid)
    worker.ask("blocked.example", tcp=True)
    wait_for(lambda: len(process.net_connections("tcp")) <= 2 + has_ipv6(), "earlier connections to end")
    for number in range(CONNECTIONS):
        client = Client(worker.port)
        client.send(query(f"held.vanish{number}.example"))
        (asked, *_) = wait_for(lambda number=number: upstream.of(f"held.vanish{number}.example"), "the held question")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.close()  # with a reset
        asked.send(asked.answer(RIGHT))
    wait_for(lambda: len(process.net_connections("tcp")) <= 2 + has_ipv6(), "every connection to be closed")


def test_idle_connections_are_closed(brief: Resolver) -> None:
    with Client(brief.port) as silent, Client(brief.port) as partial, Client(brief.port) as browser, Client(brief.port) as busy:
        begun = time.monotonic()
        partial.socket.sendall(framed(query("partial.example"))[:-1])
        browser.socket.sendall(b"GET / HTTP/1.1\r\nHost: www.example\r\n\r\n")
        waiting = {"silent": silent, "partial": partial, "browser": browser}
        ended: dict[str, float] = {}

        def all_ended() -> bool:
            busy.send(query("blocked.example"))
            busy.receive()
            for name, client in waiting.items():
                if name not in ended and client.closed():
                    ended[name] = time.monotonic() - begun
            return len(ended) == len(waiting)

        wait_for(all_ended, "the idle connections' end", 5)
        assert all(0.9 <= seconds < 3.2 for seconds in ended.values()), ended
        assert busy.is_open()


def test_a_trickle_is_no_query(brief: Resolver) -> None:
    with Client(brief.port) as client:
        begun = time.monotonic()
        octets = iter(b"\xff\xff" + bytes(65535))

        def cut_off() -> bool:
            with suppress(ConnectionError):
                client.socket.sendall(bytes((next(octets),)))
            return client.closed()

        wait_for(cut_off, "the end of a connection that never finishes its query", 5)
        assert time.monotonic() - begun < 3.2


def test_a_connection_that_is_owed_an_answer_is_not_idle(brief: Resolver) -> None:
    with Client(brief.port) as client:
        client.send(query("held.owed.example"))
        answer = client.receive()  # nobody answers upstream: SERVFAIL after 2.8 s, longer than the idle time
        assert errors(answer) == {22: ""}
        wait_for(client.closed, "the connection's end", 5)


def test_a_client_that_never_reads_costs_little_memory_and_is_cut_off(brief: Resolver) -> None:
    assert len(data(brief.ask("large.flood.example", "TXT", tcp=True))) == 80
    before = brief.resident()
    peak = 0
    flood = framed(query("large.flood.example", "TXT")) * 1000
    with ExitStack() as opened:
        clients = [opened.enter_context(Client(brief.port)) for _ in range(4)]
        sent = dict.fromkeys(clients, 0)
        cut: set[Client] = set()
        for client in clients:
            client.socket.setblocking(False)

        def all_cut() -> bool:
            nonlocal peak
            for client in clients:
                try:
                    if sent[client] < 2 << 20:
                        sent[client] += client.socket.send(flood)
                    else:
                        client.socket.send(b"\0")
                except BlockingIOError:
                    pass
                except ConnectionError:
                    cut.add(client)
            peak = max(peak, brief.resident())
            return len(cut) == len(clients)

        wait_for(all_cut, "clients that read nothing to be cut off", 10)
        assert min(sent.values()) > 100_000
        assert data(brief.ask("blocked.example", tcp=True)) == ["A 192.0.2.80"]
    # Four clients: each may leave 64 KiB unsent and one reply more, 256 KiB unread, and what the interpreter sets aside for that.
    assert peak - before < 8 << 20


def test_connections_come_and_go_without_a_trace(brief: Resolver) -> None:
    process = psutil.Process(brief.process.pid)

    def go(count: int) -> None:
        for number in range(count):
            with Client(brief.port) as client:
                client.send(query("blocked.example"), query(f"n{number % 100}.come.example"))
                client.receive()
                client.receive()

    go(300)
    before = brief.resident()
    go(1500)
    wait_for(lambda: len(process.net_connections("tcp")) <= 2, "connections to be closed")
    assert brief.resident() - before < 1 << 20  # the cyclic collector is off: a cycle for each connection would be 1.5 MB


def test_dig_keeps_a_connection_open_for_several_questions(worker: Resolver) -> None:
    dug = dig(worker.port, "+tcp", "+keepopen", "blocked.example", "A", "blocked.example", "AAAA")
    assert dug.protocol == "TCP"
    assert dug.text.count("192.0.2.80") == 1
    assert dug.text.count("2001:db8::80") == 1


def test_over_tcp_the_question_may_be_large_and_the_answer_whole(worker: Resolver) -> None:
    message = query("large.padded.example", "TXT")
    message.use_edns(0, 0, 512, 4096, [dns.edns.GenericOption(12, b"\0" * 4000)])
    with Client(worker.port) as client:
        client.send(message.to_wire(max_size=65535))
        assert len(data(client.receive())) == 80
