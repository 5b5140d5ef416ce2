"""Resolvers that providers run, each with its configuration from the same orders: as its manual has it, and again as we would change it.

Programs are the distribution's packages. Every peer asks the same upstream, validates nothing (the lab's names hang from no signed root) and serves
whatever transports it can; a configuration is text of ours, written for the run and kept with its record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from porosity.matrix import forms
from porosity.matrix.forms import Orders
from porosity.words import Transport

_NO_HINTS = "RPZ has no trigger for the names and the address hints in HTTPS and SVCB records, so that an alias by them stays open; and this version "
_CACHED = "It follows a CNAME record that is in its cache without its policy: who asks first is kept back, who asks next is not. "
_NO_EDE = _NO_HINTS + "gives no Extended DNS Error for a policy's answer."

EVERY: tuple[Transport, ...] = ("udp", "tcp", "dot", "doh")
PLAIN: tuple[Transport, ...] = ("udp", "tcp")


@dataclass(frozen=True)
class Setup:
    """What a peer is told."""

    directory: Path
    address: str
    ports: dict[Transport, int]
    upstream: tuple[str, int]
    orders: Orders
    landing: tuple[str, str]
    chain: str
    """File of its certificate; empty: it serves plain transports alone."""
    key: str


@dataclass(frozen=True)
class Peer:
    """One program with one configuration."""

    id: str
    title: str
    command: tuple[str, ...]
    """Its words; `$DIR` is its directory."""
    version: tuple[str, ...]
    files: Callable[[Setup], dict[str, str]]
    """Its files by their names."""
    transports: tuple[Transport, ...] = EVERY
    here: bool = False
    """Whether it listens only at addresses that an interface has: then at 127.0.0.1, and on ports of its own."""
    change: str = ""
    """In words, what is other than in the configuration before it; empty: it is as its manual has it."""
    remains: str = ""
    """What no setting of this version closes."""


def _bind(setup: Setup, policy: str) -> dict[str, str]:
    port, tls, https = (setup.ports[each] for each in ("udp", "dot", "doh"))
    at = setup.address
    text = f"""\
options {{
  directory "{setup.directory}"; pid-file "{setup.directory}/pid"; session-keyfile "{setup.directory}/session.key";
  listen-on port {port} {{ {at}; }}; listen-on port {tls} tls ours {{ {at}; }}; listen-on port {https} tls ours http default {{ {at}; }};
  listen-on-v6 {{ none; }};
  recursion yes; allow-query {{ any; }}; allow-recursion {{ any; }}; dnssec-validation no;
  forward only; forwarders {{ {setup.upstream[0]} port {setup.upstream[1]}; }};
  response-policy {{ zone "rpz"; }} {policy};
}};
tls ours {{ cert-file "{setup.chain}"; key-file "{setup.key}"; }};
zone "rpz" {{ type primary; file "rpz.zone"; }};
controls {{ }};
"""
    return {"named.conf": text, "rpz.zone": forms.policy_zone(setup.orders, setup.landing)}


def _unbound(setup: Setup) -> dict[str, str]:
    port, tls, https = (setup.ports[each] for each in ("udp", "dot", "doh"))
    server = [
        *(f"interface: {setup.address}@{each}" for each in (port, tls, https)),
        f"tls-port: {tls}",
        f"https-port: {https}",
        f'tls-service-pem: "{setup.chain}"',
        f'tls-service-key: "{setup.key}"',
        'do-daemonize: no\n  username: ""\n  chroot: ""\n  pidfile: ""\n  use-syslog: no\n  do-not-query-localhost: no\n  num-threads: 1',
        f'directory: "{setup.directory}"',
        "access-control: 127.0.0.0/8 allow",
        'module-config: "respip iterator"',
    ]
    text = "server:\n" + forms.indented(server) + 'rpz:\n  name: rpz.\n  zonefile: "rpz.zone"\n'
    text += f'forward-zone:\n  name: "."\n  forward-addr: {setup.upstream[0]}@{setup.upstream[1]}\nremote-control:\n  control-enable: no\n'
    return {"unbound.conf": text, "rpz.zone": forms.policy_zone(setup.orders, setup.landing)}


def _powerdns(setup: Setup, options: str) -> dict[str, str]:
    directory = setup.directory
    text = f"""\
local-address={setup.address}
local-port={setup.ports["udp"]}
allow-from=127.0.0.0/8
socket-dir={directory}
setuid=
setgid=
threads=1
forward-zones-recurse=.={setup.upstream[0]}:{setup.upstream[1]}
dnssec=process-no-validate
dont-query=
lua-config-file={directory}/rpz.lua
loglevel=3
security-poll-suffix=
disable-syslog=yes
"""
    lua = f'rpzFile("{directory}/rpz.zone", {{policyName="orders"{options}}})\n'
    return {"recursor.conf": text, "rpz.lua": lua, "rpz.zone": forms.policy_zone(setup.orders, setup.landing)}


def _knot(setup: Setup) -> dict[str, str]:
    at, ports = setup.address, setup.ports
    text = f"""\
