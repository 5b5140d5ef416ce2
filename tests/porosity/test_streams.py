"""Questions over TCP, TLS, HTTPS and QUIC: many on one connection, to servers as people run them, and to some that misbehave."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.name
import pytest

from bench.certificates import Authority
from porosity.ethics import Permit
from porosity.transports.mux import Try
from porosity.transports.pool import CONNECTIONS, PIPELINED
from porosity.transports.ways import UNDER_WAY, Patience, Ways
from porosity.words import Endpoint, Transport, message
from tests.porosity import quic
from tests.resolver.servers import HOST, Asked, Scripted, says
from tests.tools import DEADLINE, free_ports, require, wait_for

NAME = "dns.probe.test"
"""In the certificates."""


def wire(name: str) -> bytes:
    return message(dns.name.from_text(name))


def ask(endpoint: Endpoint, *names: str, seconds: float = 5.0, ca: Path | None = None) -> list[Try]:
    """All at once, each once."""

    async def whole() -> list[Try]:
        ways = Ways({HOST: Permit(None, "loopback")}, Patience(seconds, 1), ca, "me@university.example")
        try:
            return [asked.last for asked in await asyncio.gather(*(ways.ask(endpoint, wire(name)) for name in names))]
        finally:
            await ways.close()

    return asyncio.run(whole())


def addresses(answer: bytes) -> list[str]:
    return [str(record) for rrset in dns.message.from_wire(answer).answer for record in rrset]


def name_of(octets: bytes) -> str:
    return dns.message.from_wire(octets).question[0].name.to_text(omit_final_dot=True)


@dataclass
class House:
    """Servers that run while this file is tested."""

    ca: Path
    ports: dict[str, int]

    def at(self, transport: Transport, which: str, name: str = NAME) -> Endpoint:
        return Endpoint(transport, HOST, self.ports[which], name)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Unbound (TCP, TLS, HTTPS), nginx (HTTPS that is not DNS), and a server of QUIC."""
    directory = tmp_path_factory.mktemp("house")
    authority = Authority()
    ca = directory / "ca.pem"
    ca.write_bytes(authority.pem)
    chain, key = authority.issue([NAME], directory)
    names = ("unbound", "dot", "doh", "missing", "portal", "old", "silent")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    (directory / "unbound.conf").write_text(
        f"server:\n  interface: {HOST}@{ports['unbound']}\n  interface: {HOST}@{ports['dot']}\n  interface: {HOST}@{ports['doh']}\n"
        f'  tls-port: {ports["dot"]}\n  https-port: {ports["doh"]}\n  tls-service-key: "{key}"\n  tls-service-pem: "{chain}"\n'
        f'  username: ""\n  chroot: ""\n  directory: "{directory}"\n  pidfile: ""\n  use-syslog: no\n  do-daemonize: no\n  incoming-num-tcp: 100\n'
        '  local-zone: "test." redirect\n  local-data: "test. A 192.0.2.1"\nremote-control:\n  control-enable: no\n'
    )
    (directory / "nginx.conf").write_text(
        f"daemon off;\npid {directory}/pid;\nerror_log {directory}/errors;\nevents {{ worker_connections 4096; }}\nhttp {{\n  access_log off;\n"
        f"  client_body_temp_path {directory};\n  ssl_certificate {chain};\n  ssl_certificate_key {key};\n"
        f"  server {{ listen {HOST}:{ports['missing']} ssl http2; location / {{ return 404; }}\n"
        f"    location /silent {{ proxy_pass http://{HOST}:{ports['silent']}; }} }}\n"
        f'  server {{ listen {HOST}:{ports["portal"]} ssl http2; location / {{ return 200 "<h1>Welcome</h1>"; }} }}\n'
        f"  server {{ listen {HOST}:{ports['old']} ssl; location / {{ return 200; }} }}\n}}\n"
    )
    commands = ([require("unbound"), "-d", "-c", str(directory / "unbound.conf")], [require("nginx"), "-c", str(directory / "nginx.conf")])
    with socket.create_server((HOST, ports["silent"]), backlog=2048), (directory / "log").open("wb") as log, quic.serving(chain, key) as ports["doq"]:
        processes = [subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) for command in commands]
        try:
            found = House(ca, ports)
            for port in ("dot", "doh", "missing"):
                wait_for(lambda port=port: ask(found.at("tcp", port), "a.test", seconds=0.2)[0].failure != "refused", f"a server at {port}")
            yield found
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
                process.wait(DEADLINE)


@pytest.mark.parametrize(("transport", "which"), [("tcp", "unbound"), ("dot", "dot"), ("doh", "doh"), ("doq", "doq")])
def test_hundreds_at_once(house: House, transport: Transport, which: str) -> None:
    """More than the connections' pipelines hold: the rest waits its turn."""
    names = [f"n{number}.test" for number in range(PIPELINED + 20 if transport == "doq" else CONNECTIONS * PIPELINED + 50)]
    found = ask(house.at(transport, which), *names, seconds=20, ca=house.ca)
    assert {each.failure for each in found} == {""}
    for name, each in zip(names, found, strict=True):
        assert name_of(each.query) == name_of(each.answer) == name
        assert addresses(each.answer) == ["192.0.2.1"]
        assert 0 < each.took < 20_000_000
        assert (each.query[:2] == b"\0\0") >= (transport in ("doh", "doq")), "an ID of 0 is for a stream of one's own"


