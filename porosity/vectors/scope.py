"""Whether an order covers the name that a message asks for: only then is an answer with the target's data a leak of the resolver."""

from __future__ import annotations

import dns.exception
import dns.name

from porosity.words import Name

_HEADER = 12


def covered(name: Name, query: bytes) -> bool | None:
    """Whether the order that lists the name covers every name asked for in the message; None where that cannot be read, or nothing is asked.

    The root, which stands beside the name in `spelling-two-questions`, does not count. Above the name, all depends on the order's own name: where
    only the listed one is known, what is above it is not covered..
    """
    if name.group not in ("listed", "below"):
        return False
    try:
        asked = [each for each in questions(query) if each != dns.name.root]
    except dns.exception.DNSException:
        return None
    if not asked:
        return None
    if name.match == "exact":
        return all(each == name.name for each in asked)
    return all(each.is_subdomain(name.name) for each in asked)


def questions(query: bytes) -> list[dns.name.Name]:
    """The names of a message's question section. Raises DNSException when it cannot be read."""
    found, at = [], _HEADER
    for _ in range(int.from_bytes(query[4:6], "big")):
        name, length = dns.name.from_wire(query, at)
        found.append(name)
        at += length + 4
    return found
