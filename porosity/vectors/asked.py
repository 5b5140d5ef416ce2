"""What a message asks for, read back from its octets, whoever wrote them."""

from __future__ import annotations

import dns.name

_HEADER = 12


def questions(query: bytes) -> list[dns.name.Name]:
    """The names of a message's question section. Raises DNSException when it cannot be read."""
    found, at = [], _HEADER
    for _ in range(int.from_bytes(query[4:6], "big")):
        name, length = dns.name.from_wire(query, at)
        found.append(name)
        at += length + 4
    return found
