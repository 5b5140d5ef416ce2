"""What each peer is told: its configuration files from the orders, one function a program. Pure.

Every peer asks the same upstream, validates nothing (so that a block of a signed name is not called forged) and serves whatever transports it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from porosity.matrix import forms, scripts
from porosity.matrix.forms import Orders
from porosity.words import Transport


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


def bind(setup: Setup, policy: str, options: str = "") -> dict[str, str]:
    """BIND with a response policy zone; `policy`: options behind it; `options`: further ones."""
    port, tls, https = (setup.ports[each] for each in ("udp", "dot", "doh"))
    at = setup.address
    text = f"""\
options {{
  directory "{setup.directory}"; pid-file "{setup.directory}/pid"; session-keyfile "{setup.directory}/session.key";
  listen-on port {port} {{ {at}; }}; listen-on port {tls} tls ours {{ {at}; }}; listen-on port {https} tls ours http default {{ {at}; }};
  listen-on-v6 {{ none; }};
  recursion yes; allow-query {{ any; }}; allow-recursion {{ any; }}; dnssec-validation no;
  forward only; forwarders {{ {setup.upstream[0]} port {setup.upstream[1]}; }};
  response-policy {{ zone "rpz"; }} {policy}; {options}
}};
tls ours {{ cert-file "{setup.chain}"; key-file "{setup.key}"; }};
zone "rpz" {{ type primary; file "rpz.zone"; }};
controls {{ }};
"""
    return {"named.conf": text, "rpz.zone": forms.policy_zone(setup.orders, setup.landing)}


def unbound(setup: Setup, more: Sequence[str]) -> dict[str, str]:
    """Unbound with a response policy zone; `more`: further lines of its `server` clause."""
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
        'module-config: "respip validator iterator"',
        *more,
    ]
    text = "server:\n" + forms.indented(server) + 'rpz:\n  name: rpz.\n  zonefile: "rpz.zone"\n'
    text += f'forward-zone:\n  name: "."\n  forward-addr: {setup.upstream[0]}@{setup.upstream[1]}\nremote-control:\n  control-enable: no\n'
    return {"unbound.conf": text, "rpz.zone": forms.policy_zone(setup.orders, setup.landing)}


def powerdns(setup: Setup, options: str, script: bool) -> dict[str, str]:
    """PowerDNS Recursor with a response policy zone; `options`: of the zone, in Lua. `script`: also one that looks into service bindings."""
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
    files = {"rpz.lua": lua, "rpz.zone": forms.policy_zone(setup.orders, setup.landing)}
    if script:
        text += f"lua-dns-script={directory}/orders.lua\n"
        files["orders.lua"] = scripts.powerdns(setup.orders)
    return {"recursor.conf": text, **files}


def knot(setup: Setup, script: bool) -> dict[str, str]:
    """Knot Resolver with a response policy zone. `script`: also a rule of ours that looks into answers."""
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
{scripts.knot(setup.orders) if script else ""}"""
    return {"kresd.conf": text, "rpz.zone": forms.policy_zone(setup.orders, setup.landing)}


def dnsmasq(setup: Setup, best: bool) -> dict[str, str]:
    """dnsmasq; `best`: as `forms.dnsmasq`."""
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
    return {"dnsmasq.conf": text + forms.dnsmasq(setup.orders, setup.landing, best)}


def dnsdist(setup: Setup, best: bool) -> dict[str, str]:
    """dnsdist; `best`: as `forms.dnsdist`."""
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
    return {"dnsdist.conf": text + forms.dnsdist(setup.orders, setup.landing, best)}