def test_a_kernel_that_is_slow_to_acknowledge_is_no_slow_resolver(house: House) -> None:
    """Unbound sends an answer when the one before is acknowledged, which kernels do 40 ms later or with the next question: no time has that."""

    async def whole() -> list[int]:
        ways = Ways({HOST: Permit(33, "lab")}, Patience(5.0, 1), house.ca)
        names = [f"n{number}.test" for number in range(16)]
        found = await asyncio.gather(*(ways.ask(house.at("dot", "dot"), wire(name)) for name in names))
        await ways.close()
        return sorted(asked.last.took for asked in found)

    took = asyncio.run(whole())
    assert took[len(took) // 2] < 15_000, "the questions go out 30 ms apart"


@pytest.mark.parametrize(("transport", "which"), [("dot", "dot"), ("doh", "doh"), ("doq", "doq")])
def test_a_certificate_must_be_whose_it_says(house: House, transport: Transport, which: str) -> None:
    wrong = house.at(transport, which, "an.other.test")
    (found,) = ask(wrong, "a.test", ca=house.ca)
    assert (found.failure, found.query, found.answer) == ("tls", b"", b"")
    (found,) = ask(house.at(transport, which), "a.test")
    assert found.failure == "tls", "nobody vouches for it but the test's own authority"


@pytest.mark.parametrize(("which", "failure"), [("missing", "http"), ("portal", "malformed"), ("old", "tls")])
def test_a_web_site_is_no_resolver(house: House, which: str, failure: str) -> None:
    found = ask(house.at("doh", which), "a.test", "b.test", ca=house.ca)
    assert {each.failure for each in found} == {failure}


@pytest.mark.parametrize("transport", ["tcp", "dot", "doh", "doq"])
def test_nobody_there(transport: Transport) -> None:
    (port,) = free_ports(1)
    found = ask(Endpoint(transport, HOST, port, NAME), "a.test", "b.test", "c.test")
    assert [(each.failure, each.query) for each in found] == [("refused", b"")] * 3


@pytest.mark.parametrize("transport", ["dot", "doh", "doq"])
def test_one_that_never_shakes_hands(transport: Transport) -> None:
    with Scripted(lambda asked: None, strict=False) as server:
        found = ask(Endpoint(transport, HOST, server.port, NAME), "a.test", "b.test", seconds=0.25)
    assert [each.failure for each in found] == ["timeout"] * 2
    assert all(220_000 < each.took < 3_000_000 for each in found)


def test_answers_in_any_order_and_in_pieces() -> None:
    """A server that answers the last first, and some of what nobody asked between."""
    held: list[Asked] = []

    def backwards(asked: Asked) -> None:
        held.append(asked)
        if len(held) == 50:
            for each in reversed(held):
                each.send(each.answer("A 192.0.2.254").replace(b"\4test", b"\4tset"))
                each.send(each.answer(f"A 192.0.2.{each.name.partition('.')[0][1:]}"))

    with Scripted(backwards) as server:
        found = ask(Endpoint("tcp", HOST, server.port), *(f"n{number}.test" for number in range(50)))
        assert len({asked.port for asked in server.seen}) == 1, "one connection"
    assert [addresses(each.answer) for each in found] == [[f"192.0.2.{number}"] for number in range(50)]


def test_a_connection_that_ends_is_opened_anew() -> None:
    def once(asked: Asked) -> None:
        if asked.name == "end.test.":
            asked.hang_up()
        elif not asked.name.startswith("silent"):
            asked.send(asked.answer("A 192.0.2.1"))

    with Scripted(once) as server:

        async def whole() -> list[str]:
            ways = Ways({HOST: Permit(None, "loopback")}, Patience(5.0, 1))
            endpoint = Endpoint("tcp", HOST, server.port)
            said = [(await ways.ask(endpoint, wire("a.test"))).last.failure]
            waits = asyncio.create_task(ways.ask(endpoint, wire("silent.test")))
            while not server.of("silent.test"):
                await asyncio.sleep(0.005)
            said += [(await ways.ask(endpoint, wire("end.test"))).last.failure, (await waits).last.failure]
            said.append((await ways.ask(endpoint, wire("b.test"))).last.failure)
            await ways.close()
            return said

        assert asyncio.run(whole()) == ["", "closed", "closed", ""]


@pytest.mark.parametrize("transport", ["doh", "doq"])
def test_silence_uses_nothing_up(house: House, transport: Transport) -> None:
    """However many questions are never answered, the next ones go out: no stream, ID or connection is kept for those whose time is over."""
    endpoint = {
        "doh": Endpoint("doh", HOST, house.ports["missing"], NAME, "/silent"),
        "doq": house.at("doq", "doq"),
    }[transport]
    names = [f"silent{number}.test" for number in range(CONNECTIONS * PIPELINED)]

    async def whole() -> list[bool]:
        """Whether each of them went out, round by round until two in a row did: on a busy machine some are late, but what was used up stays so."""
        ways = Ways({HOST: Permit(None, "loopback")}, Patience(0.8, 1), house.ca)
        rounds: list[bool] = []
        while rounds[-2:] != [True, True] and len(rounds) < 12:
            found = [asked.last for asked in await asyncio.gather(*(ways.ask(endpoint, wire(name)) for name in names))]
            assert {each.failure for each in found} == {"timeout"}
            rounds.append(all(each.query for each in found))
        await ways.close()
        return rounds

    assert asyncio.run(whole())[-2:] == [True, True]


def test_what_goes_wrong_on_one_stream_harms_no_other(house: House) -> None:
    """Over QUIC a stream is reset, another never answered, a third answers another question."""
    reset, silent, other, right = ask(house.at("doq", "doq"), "reset.test", "silent.test", "other.test", "right.test", seconds=1.5, ca=house.ca)
    assert [each.failure for each in (reset, silent, other, right)] == ["reset", "timeout", "mismatch", ""]
    (ended,) = ask(house.at("doq", "doq"), "end.test", ca=house.ca)
    assert ended.failure == "closed"


@pytest.mark.parametrize("tries", [1, 3])
def test_tried_again_until_patience_ends(tries: int) -> None:
    """With another ID each time, and the time of the last."""

    def third(asked: Asked) -> None:
        if len(asked.upstream.seen) == 3:
            asked.send(asked.answer("A 192.0.2.1"))

    with Scripted(third) as server:

        async def whole() -> tuple[int, str, int, int]:
            ways = Ways({HOST: Permit(None, "loopback")}, Patience(0.4, tries))
            found = await ways.ask(Endpoint("udp", HOST, server.port), wire("a.test"))
            await ways.close()
            return found.tries, found.last.failure, found.last.took, found.last.sent_at - found.sent_at

        number, failure, took, between = asyncio.run(whole())
        assert (number, failure) == ((3, "") if tries == 3 else (1, "timeout"))
        if tries == 3:
            assert len({asked.id for asked in server.seen}) == 3
            assert took < 400_000
            assert between >= 800_000


def test_a_dead_server_gets_less_patience() -> None:
    """After a row of silence one try a question, and patience again as soon as it answers."""

    def script(asked: Asked) -> None:
        if asked.name.startswith("answer"):
            asked.send(asked.answer("A 192.0.2.1"))

    with Scripted(script) as server:

        async def whole() -> list[int]:
            ways = Ways({HOST: Permit(None, "loopback")}, Patience(0.3, 2))
            endpoint = Endpoint("udp", HOST, server.port)
            await asyncio.gather(*(ways.ask(endpoint, wire(f"n{number}.test")) for number in range(30)))
            tries = [(await ways.ask(endpoint, wire(name))).tries for name in ("dead.test", "answer.test", "alive.test")]
            await ways.close()
            return tries

        assert asyncio.run(whole()) == [1, 1, 2]


def test_questions_that_nobody_answers_hold_up_no_others() -> None:
    """Some servers drop some kinds of question: while those are waited for, more than may be under way at once go out and are answered."""

    def script(asked: Asked) -> None:
        if not asked.name.startswith("silent"):
            asked.send(asked.answer("A 192.0.2.1"))

    with Scripted(script) as server:

        async def whole() -> tuple[bool, str]:
            ways = Ways({HOST: Permit(None, "loopback")}, Patience(30.0, 1))
            endpoint = Endpoint("udp", HOST, server.port)
            silent = [asyncio.create_task(ways.ask(endpoint, wire(f"silent{number}.test"))) for number in range(2 * UNDER_WAY)]
            await asyncio.sleep(0)
            answered = await ways.ask(endpoint, wire("a.test"))
            still = not any(each.done() for each in silent)
            for each in silent:
                each.cancel()
            await ways.close()
            return still, answered.last.failure

        assert asyncio.run(whole()) == (True, "")


def test_all_transports_and_addresses_of_a_server_share_its_rate() -> None:
    with Scripted(says("A 192.0.2.1")) as server, Scripted(says("A 192.0.2.1"), "127.0.0.2") as same:

        async def whole() -> None:
            permit = Permit(40, "lab", HOST)
            ways = Ways({HOST: permit, "127.0.0.2": permit}, Patience(5.0, 1))
            endpoints = [Endpoint("udp", HOST, server.port), Endpoint("tcp", HOST, server.port), Endpoint("udp", "127.0.0.2", same.port)]
            await asyncio.gather(*(ways.ask(endpoints[number % 3], wire(f"n{number}.test")) for number in range(30)))
            await ways.close()

        asyncio.run(whole())
        moments = sorted(asked.at for asked in [*server.seen, *same.seen])
        assert len(moments) == 30
    assert moments[-1] - moments[0] >= 29 / 40 * 0.9, "as seen by the server, which a busy machine may let wait but not hurry"
