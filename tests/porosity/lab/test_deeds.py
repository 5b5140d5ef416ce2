"""Scripted resolvers, without a socket: each planted leak opens what it says, and nothing else; and the zones answer as NSD does."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from functools import cache
from random import Random

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porosity import vectors
from porosity.lab.addresses import LANDING
from porosity.lab.deeds import Cover, Deed, Reading, Scripted
from porosity.lab.planted import LEAKS
from porosity.lab.scenario import Counts, Machine, Scenario
from porosity.lab.world import World, make
from porosity.lab.zones import Zones
from porosity.vectors.aliases import alias
from porosity.words import Name, Vector
from tests.tools import DEADLINE, free_ports, require, wait_for

SEED = 7
ELSEWHERE = ("203.0.113.123", "2001:db8:3::123")
SCENARIO = Scenario("deeds", "", {}, names=Counts(apex=1, deep=1, exact=1, signed=1, canaries=1))
TRIED = [each for each in vectors.ALL if each.family not in ("time", "failover", "other resolvers", "namespace")]


@pytest.fixture(scope="module")
def world() -> World:
    print(f"seed {SEED}")
    return make(SCENARIO, SEED)


@pytest.fixture(scope="module")
def reading() -> Reading:
    return _reading()


@pytest.fixture(scope="module")
def cover(world: World) -> Cover:
    return Cover({dns.name.from_text(each.name): (each.match, 0.0) for each in world.orders})


def _deeds(machine: Machine, world: World, reading: Reading, cover: Cover, tried: list[Vector]) -> Iterator[tuple[str, Deed]]:
    resolver = Scripted(machine, reading, LANDING, ELSEWHERE)
    for vector in tried:
        for order in world.orders:
            name = Name(dns.name.from_text(order.name), "listed", ".".join(order.name.split(".")[-2:]), match=order.match)
            for ask in vector.asks(name, Random(f"{SEED} {vector.id} {order.name}")):
                yield vector.id, resolver.respond(ask.wire, ask.transport, cover, 1000.0)[1]


@pytest.mark.parametrize("leak", [each for each in LEAKS if each != "stale-cache"])
def test_a_leak_opens_what_it_says_and_nothing_else(leak: str, world: World, reading: Reading, cover: Cover) -> None:
    machine = Machine("tested", block="landing", leaks=(leak,))
    opened = {id for id, deed in _deeds(machine, world, reading, cover, TRIED) if deed.leak and deed.data}
    assert opened == set(LEAKS[leak].opens)


@pytest.mark.parametrize("block", ["landing", "nxdomain", "nodata", "refused", "servfail", "false", "silent"])
def test_a_resolver_without_leaks_gives_nothing_away_that_an_order_covers(block: str, world: World, reading: Reading, cover: Cover) -> None:
    for id, deed in _deeds(Machine("tested", block=block), world, reading, cover, TRIED):  # type: ignore[arg-type]
        assert not (deed.covered and deed.data), id


def test_a_cache_is_stale_for_so_long_and_for_the_name_alone(world: World, reading: Reading, cover: Cover) -> None:
    resolver = Scripted(Machine("tested", block="nxdomain", leaks=("stale-cache",)), reading, LANDING, ELSEWHERE)
    name = world.orders[0].name
    for asked, seconds, leaks in ((name, 2.9, True), (name, 3.1, False), (f"any.{name}", 2.9, False)):
        wire = dns.message.make_query(asked, "A").to_wire()
        assert (resolver.respond(wire, "udp", cover, seconds)[1].leak == "stale-cache") is leaks


def test_careless_blocking_takes_what_is_beside(world: World, reading: Reading, cover: Cover) -> None:
    deep = next(each.name for each in world.orders if each.name.count(".") == 2)
    parent = deep.partition(".")[2]
    for over, asked in (("parent", f"mail.{parent}"), ("letters", f"not{deep}")):
        wire = dns.message.make_query(asked, "A").to_wire()
        for machine, kind in ((Machine("tested", block="landing"), "answered"), (Machine("tested", block="landing", over=over), "blocked")):  # type: ignore[arg-type]
            deed = Scripted(machine, reading, LANDING, ELSEWHERE).respond(wire, "udp", cover, 1000.0)[1]
            assert (deed.kind, deed.covered) == (kind, False)


def test_an_alias_is_no_data_where_it_leads_to_what_is_blocked(world: World, cover: Cover) -> None:
    """An HTTPS record in alias mode: of another name it leads to a question that is blocked; of the ordered name itself it leads on to the site."""
    zones, ordered = Zones(world.zones), dns.name.from_text(world.orders[0].name)
    for kind, leads in (("alias", True), ("service", False)):
        found = zones.find(alias(kind, ordered), dns.rdatatype.HTTPS)
        assert found.data
        assert found.only_leads(lambda name: cover.reach(name)[0]) is leads
        assert not found.only_leads(lambda name: True), "its owner is covered, too"


@given(st.binary(max_size=80))
def test_any_octets_are_answered_or_not_and_never_by_something_else(octets: bytes) -> None:
    resolver = Scripted(Machine("tested", block="landing"), _reading(), LANDING, ELSEWHERE)
    answer, deed = resolver.respond(octets, "udp", Cover({}), 1000.0)
    if answer:
        assert answer[:2] == octets[:2]
        assert answer[2] & 0x80
        dns.message.from_wire(answer)
    else:
        assert deed.kind == "silent"


@cache
def _reading() -> Reading:
    return Reading(Zones(make(SCENARIO, SEED).zones))


@pytest.fixture(scope="module")
def nsd(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """NSD with the same zones: who knows how they are to be answered."""
    program = require("nsd")
    directory = tmp_path_factory.mktemp("nsd")
    (port,) = free_ports(1)
    text = (
        f'server:\n  ip-address: 127.0.0.1@{port}\n  server-count: 1\n  username: ""\n  zonesdir: "{directory}"\n  database: ""\n'
        f'  pidfile: "{directory}/pid"\n  xfrdfile: "{directory}/xfrd"\n  zonelistfile: "{directory}/zones"\n  rrl-ratelimit: 0\n'
        "remote-control:\n  control-enable: no\n"
    )
    for number, (origin, records) in enumerate(world.zones.items()):
        (directory / f"{number}.zone").write_text(records)
        text += f'zone:\n  name: "{origin}"\n  zonefile: {number}.zone\n'
    (directory / "nsd.conf").write_text(text)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([program, "-d", "-c", str(directory / "nsd.conf")], stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: _asked(port, world.canaries[0], "A") is not None, f"NSD: {(directory / 'log').read_text()}")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)


def _asked(port: int, name: str, type: str) -> dns.message.Message | None:
    try:
        return dns.query.udp(dns.message.make_query(name, type, want_dnssec=True, payload=4096), "127.0.0.1", 0.5, port)
    except (OSError, dns.exception.DNSException):
        return None


def test_the_zones_answer_as_nsd_does(world: World, nsd: int) -> None:
    zones = Zones(world.zones)
    names = [*(each.name for each in world.orders), *world.sites, *world.canaries]
    names += [f"{above}.{each}" for each in names for above in ("www", "any", "a.b", "mail", "_8443._https", "_https", "*", "ns1")]
    names += ["example", "none.example", "use-application-dns.net", "net", "mask.icloud.com"]
    types = ("A", "AAAA", "HTTPS", "MX", "NS", "TXT", "SOA", "SRV", "PTR", "DS", "DNSKEY", "CNAME")
    for name in dict.fromkeys(names):
        for type in types:
            theirs = _asked(nsd, name, type)
            assert theirs is not None, (name, type)
            if not theirs.flags & dns.flags.AA:
                continue  # a referral: the server has both sides of the cut, and the question was for the upper one
            ours = zones.find(dns.name.from_text(name), dns.rdatatype.from_text(type), True)
            assert ours.rcode == theirs.rcode(), (name, type)
            assert _said(ours.answer) == _said(theirs.answer), (name, type)


def _said(rrsets: list[dns.rrset.RRset]) -> set[str]:
    return {f"{rrset.name.canonicalize()} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}" for rrset in rrsets for rdata in rrset}
