"""Record types and classes beside A: a block that is written for addresses lets the rest pass, and the rest leads to the site as well.

HTTPS and SVCB carry addresses in their hints, MX, NS and SRV in the additional section, and TXT and SOA show that the name is there.
"""

from __future__ import annotations

from porosity.vectors.asking import asking
from porosity.words import Vector


def _type(type: str, leak: str, source: str) -> Vector:
    return Vector(
        id=f"type-{type.lower()}", family="record type", sends=f"The name, type {type}.", leak=leak, source=source, asks=asking(type)
    )  # fmt: skip


VECTORS = [
    _type("A", "The target's IPv4 addresses, in any section.", "RFC 1035, section 3.4.1"),
    _type("AAAA", "The target's IPv6 addresses, in any section.", "RFC 3596, section 2.1"),
    _type("HTTPS", "The target's HTTPS records, or addresses: in their hints, too.", "RFC 9460, section 9; blocky #165, portmaster #2247"),
    _type("SVCB", "The target's SVCB records, or addresses: in their hints, too.", "RFC 9460, section 2"),
    _type("MX", "The target's mail servers, or their addresses in the additional section.", "RFC 1035, section 3.3.9; pi-hole #2010"),
    _type("NS", "The target's name servers, or their addresses in the additional section.", "RFC 1035, section 3.3.11"),
    _type("TXT", "The target's texts.", "RFC 1035, section 3.3.14; pi-hole #2010"),
    _type("SOA", "The target's start of authority: the zone is there, and who runs it.", "RFC 1035, section 3.3.13"),
    _type("SRV", "The target's services, or their addresses in the additional section.", "RFC 2782"),
    _type("CNAME", "The target's canonical name, which can be asked for in its place.", "RFC 1035, section 3.3.1"),
    _type("ANY", "The target's records, of whatever type.", "RFC 8482"),
    _type("PTR", "The target's pointers.", "RFC 1035, section 3.3.12"),
    Vector(
        id="class-ch",
        family="record type",
        sends="The name, type A, class CH.",
        leak="The target's address of class IN, from a server that looks at the class only when it blocks.",
        source="RFC 1035, section 3.2.4",
        asks=asking(rdclass="CH"),
    ),
    Vector(
        id="class-any",
        family="record type",
        sends="The name, type A, class ANY.",
        leak="The target's address.",
        source="RFC 1035, section 3.2.5",
        asks=asking(rdclass="ANY"),
    ),
]