net.listen('{at}', {ports["udp"]}, {{ kind = 'dns' }})
net.listen('{at}', {ports["dot"]}, {{ kind = 'tls' }})
net.listen('{at}', {ports["doh"]}, {{ kind = 'doh2' }})
net.tls('{setup.chain}', '{setup.key}')
modules = {{ 'policy' }}
trust_anchors.remove('.')
cache.size = 20*MB
policy.add(policy.rpz(policy.DENY, '{setup.directory}/rpz.zone', true))
policy.add(policy.all(policy.FORWARD({{'{setup.upstream[0]}@{setup.upstream[1]}'}})))
"""
    return {"kresd.conf": text, "rpz.zone": forms.policy_zone(setup.orders, setup.landing)}


def _dnsmasq(setup: Setup, others: bool) -> dict[str, str]:
    text = f"""\
port={setup.ports["udp"]}
listen-address={setup.address}
bind-interfaces
no-resolv
no-hosts
keep-in-foreground
log-facility=-
server={setup.upstream[0]}#{setup.upstream[1]}
"""
    return {"dnsmasq.conf": text + forms.dnsmasq(setup.orders, setup.landing, others)}


def _dnsdist(setup: Setup, others: bool) -> dict[str, str]:
    at, ports, chain, key = setup.address, setup.ports, setup.chain, setup.key
    text = f"""\
setLocal('{at}:{ports["udp"]}')
addTLSLocal('{at}:{ports["dot"]}', '{chain}', '{key}')
addDOHLocal('{at}:{ports["doh"]}', '{chain}', '{key}', '/dns-query')
setACL('127.0.0.0/8')
setSecurityPollSuffix('')
newServer({{address='{setup.upstream[0]}:{setup.upstream[1]}', healthCheckMode='up'}})
getPool(''):setCache(newPacketCache(10000))
"""
    return {"dnsdist.conf": text + forms.dnsdist(setup.orders, setup.landing, others)}


_NAMED = ("named", "-g", "-n", "1", "-c", "$DIR/named.conf")
_RECURSOR = ("pdns_recursor", "--config-dir=$DIR", "--daemon=no")
_MASQ = ("dnsmasq", "--user=", "-C", "$DIR/dnsmasq.conf")
_DIST = ("dnsdist", "--supervised", "--disable-syslog", "-C", "$DIR/dnsdist.conf")

PEERS: tuple[Peer, ...] = (
    Peer("bind", "BIND, RPZ", _NAMED, ("named", "-v"), lambda setup: _bind(setup, ""), here=True, remains=_NO_EDE),
    Peer("unbound", "Unbound, RPZ", ("unbound", "-d", "-c", "$DIR/unbound.conf"), ("unbound", "-V"), _unbound, remains=_CACHED + _NO_EDE),
    Peer(
        "powerdns",
        "PowerDNS Recursor, RPZ",
        _RECURSOR,
        ("pdns_recursor", "--version"),
        lambda setup: _powerdns(setup, ""),
        PLAIN,
        remains=_NO_HINTS + "speaks no DoT and no DoH to clients.",
    ),
    Peer(
        "knot",
        "Knot Resolver, RPZ",
        ("kresd", "-n", "-c", "$DIR/kresd.conf", "$DIR"),
        ("kresd", "--version"),
        _knot,
        remains="Its policy is held against the question's name alone, so that every alias is open: it would have to hold it against their targets.",
    ),
    Peer(
        "dnsmasq",
        "dnsmasq, address",
        _MASQ,
        ("dnsmasq", "--version"),
        lambda setup: _dnsmasq(setup, others=False),
        PLAIN,
        remains="It would have to look into the answers that it passes on, and to have a form for an order of one name and all its types.",
    ),
    Peer(
        "dnsdist",
        "dnsdist, SpoofAction",
        _DIST,
        ("dnsdist", "--version"),
        lambda setup: _dnsdist(setup, others=False),
        remains="SpoofAction answers address questions alone. It would have to look into the answers that it passes on, for aliases.",
    ),
    Peer(
        "bind-changed",
        "BIND, changed",
        _NAMED,
        ("named", "-v"),
        lambda setup: _bind(setup, "break-dnssec yes recursive-only no"),
        here=True,
        change="`break-dnssec yes` (else what is signed passes when asked with the DO bit) and `recursive-only no` (else questions without RD pass)",
    ),
    Peer(
        "powerdns-changed",
        "PowerDNS Recursor, changed",
        _RECURSOR,
        ("pdns_recursor", "--version"),
        lambda setup: _powerdns(setup, ", extendedErrorCode=16"),
        PLAIN,
        change="`extendedErrorCode=16` on the zone, so that the answer says why",
    ),
    Peer(
        "dnsmasq-changed",
        "dnsmasq, changed",
        _MASQ,
        ("dnsmasq", "--version"),
        lambda setup: _dnsmasq(setup, others=True),
        PLAIN,
        change="`local=/NAME/` beside each `address=/NAME/` (else other types are asked upstream) and `cache-size=0` (else an alias brings the"
        " name's own address into the cache, which is asked first)",
    ),
    Peer(
        "dnsdist-changed",
        "dnsdist, changed",
        _DIST,
        ("dnsdist", "--version"),
        lambda setup: _dnsdist(setup, others=True),
        change="a second rule that answers all other types of a listed name with no data",
    ),
)
