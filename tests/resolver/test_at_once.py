"""Nothing keeps the loop for long however much is due at once, and nothing that a lookup takes up stays taken, whichever way it ends."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import dns.flags
import dns.name

from blocklists.alarms import Alarms
from resolver import servers as servers_module
from resolver.clients import Clients
from resolver.groups import Lookup
from resolver.patience import MOVED_AT_ONCE
from resolver.ports import Dice
from resolver.records import Limits, read_answer
from resolver.servers import Server
from resolver.strategies import Budget
from resolver.streams import TOLD_AT_ONCE, Stream
from resolver.tcp import MOST_OWED, READ_AT_ONCE, TcpListener
from resolver.timing import DUE_AT_ONCE
from resolver.tries import COPY, Try
from resolver.upstreams import Upstreams
from tests.resolver.asking import House
from tests.resolver.rig import Rig, basis, question, upstream_says
from tests.resolver.servers import HOST, Asked, Scripted, query, says, silent
from tests.tools import wait_for

RIGHT = "A 192.0.2.1"


@asynccontextmanager
async def upstreams(count: int) -> AsyncIterator[tuple[Rig, Upstreams, list[Server]]]:
    """Upstreams that hear everything and say nothing."""
    sinks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for sink in sinks:
        sink.bind((HOST, 0))
    rig = Rig()
    servers = [Server(HOST, sink.getsockname()[1]) for sink in sinks]
    made = Upstreams(rig.engine, servers, {}, Limits(), "ordered", Alarms(lambda _: True))
    try:
        yield rig, made, servers
    finally:
        made.close()
        await asyncio.sleep(0)
        for sink in sinks:
            sink.close()


def ask(rig: Rig, count: int) -> list[Lookup]:
    for number in range(count):
        assert rig.engine.ask(question(f"n{number}.d{number % 7}.example"), rig.udp, rig.mailbox, (f"127.0.0.{number % 5}", 1)) is None
    return rig.engine.take_lookups()


async def steps(gauge: Callable[[], int], until: Callable[[], bool]) -> int:
    """The most that a gauge grows by in one turn of the loop."""
    most, before = 0, gauge()
    async with asyncio.timeout(20):
        while not until():
            await asyncio.sleep(0)
            most, before = max(most, gauge() - before), gauge()
    return most


# Bounded turns


def test_a_server_that_leaves_with_thousands_of_questions_holds_nobody_up() -> None:
    async def run() -> None:
        async with upstreams(2) as (rig, made, (first, second)):
            made.start(ask(rig, 1000))
            for _ in range(servers_module.BACK_OFF_AFTER):
                left = first.missed(0.4, time.monotonic(), object())
            assert left
            made._leave(first, time.monotonic())
            assert second.sent == MOVED_AT_ONCE
            most = await steps(lambda: second.sent, lambda: second.sent >= 1000)
            assert most <= MOVED_AT_ONCE + DUE_AT_ONCE

    asyncio.run(run())


def test_thousands_of_tries_that_are_overdue_at_once_hold_nobody_up() -> None:
    async def run() -> None:
        async with upstreams(1) as (rig, made, (server,)):
            made.start(ask(rig, 1000))
            most = await steps(lambda: server.sent, lambda: server.sent >= 2000)
            assert most <= DUE_AT_ONCE
            async with asyncio.timeout(10):
                while rig.engine.in_flight:
                    await asyncio.sleep(0.05)
            assert len(rig.mailbox.take()) == 1000
            await asyncio.sleep(0.05)
            assert (server.waiting, rig.engine.clients.total, len(rig.engine.clients), len(rig.engine.domains)) == (0, 0, 0, 0)

    asyncio.run(run())


def test_a_connection_that_breaks_under_hundreds_of_questions_holds_nobody_up() -> None:
    async def run() -> None:
        lost: list[int] = []
        server = await asyncio.start_server(lambda _, writer: writer.close(), HOST, 0)
        stream = Stream(*server.sockets[0].getsockname(), Dice(), lambda *_: False, lost.append)
        for number in range(500):
            stream.send(question("www.example"), number)
        assert await steps(lambda: len(lost), lambda: len(lost) >= 500) <= TOLD_AT_ONCE
        assert sorted(lost) == list(range(500)), "each is told once"
        stream.close()
        server.close()

    asyncio.run(run())


@asynccontextmanager
async def listening(rig: Rig, start: Callable[[list[Lookup]], None] = lambda _: None) -> AsyncIterator[tuple[TcpListener, tuple[str, int]]]:
    listener = TcpListener(rig.engine, Clients(("127.0.0.0/8",), {}, rig.tcp), lambda: 0.0, start, (10, 10, 10))
    server = await asyncio.get_running_loop().create_server(listener.connection, HOST, 0)
    yield listener, server.sockets[0].getsockname()
    listener.close()
    server.close()
    await asyncio.sleep(0)


def test_a_connection_full_of_questions_leaves_turns_to_others() -> None:
    """Empty messages, of which one read brings 131,072; and questions that are answered at once. Each is answered, and none twice."""

    async def run(message: bytes, count: int, answered: int) -> None:
        rig = Rig([basis("directive", "XX-1", "blocked.example")])
        async with listening(rig) as (listener, place):
            reader, writer = await asyncio.open_connection(*place)
            heard = asyncio.create_task(reader.read())
            writer.write((len(message).to_bytes(2, "big") + message) * count)
            writer.write_eof()
            most = await steps(lambda: listener.received, lambda: listener.received >= count)
            assert most <= READ_AT_ONCE
            octets = await asyncio.wait_for(heard, 10)
            found = 0
            while octets:
                octets = octets[2 + int.from_bytes(octets[:2], "big") :]
                found += 1
            assert found == answered
            writer.close()

    asyncio.run(run(b"", 100_000, 0))
    asyncio.run(run(question("www.blocked.example", edns=True), 2000, 2000))


def test_a_client_that_asks_for_much_and_reads_nothing_is_cut() -> None:
    async def run() -> None:
        rig = Rig()
        lookups: list[Lookup] = []
        async with listening(rig, lookups.extend) as (listener, place):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, place)
            asked = [question(f"large{number}.example", "TXT", edns=True) for number in range(64)]
            await loop.sock_sendall(client, b"".join(len(each).to_bytes(2, "big") + each for each in asked))
            async with asyncio.timeout(10):
                while len(lookups) < len(asked):
                    await asyncio.sleep(0.01)
            (connection,) = listener.connections
            transport: Any = connection._transport
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            most = 0
            text = " ".join(f'"{"x" * 250}"' for _ in range(230))
            for lookup in lookups:
                said = upstream_says(lookup.question, [f"{dns.name.from_wire(lookup.question, 0)[0]} 60 TXT {text}"])
                for waiter, reply in rig.engine.answered(lookup, read_answer(said, lookup.question, lookup.do, Limits())):
                    waiter.via.send(waiter, reply)
                most = max(most, transport.get_write_buffer_size())
            assert most <= MOST_OWED + 65537
            async with asyncio.timeout(10):
                while listener.connections:
                    await asyncio.sleep(0.01)
            assert not listener.of_client
            assert (rig.engine.clients.total, rig.engine.in_flight) == (0, 0)
            client.close()

    asyncio.run(run())


# What is stuck


def test_a_probe_that_is_answered_just_too_late_is_not_the_last() -> None:
    async def run() -> None:
        async with upstreams(2) as (rig, made, (_, second)):
            (lookup,) = ask(rig, 1)
            made.start([lookup])
            now = time.monotonic()
            for _ in range(servers_module.BACK_OFF_AFTER):
                second.missed(0.4, now - 5, object())
            probe = Try(lookup, COPY, second, now - 1.005)  # its time is over, but the clock's hand has not come by yet
            second.probing = True
            made._send_unawaited(probe)
            answer = upstream_says(lookup.question, [f"{dns.name.from_wire(lookup.question, 0)[0]} 60 {RIGHT}"])
            answer = answer[:12] + probe.question + answer[12 + len(probe.question) :]
            assert made._received(answer, probe)
            assert second.away
            assert not second.may_be_probed(now), "it waits for longer than before"
            assert second.may_be_probed(now + 2 * servers_module.BACK_OFF_SECONDS[1])

    asyncio.run(run())


def test_a_server_whose_answers_are_not_believed_any_more_is_not_gone() -> None:
    """The first is impersonated until questions go by TCP only, where it does not listen: that the second answers counts for it all the same."""

    def guessed(asked: Asked) -> None:
        if asked.tcp:
            asked.hang_up()
            return
        for _ in range(3):
            asked.send(asked.answer(RIGHT)[:12] + b"\5wrong\7example\0\0\1\0\1")

    def late(asked: Asked) -> None:
        if not asked.tcp:
            threading.Timer(0.05, asked.send, (asked.answer(RIGHT),)).start()

    with Scripted(guessed, strict=False) as first, Scripted(late) as second, House(first, second, strategy="parallel") as house:
        for number in range(servers_module.BACK_OFF_AFTER + 2):
            house.ask(f"n{number}.d{number}.example")
        assert not house.servers[1].away


def test_a_failure_of_what_was_flushed_is_not_kept() -> None:
    rig = Rig()
    rig.ask(question("www.broken.example"))
    (lookup,) = rig.lookups
    lookup.forgotten += (lookup.name_key,)
    rig.lookups.clear()
    rig.failed(lookup)
    assert rig.ask(question("www.broken.example")) is None, "it is asked anew"
    assert len(rig.lookups) == 1


def test_the_alarm_about_the_only_upstream_does_not_promise_others() -> None:
    with Scripted(silent) as only, House(only) as house:
        house.ask_many([f"n{number}.d{number}.example" for number in range(6)])
        (alarm,) = house.alarms.values()
        assert "no other to ask" in alarm["remedy"]
    with Scripted(silent) as first, Scripted(says(RIGHT)) as second, House(first, second) as house:
        house.ask_many([f"n{number}.d{number}.example" for number in range(6)])
        (alarm,) = house.alarms.values()
        assert "others are asked meanwhile" in alarm["remedy"]


# What is given back


def test_whatever_becomes_of_questions_all_they_took_up_is_given_back() -> None:
    """Answers, errors, silence, truncation without TCP, forgeries, flushes, changes of the list, TCP clients that vanish, all at random."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)

    def moody(asked: Asked) -> None:
        mood = dice.random()
        if mood < 0.4:
            asked.send(asked.answer(RIGHT, ttl=dice.choice((0, 1, 20))))
        elif mood < 0.5:
            asked.send(asked.answer(rcode=dice.choice(("SERVFAIL", "REFUSED", "FORMERR", "NXDOMAIN"))))
        elif mood < 0.6:
            asked.send(asked.answer(flags=dns.flags.TC))
        elif mood < 0.7:
            asked.send(asked.wire[:2] + b"\x81\x80" + asked.wire[4:12] + b"\3bad" + asked.wire[12:])
        elif mood < 0.8:
            asked.send(asked.answer(RIGHT)[: dice.randrange(2, 40)])
        elif mood < 0.85 and asked.tcp:
            asked.hang_up()

    names = [f"n{number}.d{number % 9}.example" for number in range(60)]
    with Scripted(moody, strict=False) as first, Scripted(moody, strict=False) as second, House(first, second, strategy="fastest") as house:
        rig, engine = house.rig, house.rig.engine
        engine.clients.most = 40
        tcp = house.inside(lambda: TcpListener(engine, Clients(("127.0.0.0/8",), {}, rig.tcp), time.monotonic, house.upstreams.start, (50, 50, 1)))
        server = asyncio.run_coroutine_threadsafe(house._loop.create_server(tcp.connection, HOST, 0), house._loop).result(5)
        place = server.sockets[0].getsockname()
        with _clients() as clients:
            for turn in range(600):
                wire = query(dice.choice(names), edns=dice.random() < 0.5).to_wire()
                if dice.random() < 0.7:
                    clients.udp.sendto(wire, (HOST, house.port))
                else:
                    clients.by_tcp(place, len(wire).to_bytes(2, "big") + wire, dice)
                if turn % 50 == 0:
                    house.inside(lambda: rig.switch([basis("directive", "XX-1", dice.choice(names))]))
                    house.inside(lambda: [setattr(each, "forgotten", (each.name_key,)) for each in rig.group.in_flight.values()])
                if turn % 100 == 0:
                    time.sleep(0.02)
            wait_for(lambda: not house.inside(lambda: engine.in_flight), "every lookup to end")
            wait_for(lambda: not house.inside(lambda: sum(each.waiting for each in house.servers)), "every try to land")
        left = house.inside(lambda: (engine.clients.total, len(engine.clients), len(engine.domains), len(rig.group.in_flight)))
        assert left == (0, 0, 0, 0)
        wait_for(lambda: not tcp.connections and not tcp.of_client, "every connection to be gone")
        timing = house.upstreams._timing
        wait_for(lambda: not any(timing._deques) and not any(each.asked for each in house.servers), "every try to be forgotten")
        sent = sum(each.sent for each in house.servers)
        copies = sum(each.hedges + each.probes for each in house.servers)
        print(f"{engine.counters.lookups} lookups, {sent} sent, {copies} copies, {engine.counters.capped_client} capped")
        assert copies * Budget.SHARE <= engine.counters.lookups
        house.inside(tcp.close)
        house.inside(server.close)


class _Clients:
    def __init__(self) -> None:
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._open: list[socket.socket] = []

    def by_tcp(self, place: tuple[str, int], message: bytes, dice: random.Random) -> None:
        """Asks by a connection, then perhaps closes it, wholly or by half, or leaves it."""
        client = socket.create_connection(place)
        client.sendall(message * dice.randrange(1, 4))
        match dice.randrange(3):
            case 0:
                client.close()
            case 1:
                client.shutdown(socket.SHUT_WR)
                self._open.append(client)
            case _:
                self._open.append(client)
        while len(self._open) > 20:
            self._open.pop(0).close()

    def close(self) -> None:
        for each in (self.udp, *self._open):
            each.close()


@contextmanager
def _clients() -> Any:
    made = _Clients()
    try:
        yield made
    finally:
        made.close()
