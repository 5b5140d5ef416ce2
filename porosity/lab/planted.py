"""Leaks that can be planted in a scripted resolver: each one small way in which real blockers were seen to fail, and the vectors that it opens.

What a leak opens is said here by hand, and held by a test against what the resolver in fact does. It is the truth that a scenario implies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdatatype

from porosity.words import Transport

Reach = Literal["self", "below", "alias", ""]
"""How an order reaches what is asked: it is the ordered name; it is below it; an alias leads there; not at all."""

A, AAAA, HTTPS = dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.HTTPS

SIGNALS = tuple(map(dns.name.from_text, ("use-application-dns.net.", "mask.icloud.com.", "mask-h2.icloud.com.", "_dns.resolver.arpa.")))
"""Names that a network says by whether clients may go round its resolver."""


@dataclass(frozen=True)
class Question:
    """A question, as a resolver that blocks looks at it."""

    message: dns.message.Message
    transport: Transport
    reach: Reach
    age: float
    """Seconds since the order began."""

    @property
    def name(self) -> dns.name.Name:
        """As it came, letters and all."""
        return self.message.question[0].name

    @property
    def type(self) -> dns.rdatatype.RdataType:
        """What type is asked for."""
        return self.message.question[0].rdtype

    def has(self, option: dns.edns.OptionType) -> bool:
        """Whether it came with this EDNS option."""
        return any(each.otype == option for each in self.message.options)


@dataclass(frozen=True)
class Leak:
    """One way of failing."""

    id: str
    about: str
    passes: Callable[[Question], bool] = field(repr=False)
    """Whether the block looks the other way."""
    opens: tuple[str, ...]
    """Ids of vectors that leak then, where a study has them; those of other leaks may overlap."""
    below: bool = False
    """Whether `opens` holds only for orders that cover what is below their name."""


def _upper(question: Question) -> bool:
    return question.name != question.name.canonicalize() or any(each != each.lower() for each in question.name.labels)


_ALIASED = ("name-cname", "name-dname", "name-svcb-service")

LEAKS: dict[str, Leak] = {
    each.id: each
    for each in (
        Leak(
            "type-65",
            "HTTPS records pass, with addresses in their hints.",
            lambda asked: asked.type == HTTPS,
            ("type-https", "name-port", "name-svcb-service"),
        ),
        Leak("aaaa", "IPv6 addresses pass.", lambda asked: asked.type == AAAA, ("type-aaaa",)),
        Leak(
            "other-types",
            "Only addresses are blocked.",
            lambda asked: asked.type not in (A, AAAA),
            (
                "type-https",
                "type-svcb",
                "type-mx",
                "type-ns",
                "type-txt",
                "type-soa",
                "type-srv",
                "type-ptr",
                "type-any",
                "name-port",
                "name-svcb-service",
                "dnssec-dnskey",
                "dnssec-ds",
                "dnssec-nsec",
            ),
        ),
        Leak(
            "subdomains",
            "Only the ordered name is blocked, and not what is below it.",
            lambda asked: asked.reach == "below",
            ("name-www", "name-random", "name-port", "spelling-longest"),
            below=True,
        ),
        Leak(
            "tcp", "TCP is answered by a listener without the list.", lambda asked: asked.transport == "tcp", ("transport-tcp", "transport-tcp-ipv6")
        ),
        Leak(
            "dot", "TLS is answered by a listener without the list.", lambda asked: asked.transport == "dot", ("transport-dot", "transport-dot-ipv6")
        ),
        Leak(
            "doq", "QUIC is answered by a listener without the list.", lambda asked: asked.transport == "doq", ("transport-doq", "transport-doq-ipv6")
        ),
        Leak("cname-cloak", "Only the name asked for is judged, and not where it leads.", lambda asked: asked.reach == "alias", _ALIASED),
        Leak(
            "cd-flag",
            "A question with CD set goes round the block.",
            lambda asked: bool(asked.message.flags & dns.flags.CD),
            ("flag-cd",),
        ),
        Leak(
            "cookie",
            "A question with a cookie goes round the block.",
            lambda asked: asked.has(dns.edns.OptionType.COOKIE),
            ("edns-cookie",),
        ),
        Leak(
            "client-subnet",
            "A question with a client subnet goes round the block.",
            lambda asked: asked.has(dns.edns.OptionType.ECS),
            ("edns-ecs",),
        ),
        Leak("no-edns", "A question without EDNS goes round the block.", lambda asked: asked.message.edns < 0, ("edns-none", "spelling-compressed")),
        Leak("letter-case", "Names are compared as they are written.", _upper, ("spelling-case",)),
        Leak(
            "stale-cache",
            "What was in the cache when the order began stays there for its time to live.",
            lambda asked: asked.reach == "self" and asked.age < STALE_SECONDS,
            ("time-cached", "time-prefetch", "time-stale", "lab-cached"),
        ),
        Leak(
            "doh-upgrade",
            "The network's signals against going round it are missing.",
            lambda asked: False,
            ("upgrade-canary", "upgrade-private-relay"),
        ),
    )
}

STALE_SECONDS = 3.0
"""How long the scripted cache holds what it had."""


def passing(leaks: tuple[str, ...], question: Question) -> str:
    """The first of these leaks that lets the question through; empty: none does."""
    return next((each for each in leaks if LEAKS[each].passes(question)), "")
