"""A small DNS world on loopback for vectors to be tried in: NSD with all zones, and Unbound twice, by UDP, TCP, TLS and HTTPS. One
blocks nothing, and one blocks as many do: the A records of the listed names and no more.

Whatever is the target's is told at sight: its addresses are in 198.51.100.0/24 and 2001:db8:51::/48, its names and texts have `target` in them.
`blocked.example` has every type, and is signed; the rest of the world is not.
"""

from __future__ import annotations

import asyncio
import datetime
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import dns.dnssec
import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from bench.certificates import Authority
from porosity.ethics import Permit
from porosity.transports.mux import Try
from porosity.transports.ways import Patience, Ways
from porosity.vectors import aliases
from porosity.words import Ask, Endpoint, Name, Resolver, Role, Vector
from tests.tools import DEADLINE, free_ports, require, wait_for

HOST = "127.0.0.1"
CALLED = "resolver.example"
"""In the resolvers' certificate."""
PAGE = "192.0.2.80"
"""Where the leaky one leads."""
BLOCKED, IDN, ONLY, MOVED, FREE = (
    dns.name.from_text(text) for text in ("blocked.example.", "xn--bcher-kva.example.", "www.only.example.", "moved.example.", "free.example.")
)
ADDRESSES = {BLOCKED: "198.51.100.1", IDN: "198.51.100.2", ONLY: "198.51.100.3", MOVED: "198.51.100.4", FREE: "203.0.113.1"}
NAMES = (
    Name(BLOCKED, "listed", "blocked.example", "own", match="subtree"),
    Name(IDN, "listed", "xn--bcher-kva.example", "own", match="subtree"),
    Name(ONLY, "listed", "only.example", "hosts", match="exact"),
    Name(MOVED, "listed", "moved.example", "own", match="subtree"),
    Name(FREE, "canary", "free.example"),
)

_SOA = "@ 300 IN SOA ns.example. nobody.example. 1 3600 600 86400 60\n@ 300 IN NS ns.example.\n"
_TARGET = """\
@ 300 IN SOA target-ns target-hostmaster 1 3600 600 86400 60
@ 300 IN A 198.51.100.1
@ 300 IN AAAA 2001:db8:51::1
@ 300 IN HTTPS 1 . alpn="h2" ipv4hint=198.51.100.1 ipv6hint=2001:db8:51::1
@ 300 IN SVCB 1 target.blocked.example. port=853
@ 300 IN MX 10 target-mail.blocked.example.
@ 300 IN TXT "the target's text"
@ 300 IN SRV 1 2 443 target.blocked.example.
@ 300 IN PTR target.blocked.example.
@ 300 IN NS target-ns.blocked.example.
* 300 IN A 198.51.100.9
target 300 IN A 198.51.100.5
target-mail 300 IN A 198.51.100.6
target-ns 300 IN A 198.51.100.7
_8443._https 300 IN HTTPS 1 . port=8443 ipv4hint=198.51.100.1
"""
_EXAMPLE = """\
ns 300 IN A 127.0.0.1
xn--bcher-kva 300 IN A 198.51.100.2
only 300 IN A 203.0.113.3
www.only 300 IN A 198.51.100.3
www.only 300 IN TXT "the target's text"
moved 300 IN CNAME target.elsewhere
target.elsewhere 300 IN A 198.51.100.4
free 300 IN A 203.0.113.1
blocked 300 IN NS target-ns.blocked.example.
"""
_ROOT = """\
ns.example. 300 IN A 127.0.0.1
use-application-dns.net. 300 IN A 203.0.113.53
mask.icloud.com. 300 IN A 203.0.113.54
blocked.com. 300 IN A 203.0.113.55
"""


