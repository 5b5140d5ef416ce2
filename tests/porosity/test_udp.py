"""Questions over UDP, as the network treats them: answers that are late, wrong, twice, somebody else's, or an ICMP error."""

from __future__ import annotations

import asyncio
import random
import socket
import time

import dns.flags
import dns.message
import dns.name
import pytest

from porosity.transports import udp
from porosity.transports.mux import Try
from porosity.transports.udp import Udp
from porosity.words import Endpoint, message
from tests.resolver.servers import HOST, Asked, Scripted, has_ipv6, says, silent
from tests.tools import free_ports


def wire(name: str) -> bytes:
    return message(dns.name.from_text(name))


def ask(port: int, *names: str, seconds: float = 5.0, address: str = HOST) -> list[Try]:
    """All at once, each once."""

    async def whole() -> list[Try]:
        way = Udp(Endpoint("udp", address, port))
        try:
            return await asyncio.gather(*(way.ask(wire(name), seconds) for name in names))
        finally:
            await way.close()

    return asyncio.run(whole())


def address_of(answer: bytes) -> str:
    return str(dns.message.from_wire(answer).answer[0][0])


def number_of(asked: Asked) -> str:
    """An address that tells of which name it is: n77.test has 192.0.2.77."""
    return f"A 192.0.2.{asked.name.partition('.')[0][1:]}"


def test_hundreds_at_once_among_lies(request: pytest.FixtureRequest) -> None:
    """Beside each right answer come one to another question, one with another ID, half of one, twice the same, and a stranger's."""
    held: list[Asked] = []
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind((HOST, 0))
    request.addfinalizer(stranger.close)

    def lie(asked: Asked) -> None:
        held.append(asked)
        if len(held) < 200:
            return
        shuffled = list(held)
        random.Random(7).shuffle(shuffled)
        for each, other in zip(held, shuffled, strict=True):
            forged = other.answer("A 192.0.2.254")
            each.send(each.id.to_bytes(2, "big") + forged[2:])
            right = each.answer(number_of(each))
            each.send(random.Random(each.id).randbytes(2) + each.answer("A 192.0.2.254")[2:])
            each.send(right[:15])
            stranger.sendto(each.answer("A 192.0.2.254"), (HOST, each.port))
            each.send(right)
            each.send(each.answer("A 192.0.2.254"))

    with Scripted(lie) as server:
        found = ask(server.port, *(f"n{number}.test" for number in range(200)))
        ports = {asked.port for asked in server.seen}
        ids = {asked.id for asked in server.seen}
    for number, each in enumerate(found):
        assert each.failure == ""
        assert address_of(each.answer) == f"192.0.2.{number}"
        assert dns.message.from_wire(each.query).question[0].name.to_text() == f"n{number}.test."
    assert len(ports) == udp.SOCKETS
    assert len(ids) > 190


def test_nothing_but_lies_is_no_answer() -> None:
    def lie(asked: Asked) -> None:
        kind = asked.name.partition(".")[0]
        right = asked.answer("A 192.0.2.1")
        if kind == "other":
            asked.send(right.replace(b"\5other", b"\5owned"))
        elif kind == "half":
            asked.send(right[:15])
        elif kind == "query":
            asked.send(asked.wire)
        elif kind == "stray":
            asked.send(bytes([right[0] ^ 1]) + right[1:])

    with Scripted(lie) as server:
        other, half, query, stray, nothing = ask(server.port, "other.test", "half.test", "query.test", "stray.test", "silent.test", seconds=0.8)
    assert (other.failure, half.failure, query.failure) == ("mismatch", "malformed", "mismatch")
    assert b"\5owned" in other.answer, "what came is kept as evidence"
    assert (stray.failure, nothing.failure, nothing.answer) == ("timeout", "timeout", b"")
    assert 800_000 <= nothing.took < 5_000_000


def test_times_are_the_sockets() -> None:
    """The time between, on this machine, is short; what a busy reader adds is not in it."""
    with Scripted(says("A 192.0.2.1")) as server:

        async def whole() -> Try:
            way = Udp(Endpoint("udp", HOST, server.port))
            asking = asyncio.create_task(way.ask(wire("a.test"), 5))
            while not server.seen:
                await asyncio.sleep(0)
            held = time.monotonic() + 0.8
            while time.monotonic() < held:
                pass  # this process is busy with something else while the answer lies in the socket
            found = await asking
            await way.close()
            return found

        before = time.time_ns() // 1000
        found = asyncio.run(whole())
    assert found.took < 600_000
    assert before <= found.sent_at <= time.time_ns() // 1000


@pytest.mark.parametrize("address", [HOST, "::1"])
def test_nobody_there_is_said_at_once(address: str) -> None:
    if ":" in address and not has_ipv6():
        pytest.skip("no IPv6 here")
    found = ask(free_ports(1, address)[0], *(f"n{number}.test" for number in range(20)), address=address)
    assert {each.failure for each in found} == {"refused"}
    assert max(each.took for each in found) < 2_000_000


def test_an_icmp_error_harms_only_the_question_that_met_it() -> None:
    """The server answers one question a little later, and is gone by the time of the next, on the same socket."""
    server = Scripted(silent)

    async def whole() -> tuple[Try, Try]:
        way = Udp(Endpoint("udp", HOST, server.port))
        for _ in range(udp.SOCKETS - 1):  # so that both questions have one socket
            asyncio.create_task(way.ask(wire("first.test"), 0.01))  # noqa: RUF006
        first = asyncio.create_task(way.ask(wire("answered.test"), 5))
        while not server.of("answered.test"):
            await asyncio.sleep(0.005)
        (asked,) = server.of("answered.test")
        way._next = udp.SOCKETS - 2
        server.stop()
        second = await way.ask(wire("refused.test"), 5)
        answering = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        answering.bind((HOST, server.port))
        answering.sendto(asked.answer("A 192.0.2.1"), (HOST, asked.port))
        answering.close()
        found = await first
        await way.close()
        return found, second

    answered, refused = asyncio.run(whole())
    assert refused.failure == "refused"
    assert answered.failure == ""


def test_ports_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """And those that are left are closed once nothing is under way on them."""
    monkeypatch.setattr(udp, "QUESTIONS_A_PORT", 5)
    with Scripted(says("A 192.0.2.1")) as server:

        async def whole() -> int:
            way = Udp(Endpoint("udp", HOST, server.port))
            for number in range(60):
                assert (await way.ask(wire(f"n{number}.test"), 5)).failure == ""
            retired = len(way._retired)
            await way.close()
            return retired

        assert asyncio.run(whole()) == 0
        assert len({asked.port for asked in server.seen}) >= 60 / 5


def test_truncated_is_an_answer() -> None:
    with Scripted(lambda asked: asked.send(asked.answer(flags=dns.flags.TC))) as server:
        (found,) = ask(server.port, "a.test")
    assert found.failure == ""
    assert dns.message.from_wire(found.answer).flags & dns.flags.TC
