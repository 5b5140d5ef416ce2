"""The ways to the same resolver: each is a listener of its own, which may have been given no list."""

from __future__ import annotations

from porosity.vectors.asking import Asks, question
from porosity.words import TRANSPORTS, Ask, Transport, Vector

CALLED: dict[Transport, tuple[str, str]] = {
    "udp": ("UDP", "RFC 1035, section 4.2.1"),
    "tcp": ("TCP", "RFC 7766"),
    "dot": ("TLS", "RFC 7858"),
    "doh": ("HTTPS", "RFC 8484"),
    "doq": ("QUIC", "RFC 9250"),
}


def _by(transport: Transport, ipv6: bool) -> Asks:
    return lambda name, random: [Ask(question(name.name), transport, ipv6)]


def _vector(transport: Transport, ipv6: bool) -> Vector:
    called, source = CALLED[transport]
    return Vector(
        id=f"transport-{transport}" + ("-ipv6" if ipv6 else ""),
        family="transport",
        sends=f"The name, type A, by {called} over {'IPv6' if ipv6 else 'IPv4'}.",
        leak="The target's addresses.",
        source=source + ("; RFC 8200" if ipv6 else ""),
        asks=_by(transport, ipv6),
        needs=frozenset({transport, "ipv6"} if ipv6 else {transport}),
    )


VECTORS = [_vector(transport, ipv6) for ipv6 in (False, True) for transport in TRANSPORTS]