@dataclass(frozen=True)
class World:
    """The world, and a way to ask it."""

    authority: Resolver
    control: Resolver
    leaky: Resolver
    ca: Path

    def try_all(self, tested: Resolver, vectors: Iterable[Vector], names: Iterable[Name], others: Mapping[str, Resolver]) -> Iterator[Tried]:
        """What comes of every ask at a resolver, as the probe sends it, without waiting between the asks of a watch."""
        asked = [
            Tried(vector, name, number, ask, None)
            for vector in vectors
            for name in names
            for number, ask in enumerate(vector.asks(name, Random(f"{vector.id} {name.name}")))
        ]
        return iter(asyncio.run(self._try(asked, tested, others)))

    async def _try(self, asked: list[Tried], tested: Resolver, others: Mapping[str, Resolver]) -> list[Tried]:
        ways = Ways({HOST: Permit(None, "loopback"), "::1": Permit(None, "loopback")}, Patience(2.0, 3), self.ca)
        done = []
        try:
            for each in asked:  # one after the other: what the first leaves in a cache, the next may find
                endpoint = {"same": tested, **others}[each.ask.to].endpoint(each.ask.transport, each.ask.ipv6)
                came = (await ways.ask(endpoint, each.ask.wire)).last if endpoint else None
                done.append(Tried(each.vector, each.name, each.number, each.ask, came))
        finally:
            await ways.close()
        return done


@dataclass(frozen=True)
class Tried:
    """One ask, and what came of it; None: nobody could be asked."""

    vector: Vector
    name: Name
    number: int
    ask: Ask
    came: Try | None

    @property
    def summary(self) -> str:
        """`RCODE`, the answer's records without their owners, `|` and the types of the other sections, `EDE` and codes; or why nothing came."""
        if self.came is None:
            return "nobody to ask"
        if self.came.failure:
            return self.came.failure
        message = dns.message.from_wire(self.came.answer)
        parts = [dns.rcode.to_text(message.rcode()), *sorted({_shown(rrset, rdata) for rrset in message.answer for rdata in rrset})]
        beside = sorted({dns.rdatatype.to_text(rrset.rdtype) for section in (message.authority, message.additional) for rrset in section})
        codes = sorted(int(option.code) for option in message.options if isinstance(option, dns.edns.EDEOption))
        return " ".join([*parts, *(["|", *beside] if beside else []), *(["EDE", *map(str, codes)] if codes else [])])

    @property
    def target(self) -> list[str]:
        """What there is of the target's in the answer, in any section, beside the SOA record of one without data."""
        if self.came is None or self.came.failure:
            return []
        message = dns.message.from_wire(self.came.answer)
        beside = [rrset for rrset in message.authority if rrset.rdtype != dns.rdatatype.SOA]
        found = [rdata.to_text() for section in (message.answer, beside, message.additional) for rrset in section for rdata in rrset]
        return [text for text in found if any(mark in text for mark in ("198.51.100.", "2001:db8:51:", "target"))]


def _shown(rrset: dns.rrset.RRset, rdata: dns.rdata.Rdata) -> str:
    type = dns.rdatatype.to_text(rrset.rdtype)
    return type if type in ("RRSIG", "DNSKEY", "DS", "SOA") else f"{type} {rdata.to_text()}"


