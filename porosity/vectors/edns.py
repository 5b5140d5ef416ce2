"""Flags and EDNS: nothing in a question but its name, type and class may change what is blocked."""

from __future__ import annotations

from random import Random

import dns.edns
import dns.flags

from porosity.vectors.asking import Asks, asking
from porosity.words import Ask, Name, Vector, message

_RD = int(dns.flags.RD)
_LOCAL_USE = dns.edns.OptionType.make(65001)


def _option(make: object) -> Asks:
    return lambda name, random: [Ask(message(name.name, options=[make(random)]))]  # type: ignore[operator]


def _not_desired(name: Name, random: Random) -> list[Ask]:
    # The first is answered from afar, so that those who answer only from their cache have something to answer the second with.
    return [Ask(message(name.name)), Ask(message(name.name, flags=0))]


def _vector(id: str, sends: str, source: str, asks: Asks) -> Vector:
    return Vector(id=id, family="edns and flags", sends=f"{sends}, type A.", leak="The target's addresses.", source=source, asks=asks)


VECTORS = [
    _vector("edns-do", "The name with DO set", "RFC 3225; RFC 4035, section 3.2.1", asking(want_dnssec=True)),
    _vector("flag-cd", "The name with CD set", "RFC 4035, section 3.2.2", asking(flags=_RD | dns.flags.CD)),
    _vector("flag-ad", "The name with AD set", "RFC 6840, section 5.7", asking(flags=_RD | dns.flags.AD)),
    _vector("flag-no-rd", "The name with RD set, and then with RD clear", "RFC 1035, section 4.1.1", _not_desired),
    _vector(
        "edns-ecs",
        "The name with a client subnet (198.51.100.0/24)",
        "RFC 7871",
        _option(lambda random: dns.edns.ECSOption("198.51.100.0", 24)),
    ),
    _vector(
        "edns-cookie",
        "The name with a client cookie",
        "RFC 7873, section 5.1",
        _option(lambda random: dns.edns.CookieOption(random.randbytes(8), b"")),
    ),
    _vector(
        "edns-unknown",
        "The name with an option of local use (65001) and 12 random octets in it",
        "RFC 6891, section 6.1.2",
        _option(lambda random: dns.edns.GenericOption(_LOCAL_USE, random.randbytes(12))),
    ),
    _vector(
        "edns-structured",
        "The name with an Extended DNS Error option of code 0 and no text, by which browsers say that they read structured errors",
        "draft-ietf-dnsop-structured-dns-error; Chromium",
        asking(options=[dns.edns.EDEOption(dns.edns.EDECode.OTHER)]),
    ),
    _vector("edns-version-1", "The name with EDNS version 1", "RFC 6891, section 6.1.3", asking(use_edns=1)),
    _vector("edns-none", "The name without EDNS", "RFC 1035, section 4.1", asking(use_edns=False, payload=None)),
    _vector("edns-tiny", "The name with a payload of 0 octets, which means 512", "RFC 6891, section 6.2.3", asking(payload=0)),
    _vector("edns-huge", "The name with a payload of 65,535 octets", "RFC 6891, section 6.2.5", asking(payload=65535)),
]
