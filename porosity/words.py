"""The words of a measurement: what is asked of whom, and what came of it. Plain values; nothing here sends, decides or writes.

A *study* measures *names* by *vectors* at *resolvers*, from one *vantage* or several. A *vector* is one way round a block; it is tried by one or more
*asks*, each one message to one *endpoint*. A *trial* is one vector tried on one name at one resolver, once. What came of an ask is an *observation*;
what we make of a trial beside its controls is a *verdict*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import dns.message
import dns.name

Transport = Literal["udp", "tcp", "dot", "doh", "doq"]
TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp", "dot", "doh", "doq")
"""Plain (RFC 1035, RFC 7766), over TLS (RFC 7858), over HTTPS (RFC 8484), over QUIC (RFC 9250)."""

Role = Literal["tested", "control", "secondary", "other"]
"""Of a resolver in a study: tested; a control that does not block; another that the tested one's clients are given beside it (failover); one that
they can reach though nobody gave it to them (other resolvers)."""

Group = Literal["listed", "below", "canary", "neighbour"]
"""Of a name: ordered blocked; below an order of a subtree; listed nowhere and answered by all, so that one that is down or lies is noticed; or
unlisted and close to a listed one (parent, sibling, look-alike): its block is over-blocking."""

Family = Literal[
    "record type", "spelling", "name", "edns and flags", "transport", "failover", "time", "dnssec", "upgrade", "other resolvers", "namespace"
]  # fmt: skip

State = Literal["blocked", "down", "ok", "insufficient"]
"""Of a trial: the name was kept from who asked; the resolver or its way did not work; the target was reached; or we do not know, and do not guess."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one transport of a resolver is reached."""

    transport: Transport
    address: str
    """IPv4 or IPv6, without brackets."""
    port: int
    server_name: str = ""
    """The name its certificate has, for dot, doh and doq; empty: the address."""
    path: str = "/dns-query"
    """Of doh."""

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        scheme = {"udp": "", "tcp": "tcp://", "dot": "tls://", "doh": "https://", "doq": "quic://"}[self.transport]
        tail = (self.path if self.transport == "doh" else "") + (f"#{self.server_name}" if self.server_name else "")
        return f"{scheme}{host}:{self.port}{tail}"


@dataclass(frozen=True, slots=True)
class Resolver:
    """A resolver in a study."""

    id: str
    role: Role
    endpoints: tuple[Endpoint, ...]
    """At least one; the first of a transport is the one used."""

    def endpoint(self, transport: Transport, ipv6: bool = False) -> Endpoint | None:
        """Where it is reached so; None when it is not."""
        return next((each for each in self.endpoints if each.transport == transport and (":" in each.address) == ipv6), None)


@dataclass(frozen=True, slots=True)
class Name:
    """A name to measure."""

    name: dns.name.Name
    """Absolute, lower case."""
    group: Group
    domain: str = ""
    """Its registrable domain, by which trials are clustered."""
    list: str = ""
    """Id of the list or authority that names it; of a neighbour, that of what it is close to; empty for canaries."""
    directive: str = ""
    """Public id of the order that covers it, if known; of a neighbour, of the order that it is close to."""
    match: Literal["exact", "subtree", ""] = ""
    in_force: bool = True
    """Whether the order is in force while it is measured, by the list's own word."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One message of a trial, ready but for its ID."""

    wire: bytes
    """The message with ID 0. The sender puts in a random one, and writes down what went out."""
    transport: Transport = "udp"
    ipv6: bool = False
    to: Literal["same", "secondary", "other"] = "same"
    """The resolver of the trial; or, for failover and other resolvers, the study's resolvers of that role."""
    after: float = 0.0
    """Seconds to wait after the ask before it was answered, for vectors of time."""


@dataclass(frozen=True, slots=True)
class Vector:
    """One way round a block: a small declared thing. A researcher's own stands in a file of theirs, as `VECTORS = [Vector(…), …]`."""

    id: str
    """Stable: lower case letters, digits and hyphens, such as `type-https`. It is never given to something else."""
    family: Family
    sends: str
    """What it sends, in one sentence."""
    leak: str
    """What a leak is, in one sentence."""
    source: str
    """Where it comes from: an RFC's section, a paper, an issue of a resolver."""
    asks: Callable[[Name, Random], Sequence[Ask]] = field(repr=False)
    """The messages for a name; random parts (a subdomain, letter case) only from the given source, so that a plan can be repeated."""
    kind: Literal["data", "signal"] = "data"
    """`data`: a leak is the target's data, as controls see it. `signal`: what comes tells a client to go round the resolver, or does not."""
    needs: frozenset[str] = frozenset()
    """What a study must have for it: transports (`dot`), `ipv6`, roles (`secondary`, `other`), `zone` (the names' authoritative servers are ours),
    `clock` (orders are put in force and withdrawn by the study itself). With `canary` it is tried on canaries alone: what it asks has nothing to do
    with the name, and need not be asked for each.
    """


Failure = Literal[
    "", "timeout", "refused", "unreachable", "reset", "closed", "tls", "http", "malformed", "mismatch", "not sent"
]  # fmt: skip
"""Why an ask has no answer; empty: it has. `refused`, `unreachable`, `reset` and `closed` are the connection's; `http` a status other than 200;
`malformed` octets that are no message; `mismatch` only answers to something else; `not sent` nobody could be asked (an endpoint that is missing)."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of one ask: a row of the observations."""

    trial: int
    """The trial's number in the plan: the same wherever and whenever it runs."""
    ask: int
    """Which of its asks, from 0."""
    resolver: str
    name: str
    """Presentation form without the last dot."""
    vector: str
    repeat: int
    endpoint: str
    """As `str(Endpoint)`."""
    sent_at: int
    """Microseconds since 1970, UTC, of the first try."""
    took: int
    """Microseconds from the last try's sending to the answer, or to giving up, taken at the socket."""
    tries: int
    failure: Failure
    query: bytes
    """As it went out."""
    answer: bytes
    """As it came in; empty when none did."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we make of a trial."""

    trial: int
    rule: str
    """Stable id of the rule that decided, such as `R07`."""
    state: State
    evidence: str
    """What it rests on, as JSON: trials and asks looked at, and the values compared."""
    landing: bool | None = None
    """Whether a blocked answer led to the page; None where it could not."""
    ede: bool | None = None
    """Whether it said why, rightly (RFC 8914, INFO-CODE 15, 16 or 17 and none that contradicts); None when the question had no OPT record."""


def message(name: dns.name.Name, type: str = "A", **how: object) -> bytes:
    """A usual question with ID 0: recursion desired, EDNS with 1232 octets, as stubs send it. `how`: as `dns.message.make_query`."""
    asked = dns.message.make_query(name, type, **{"use_edns": 0, "payload": 1232, "id": 0, **how})  # type: ignore[arg-type]
    return asked.to_wire()
