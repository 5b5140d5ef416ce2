"""Resolvers as people write them: `ID=ENDPOINT,ENDPOINT…`. The reverse of `str(Endpoint)`; nothing is looked up and nothing repaired.

192.0.2.1  [2001:db8::1]:5353      UDP and TCP, port 53 unless given
udp://192.0.2.1  tcp://192.0.2.1   one of them
tls://192.0.2.1:853#dns.example    DNS over TLS, with the name its certificate has
https://192.0.2.1:443/dns-query#dns.example
quic://192.0.2.1:853#dns.example
"""

from __future__ import annotations

from porosity.words import Resolver, Role


def parse(text: str, role: Role) -> Resolver:
    """A resolver. Without `ID=`, its id is its first address. Raises BadPlan."""
    raise NotImplementedError
