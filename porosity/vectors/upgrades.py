"""Signals by which a client decides to go round the resolver of its network. They are the resolver's answers to names that are in no order, the same
whatever name is measured: they are asked with the canaries alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import dns.name

from porosity.vectors.asking import Asks, question
from porosity.words import Ask, Vector


def _of(names: Sequence[str], types: Sequence[str]) -> Asks:
    asked = [Ask(question(dns.name.from_text(each), type)) for each in names for type in types]
    return lambda name, random: asked


def _signal(id: str, sends: str, leak: str, source: str, asks: Asks) -> Vector:
    return Vector(id=f"upgrade-{id}", family="upgrade", sends=sends, leak=leak, source=source, asks=asks, kind="signal", needs=frozenset({"canary"}))


VECTORS = [
    _signal(
        "canary",
        "`use-application-dns.net.`, types A and AAAA, as Firefox does before it turns to DNS over HTTPS by itself.",
        "An address of either: Firefox may turn to a resolver of its maker's choice. NXDOMAIN or no data keeps it here.",
        "Mozilla, Canary domain - use-application-dns.net",
        _of(("use-application-dns.net.",), ("A", "AAAA")),
    ),
    _signal(
        "private-relay",
        "`mask.icloud.com.` and `mask-h2.icloud.com.`, types A and AAAA, as Apple's devices do.",
        "An address: the device sends its questions through Private Relay. NXDOMAIN or no data keeps it here.",
        "Apple, Prepare your network or web server for iCloud Private Relay",
        _of(("mask.icloud.com.", "mask-h2.icloud.com."), ("A", "AAAA")),
    ),
    _signal(
        "ddr",
        "`_dns.resolver.arpa.`, type SVCB, as a client that looks for an encrypted way to its resolver does.",
        "A designated resolver whose addresses are not the resolver's own.",
        "RFC 9462, section 4",
        _of(("_dns.resolver.arpa.",), ("SVCB",)),
    ),
]
