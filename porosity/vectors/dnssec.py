"""Signatures: a resolver cannot sign for a name that is another's, so that a block of a signed name is told apart, and signatures are data, too."""

from __future__ import annotations

from porosity.vectors.asking import asking
from porosity.words import Vector

VECTORS = [
    Vector(
        id="dnssec-bogus",
        family="dnssec",
        sends="The name, type A, with DO set, as a validating stub does.",
        leak="A block without signatures for a name whose controls give them: the stub takes it for forged, shows no page, and may ask elsewhere.",
        source="RFC 4035, section 5.5; RFC 8914, section 4.7",
        asks=asking(want_dnssec=True),
        kind="signal",
    ),
    *(
        Vector(
            id=f"dnssec-{type.lower()}",
            family="dnssec",
            sends=f"The name, type {type}, with DO set.",
            leak=leak,
            source=source,
            asks=asking(type, want_dnssec=True),
        )
        for type, leak, source in (
            ("DS", "The digests of the target's keys: the zone is there, and signed.", "RFC 4034, section 5"),
            ("DNSKEY", "The target's keys.", "RFC 4034, section 2"),
            ("RRSIG", "The target's signatures, which say what types it has.", "RFC 4034, section 3"),
            ("NSEC", "The target's denials, which say what types it has.", "RFC 4034, section 4"),
        )
    ),
]
