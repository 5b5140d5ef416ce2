"""Resolvers that providers run, each in up to three configurations: the best that its manual gives, the plain one, and with a program of ours in it.

Programs are the distribution's packages. A way that is open has a reason, which stands here: a peer that could close it by a setting is not
configured at its best, and that would be a fault of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from porosity.matrix import configurations
from porosity.matrix.configurations import Setup
from porosity.words import Transport

EVERY: tuple[Transport, ...] = ("udp", "tcp", "dot", "doh")
PLAIN: tuple[Transport, ...] = ("udp", "tcp")

Form = Literal["best", "plain", "script"]
"""The best that a peer's manual gives; what one gets who stops at its manual's first example; and the best with a program of ours in it."""


@dataclass(frozen=True)
class Peer:
    """One program with one configuration."""

    id: str
    title: str
    form: Form
    command: tuple[str, ...]
    """Its words; `$DIR` is its directory."""
    version: tuple[str, ...]
    files: Callable[[Setup], dict[str, str]]
    """Its files by their names."""
    transports: tuple[Transport, ...] = EVERY
    here: bool = False
    """Whether it listens only at addresses that an interface has: then at 127.0.0.1, and on ports of its own."""
    told: str = ""
    """In words, the settings beside the list that are other than as delivered, each with its reason."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why ways are open, by vector; one that ends in `-` is for all vectors that begin so."""
    remark: str = ""
    """What else is to be said of it."""

    def reason(self, vector: str) -> str:
        """Why this way is open there; empty: nobody wrote it down."""
        return next((why for key, why in self.reasons.items() if vector == key or (key.endswith("-") and vector.startswith(key))), "")


_NAMED = ("named", "-g", "-n", "1", "-c", "$DIR/named.conf")
_UNBOUND = ("unbound", "-d", "-c", "$DIR/unbound.conf")
_RECURSOR = ("pdns_recursor", "--config-dir=$DIR", "--daemon=no")
_KRESD = ("kresd", "-n", "-c", "$DIR/kresd.conf", "$DIR")
_MASQ = ("dnsmasq", "--user=", "-C", "$DIR/dnsmasq.conf")
_DIST = ("dnsdist", "--supervised", "--disable-syslog", "-C", "$DIR/dnsdist.conf")

_HINTS = (
    "A policy zone has triggers for names asked for, names in CNAME and DNAME chains, addresses of A and AAAA records, and name servers; none for"
    " the name and the address hints in an HTTPS or SVCB record."
)
_CACHED = "It follows a CNAME record that is in its cache without its policy (Unbound issue 954): who asks first is kept back, who asks next is not."
_QNAME = "Its policy is held against the question's name alone, as its manual says, and not again where an alias leads."
_BLIND = "It holds its rules against questions, and looks at no name in an answer."
_ALIASES = ("name-cname", "name-dname", "name-svcb-service")

