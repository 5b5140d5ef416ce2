"""Resolvers as people write them: `ID=ENDPOINT,ENDPOINT…`. Nothing is looked up in the DNS, and nothing that is not one is repaired.

    192.0.2.1  [2001:db8::1]:5353             UDP and TCP; port 53 unless given
    udp://192.0.2.1  tcp://192.0.2.1          one of them
    tls://192.0.2.1:853#dns.example           over TLS, and the name its certificate has; without one, the address
    https://192.0.2.1/dns-query#dns.example   over HTTPS; path /dns-query unless given
    quic://192.0.2.1#dns.example              over QUIC

Endpoints are addresses, because who measures a resolver must not ask another one where it is.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace

from blocklists.errors import BadName
from blocklists.names import clip, listed, to_text
from porosity.plan import BadPlan
from porosity.words import Endpoint, Resolver, Role, Transport

_SCHEMES: dict[str, tuple[Transport, int]] = {
    "udp": ("udp", 53), "tcp": ("tcp", 53), "tls": ("dot", 853), "https": ("doh", 443), "quic": ("doq", 853),
}  # fmt: skip
"""With the port where each is usually served (RFC 1035, RFC 7766, RFC 7858, RFC 8484, RFC 9250)."""

_ID = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})=(.*)", re.ASCII | re.DOTALL)
_ENDPOINT = re.compile(
    r"(?:(?P<scheme>[a-z]+)://)?(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+))(?::(?P<port>[0-9]{1,5}))?(?P<path>/[!-\"$-+.-~-]*)?(?:#(?P<name>[!-~]+))?",
    re.ASCII,
)


def parse(text: str, role: Role) -> Resolver:
    """A resolver; without `ID=` its id is how its first endpoint was written. Raises BadPlan, with the text and what to write instead."""
    named = _ID.fullmatch(text)
    endpoints: list[Endpoint] = []
    for each in (named[2] if named else text).split(","):
        found = endpoint(each)
        endpoints += [found, *([] if "://" in each else [replace(found, transport="tcp")])]
    return Resolver(named[1] if named else text.partition(",")[0], role, tuple(dict.fromkeys(endpoints)))


def endpoint(text: str) -> Endpoint:
    """One endpoint, as `str(Endpoint)` writes it; a bare address is that of UDP. Raises BadPlan."""
    match = _ENDPOINT.fullmatch(text)
    scheme = (match["scheme"] or "udp") if match else ""
    if match is None or scheme not in _SCHEMES:
        raise BadPlan(f"{clip(text)} is no endpoint; write an address such as 192.0.2.1, [2001:db8::1]:5353 or tls://192.0.2.1:853#dns.example")
    transport, usual = _SCHEMES[scheme]
    try:
        address = str(ipaddress.IPv6Address(match["six"]) if match["six"] else ipaddress.IPv4Address(match["four"]))
    except ValueError as error:
        raise BadPlan(f"{clip(text)} has no address ({error}); write 192.0.2.1 or [2001:db8::1], not a name, which somebody would look up") from None
    port = int(match["port"] or usual)
    if not 0 < port < 65536:
        raise BadPlan(f"{clip(text)} has the port {port}; ports go from 1 to 65535")
    if match["path"] and transport != "doh":
        raise BadPlan(f"{clip(text)} has a path, which only https:// has; remove it")
    if match["name"] and transport in ("udp", "tcp"):
        raise BadPlan(f"{clip(text)} names a certificate, which {scheme} has none of; remove what follows #, or use tls://, https:// or quic://")
    return Endpoint(transport, address, port, _certificate(match["name"] or "", text), match["path"] or "/dns-query")


def _certificate(name: str, text: str) -> str:
    try:
        return to_text(listed(name)) if name else ""
    except BadName as error:
        raise BadPlan(f"{clip(text)}: {error}") from None