def _signed(records: str) -> tuple[str, str]:
    """A zone with signatures, and its DS record."""
    zone = dns.zone.from_text(f"$ORIGIN {BLOCKED}\n{records}", BLOCKED, relativize=False)
    key = ec.generate_private_key(ec.SECP256R1())
    public = dns.dnssec.make_dnskey(key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
    now = datetime.datetime.now(datetime.UTC)
    dns.dnssec.sign_zone(zone, keys=[(key, public)], inception=now - datetime.timedelta(hours=1), lifetime=86400 * 2, add_dnskey=True)
    return zone.to_text(relativize=False), f"blocked 300 IN DS {dns.dnssec.make_ds(BLOCKED, public, 'SHA256').to_text()}\n"


@contextmanager
def world(directory: Path) -> Iterator[World]:
    """The world, while it lasts."""
    directory.mkdir(parents=True, exist_ok=True)
    target, ds = _signed(_TARGET)
    ours = "\n".join(aliases.records(ADDRESSES.items()))
    zones = {".": _SOA + _ROOT, "example.": _SOA + _EXAMPLE + ds, "blocked.example.": target, f"{aliases.ZONE}": f"{_SOA}{ours}\n"}
    port, *ports = free_ports(7)
    ca = directory / "ca.pem"
    trusted = Authority()
    ca.write_bytes(trusted.pem)
    chain, key = trusted.issue([CALLED], directory)
    leaks = "".join(f'  local-zone: "{name}" typetransparent\n  local-data: "{name} A {PAGE}"\n' for name in (BLOCKED, IDN, ONLY, MOVED))
    commands = {
        "nsd": _nsd(directory / "nsd", port, zones),
        "control": _unbound(directory / "control", ports[:3], port, chain, key),
        "leaky": _unbound(directory / "leaky", ports[3:], port, chain, key, leaks),
    }
    authority = Resolver("authority", "other", (Endpoint("udp", HOST, port), Endpoint("tcp", HOST, port)))
    control, leaky = _resolver("control", "control", ports[:3]), _resolver("leaky", "tested", ports[3:])
    with ExitStack() as running:
        for called, command in commands.items():
            running.enter_context(_program(command, directory / f"{called}.log"))
        for each in (authority, control, leaky):
            wait_for(lambda each=each: _up(each), f"{each.id}'s answer")  # type: ignore[misc]
        yield World(authority, control, leaky, ca)


def _resolver(id: str, role: Role, ports: Sequence[int]) -> Resolver:
    plain, tls, https = ports
    ways = (Endpoint("udp", HOST, plain), Endpoint("tcp", HOST, plain), Endpoint("dot", HOST, tls, CALLED), Endpoint("doh", HOST, https, CALLED))
    return Resolver(id, role, ways)


def _up(resolver: Resolver) -> bool:
    try:
        question = dns.message.make_query("free.example.", "A")
        return dns.query.udp(question, HOST, 0.2, resolver.endpoints[0].port).rcode() == 0
    except (OSError, dns.exception.DNSException):
        return False


def _nsd(directory: Path, port: int, zones: Mapping[str, str]) -> list[str]:
    directory.mkdir()
    text = (
        f'server:\n  ip-address: {HOST}@{port}\n  server-count: 1\n  username: ""\n  zonesdir: "{directory}"\n  database: ""\n'
        f'  pidfile: "{directory}/pid"\n  xfrdfile: "{directory}/xfrd"\n  zonelistfile: "{directory}/zones"\n  rrl-ratelimit: 0\n'
        "remote-control:\n  control-enable: no\n"
    )
    for zone, records in zones.items():
        file = f"zone-{zone.rstrip('.') or 'root'}"
        (directory / file).write_text(f"$ORIGIN {zone}\n{records}")
        text += f"zone:\n  name: {zone}\n  zonefile: {file}\n"
    (directory / "nsd.conf").write_text(text)
    return [require("nsd"), "-d", "-c", str(directory / "nsd.conf")]


def _unbound(directory: Path, ports: Sequence[int], forward: int, chain: Path, key: Path, more: str = "") -> list[str]:
    directory.mkdir()
    interfaces = "".join(f"  interface: {HOST}@{port}\n" for port in ports)
    (directory / "unbound.conf").write_text(
        f'server:\n{interfaces}  tls-port: {ports[1]}\n  https-port: {ports[2]}\n  tls-service-key: "{key}"\n  tls-service-pem: "{chain}"\n'
        f'  do-daemonize: no\n  username: ""\n  chroot: ""\n  directory: "{directory}"\n  pidfile: ""\n  use-syslog: no\n'
        f'  module-config: "iterator"\n  do-not-query-localhost: no\n  do-ip6: no\n{more}'
        f"remote-control:\n  control-enable: no\nforward-zone:\n  name: .\n  forward-addr: {HOST}@{forward}\n"
    )
    return [require("unbound"), "-d", "-c", str(directory / "unbound.conf")]


@contextmanager
def _program(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)
