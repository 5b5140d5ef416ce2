"""DNS over QUIC, with programs that are not ours on the other side: Knot's kdig asks the lab's server, and our client asks Knot's server.

knotd speaks it over XDP sockets alone, so that it needs a network interface of its own: two machines of namespaces, and root.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from aioquic.asyncio.client import connect
from aioquic.quic.configuration import QuicConfiguration

from porosity.lab import run
from porosity.lab.certificates import Authority
from porosity.lab.loopback import Loopback
from porosity.lab.quic import ALPN, PROTOCOL_ERROR
from porosity.lab.scenario import Scenario, parse
from porosity.lab.spaces import PROGRAMS, Machine, cable
from porosity.rules.ours import VERSION
from porosity.words import Endpoint
from tests.tools import DEADLINE, require, require_root, wait_for

SEED = 5


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return parse(
        {
            "about": "One whose QUIC listener was given no list, and one that is tight.",
            "names": {"apex": 1, "deep": 1, "exact": 0, "signed": 0, "canaries": 1, "neighbours": 1},
            "vectors": ["type-a", "transport"],
            "resolvers": {
                "open-quic": {"role": "tested", "block": "nxdomain", "transports": ["udp", "tcp", "doq"], "leaks": ["doq"]},
                "tight": {"role": "tested", "block": "landing", "transports": ["udp", "tcp", "doq"]},
                "one": {"role": "control", "transports": ["udp", "tcp", "doq"]},
                "two": {"role": "control", "transports": ["udp", "tcp", "doq"]},
            },
        },
        "quic",
    )


@pytest.fixture(scope="module")
def lab(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    print(f"seed {SEED}")
    with Loopback(scenario, SEED, tmp_path_factory.mktemp("quic") / "study" / "lab") as found:
        yield found  # type: ignore[misc]


def _endpoint(lab: Loopback, id: str) -> Endpoint:
    found = lab.servers[id].resolver.endpoint("doq")
    assert found is not None
    return found


def _kdig(lab: Loopback, id: str, *names: str) -> str:
    at = _endpoint(lab, id)
    words = [require("kdig"), f"@{at.address}", "-p", str(at.port), f"+tls-ca={lab.setting.authority.file}", f"+tls-hostname={at.server_name}"]
    # kdig takes +quic back where an option of TLS follows it.
    done = subprocess.run([*words, "+quic", "+timeout=5", "+retry=0", *names], capture_output=True, text=True, timeout=DEADLINE, check=False)
    return done.stdout + done.stderr


def test_knots_client_is_answered_by_our_server(lab: Loopback) -> None:
    order = lab.world.orders[0].name
    site = lab.world.sites[order][0]
    said = _kdig(lab, "open-quic", order, "A")
    assert "QUIC session (QUICv1)" in said
    assert site in said, "the leak that was planted"
    assert "192.0.2.80" in (blocked := _kdig(lab, "tight", order, "A"))
    assert "EDE: 16" in blocked
    # Several questions, a connection each, of which one answer is larger than a datagram of UDP may be.
    assert _kdig(lab, "one", lab.world.canaries[0], "A", lab.world.canaries[0], "ANY", order, "HTTPS").count("status: NOERROR") == 3


@pytest.mark.parametrize("come", [b"\0\x20" + bytes(12), b"\0\x0c\0\1" + bytes(10), b"\0"])
def test_who_breaks_the_protocol_is_told_so(lab: Loopback, come: bytes) -> None:
    """A message of another length than it says, one with an ID, one without a length (RFC 9250, section 4.3.3)."""

    async def whole() -> int:
        at = _endpoint(lab, "one")
        configuration = QuicConfiguration(is_client=True, alpn_protocols=[ALPN], server_name=at.server_name, verify_mode=ssl.CERT_REQUIRED)
        configuration.load_verify_locations(str(lab.setting.authority.file))
        async with connect(at.address, at.port, configuration=configuration) as client:
            client._quic.send_stream_data(client._quic.get_next_available_stream_id(), come, end_stream=True)
            client.transmit()
            await asyncio.wait_for(client.wait_closed(), DEADLINE)
            assert client._quic._close_event is not None
            return client._quic._close_event.error_code

    assert asyncio.run(whole()) == PROTOCOL_ERROR


def test_a_leak_over_quic_alone_is_found(lab: Loopback, scenario: Scenario) -> None:
    directory = lab.directory.parent
    planned = lab.plan(directory)
    lab.probe(directory)
    run.tell(scenario, lab, planned.study)
    ours = next(each for each in run.judge(scenario, planned.study) if each.rules == VERSION)
    assert [(each["resolver"], each["leak"], set(each["vectors"])) for each in ours.planted] == [("open-quic", "doq", {"transport-doq"})]
    assert (ours.found, ours.missed, ours.false_leaks, ours.wrong) == (1, 0, [], [])


ASKING = """
    import asyncio, sys
    from pathlib import Path
    import dns.message, dns.name
    from porosity.ethics import Permit
    from porosity.transports.ways import Patience, Ways
    from porosity.words import Endpoint, message

    async def whole():
        ways = Ways({"203.0.113.1": Permit(None, "lab")}, Patience(5.0, 1), Path(sys.argv[1]), "me@university.example")
        endpoint = Endpoint("doq", "203.0.113.1", 853, sys.argv[2])
        for first in range(0, 200, 8):
            some = (ways.ask(endpoint, message(dns.name.from_text(f"n{number}.example."))) for number in range(first, first + 8))
            for each in await asyncio.gather(*some):
                answer = dns.message.from_wire(each.last.answer) if each.last.answer else None
                print(each.last.failure or f"{answer.answer[0].name} {answer.answer[0][0]}")
        await ways.close()

    asyncio.run(whole())
"""


def test_our_client_is_answered_by_knots_server(tmp_path: Path) -> None:
    """Two hundred questions on one connection, and none to a server with another's certificate.

    Eight at once: knotd 3.2.6 answers nothing more on a connection once ten of its datagrams wait to be acknowledged; and only a hundred on each.
    """
    require_root()
    for program in (*PROGRAMS, "knotd"):
        require(program)
    authority = Authority(tmp_path)
    chain, key = authority.issue("knot.lab.example", ["203.0.113.1"])
    zone = "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 203.0.113.1\n* A 198.51.100.9\n"
    (tmp_path / "example.zone").write_text(zone)
    (tmp_path / "knot.conf").write_text(
        f"server:\n  rundir: {tmp_path}\n  listen: 203.0.113.1@53\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
        f"  cert-file: {chain}\n  key-file: {key}\nxdp:\n  listen: eth0\n  quic: on\n  quic-port: 853\ndatabase:\n  storage: {tmp_path}\n"
        f"zone:\n  - domain: example.\n    storage: {tmp_path}\n    file: example.zone\n    zonefile-sync: -1\n    journal-content: none\n"
        "log:\n  - target: stderr\n    any: info\n"
    )
    with Machine("knot") as server, Machine("client") as client:
        cable(server, client, ["203.0.113.1/24"], ["203.0.113.2/24"])
        with (tmp_path / "log").open("wb") as log:
            server.start("knotd", "-c", str(tmp_path / "knot.conf"), log=log)
        wait_for(lambda: "server started" in (tmp_path / "log").read_text(), "knotd")
        ask = (sys.executable, "-c", textwrap.dedent(ASKING), str(authority.file))
        assert client.run(*ask, "knot.lab.example").splitlines() == [f"n{number}.example. 198.51.100.9" for number in range(200)]
        assert set(client.run(*ask, "an.other.example").splitlines()) == {"tls"}