PEERS: tuple[Peer, ...] = (
    Peer(
        "bind",
        "BIND, RPZ",
        "best",
        _NAMED,
        ("named", "-v"),
        lambda setup: configurations.bind(setup, "break-dnssec yes recursive-only no", "minimal-responses yes;"),
        here=True,
        told="`break-dnssec yes` (else what is signed passes when asked with the DO bit), `recursive-only no` (else questions without RD pass) and"
        " `minimal-responses yes` (else the target's own addresses come beside an HTTPS record in alias mode, past the policy)",
        reasons={"name-svcb-service": _HINTS},
        remark="This version has no Extended DNS Error for a policy's answer.",
    ),
    Peer(
        "unbound",
        "Unbound, RPZ",
        "best",
        _UNBOUND,
        ("unbound", "-V"),
        lambda setup: configurations.unbound(setup, ["ede: yes", "cache-max-ttl: 0", "rrset-cache-size: 0", "msg-cache-size: 0"]),
        told="`cache-max-ttl: 0`, `rrset-cache-size: 0` and `msg-cache-size: 0`, at the price of the cache (else it follows a CNAME record that is in"
        " its cache without its policy: who asks first is kept back, who asks next is not; Unbound issue 954, closed since), `ede: yes`",
        reasons={"name-svcb-service": _HINTS},
        remark="This version says nothing (EDE) of a policy's own records.",
    ),
    Peer(
        "powerdns",
        "PowerDNS Recursor, RPZ",
        "best",
        _RECURSOR,
        ("pdns_recursor", "--version"),
        lambda setup: configurations.powerdns(setup, ", extendedErrorCode=16", script=False),
        PLAIN,
        told="`extendedErrorCode=16` on the zone, so that the answer says why",
        reasons={"name-svcb-service": _HINTS},
        remark="It speaks no DoT and no DoH to clients; its makers put dnsdist before it.",
    ),
    Peer(
        "knot",
        "Knot Resolver, RPZ",
        "best",
        _KRESD,
        ("kresd", "--version"),
        lambda setup: configurations.knot(setup, script=False),
        reasons=dict.fromkeys(_ALIASES, _QNAME),
        remark="It says Forged Answer (4) of a policy's answer, which is true, and tells nobody that it is a block.",
    ),
    Peer(
        "dnsmasq",
        "dnsmasq, address",
        "best",
        _MASQ,
        ("dnsmasq", "--version"),
        lambda setup: configurations.dnsmasq(setup, best=True),
        PLAIN,
        told="`local=/NAME/` beside each `address=/NAME/` (else other types are asked upstream), `server=/*.NAME/#` for an order of one name (else"
        " what is below it is blocked, too), and `cache-size=0` (else an alias brings the name's own address into the cache, which is asked first)",
        reasons=dict.fromkeys(_ALIASES, _BLIND),
        remark="It has no Extended DNS Error of its own, and neither DoT nor DoH.",
    ),
    Peer(
        "dnsdist",
        "dnsdist, SpoofAction",
        "best",
        _DIST,
        ("dnsdist", "--version"),
        lambda setup: configurations.dnsdist(setup, best=True),
        told="a second rule that answers all other types of a listed name with no data, since SpoofAction answers address questions alone",
        reasons=dict.fromkeys(_ALIASES, _BLIND),
        remark="It is a front for resolvers: one behind it that blocks closes what that one closes.",
    ),
    Peer(
        "bind-plain",
        "BIND, plain",
        "plain",
        _NAMED,
        ("named", "-v"),
        lambda setup: configurations.bind(setup, ""),
        here=True,
        told="the policy zone alone",
    ),
    Peer(
        "unbound-plain",
        "Unbound, plain",
        "plain",
        _UNBOUND,
        ("unbound", "-V"),
        lambda setup: configurations.unbound(setup, ()),
        told="the policy zone alone",
        reasons={"name-svcb-service": _HINTS, "name-": _CACHED},
    ),
    Peer(
        "dnsmasq-plain",
        "dnsmasq, plain",
        "plain",
        _MASQ,
        ("dnsmasq", "--version"),
        lambda setup: configurations.dnsmasq(setup, best=False),
        PLAIN,
        told="`address=/NAME/` alone, and `host-record` for an order of one name",
    ),
    Peer(
        "dnsdist-plain",
        "dnsdist, plain",
        "plain",
        _DIST,
        ("dnsdist", "--version"),
        lambda setup: configurations.dnsdist(setup, best=False),
        told="SpoofAction alone",
    ),
    Peer(
        "powerdns-script",
        "PowerDNS Recursor, script",
        "script",
        _RECURSOR,
        ("pdns_recursor", "--version"),
        lambda setup: configurations.powerdns(setup, ", extendedErrorCode=16", script=True),
        PLAIN,
        told="a script of some lines of Lua (`postresolve`) that looks into HTTPS and SVCB records for names that an order covers",
    ),
    Peer(
        "knot-script",
        "Knot Resolver, script",
        "script",
        _KRESD,
        ("kresd", "--version"),
        lambda setup: configurations.knot(setup, script=True),
        told="a rule of some lines of Lua, held against answers, that looks into CNAME, HTTPS and SVCB records for names that an order covers",
    ),
)
