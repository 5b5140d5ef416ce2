"""A zone of our own that leads to the names of a study by other names: what must be in it, and what its names are called.

Only where the names' authoritative servers are ours, too, is it known what a question for an alias should find. The lab serves it as
`aliases.example`; a researcher serves one under a name of theirs (`porosity.vectors.names.aliased`).
"""

from __future__ import annotations

from collections.abc import Iterable

import dns.name

from porosity.vectors.asking import within

ZONE = dns.name.from_text("aliases.example.")
"""The lab's."""


def alias(kind: str, name: dns.name.Name, zone: dns.name.Name = ZONE) -> dns.name.Name:
    """What leads to the name: `kind` is `cname`, `dname`, `alias` (HTTPS in alias mode) or `service` (HTTPS with addresses)."""
    return within(name, dns.name.Name((kind.encode(), *zone.labels)))


def records(names: Iterable[tuple[dns.name.Name, str]], zone: dns.name.Name = ZONE) -> list[str]:
    """What the zone must hold for these names, each with an IPv4 address of it: lines of a zone file, without TTL, SOA and NS."""
    found = []
    tops: dict[dns.name.Name, None] = {}
    for name, address in names:
        text = name.to_text()
        found += [
            f"{alias('cname', name, zone)} IN CNAME {text}",
            f"{alias('alias', name, zone)} IN HTTPS 0 {text}",
            f"{alias('service', name, zone)} IN HTTPS 1 {text} alpn=h2 ipv4hint={address}",
        ]
        tops[dns.name.Name(name.labels[-2:])] = None
    # One for a top-level domain leads to all names under it, so that none hides another (RFC 6672, section 2.4).
    found += [f"{alias('dname', top, zone)} IN DNAME {top}" for top in tops]
    return found
