"""What a request's Host says: a name, an address, or nothing; anything else is refused.

A Host is `uri-host [":" port]` (RFC 9110 section 7.2), and an absolute-form target overrides it (RFC 9112 section 3.2.2). The name's text always
parses back to the same name. Nothing is repaired: what no browser sends is a BadHost. Pure: bytes in, a value out.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from blocklists.errors import BadName, RedHandError
from blocklists.names import parse, to_text

MAX_HOST = 1024
"""Octets of the longest Host considered: a 255-octet name with every octet escaped, a port, and some to spare."""

_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_PORT = re.compile(rb"[0-9]{0,5}")
# What the URL standard forbids in a domain, beside control characters. A backslash would start an escape in our text form, so it never gets there.
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\"#%/:<>?@\[\\\]^`{|}]")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]*)")


class BadHost(RedHandError, ValueError):
    """The client's Host is not one; the request is answered 400 (RFC 9112 section 3.2)."""


@dataclass(frozen=True, slots=True)
class Host:
    """Where a visitor meant to go. `wire` and `text` are a name's canonical forms; both are empty for an address and for nothing."""

    kind: Literal["name", "address", "none"]
    wire: bytes = b""
    text: str = ""


NONE = Host("none")
ADDRESS = Host("address")


def field_of(target: bytes, field: bytes | None) -> bytes:
    """What says where a request was meant to go: its target if that is in absolute form, else its Host field (None: there was none)."""
    absolute = _ABSOLUTE.match(target)
    return absolute[1] if absolute else field or b""


def of_request(target: bytes, field: bytes | None) -> Host:
    """The host of a request, from its target if that is in absolute form, else from its Host field (None: there was none). Raises BadHost."""
    return read(field_of(target, field))


def read(field: bytes) -> Host:
    """What one Host field says. Raises BadHost."""
    field = field.strip(b" \t")
    if not field:
        return NONE
    if len(field) > MAX_HOST:
        raise BadHost(f"a Host of {len(field)} octets is too long; the longest is {MAX_HOST}")
    if field.startswith(b"["):
        literal, closed, rest = field[1:].partition(b"]")
        if not closed or (rest and not rest.startswith(b":")):
            raise BadHost("a Host's IPv6 address is not closed by ]")
        _check_port(rest[1:])
        return _literal(literal)
    name, _, port = field.partition(b":")
    _check_port(port)
    return _name(name) if name else NONE


def _check_port(port: bytes) -> None:
    if not _PORT.fullmatch(port) or int(port or 0) > 65535:
        raise BadHost("a Host's port is not a number up to 65535")


def _literal(literal: bytes) -> Host:
    try:
        ipaddress.IPv6Address(literal.decode("ascii"))
    except ValueError:
        raise BadHost("a Host in brackets is not an IPv6 address") from None
    return ADDRESS


def _name(octets: bytes) -> Host:
    """The name in a reg-name: octets escaped by % are UTF-8 (RFC 3986 section 3.2.2), and so are bare octets above 127, which some clients send."""
    if octets.count(b"%") != len(_ESCAPED.findall(octets)):
        raise BadHost("a Host has a % that escapes no octet")
    try:
        text = _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), octets).decode("utf-8")
    except UnicodeDecodeError:
        raise BadHost("a Host is not UTF-8") from None
    if _FORBIDDEN.search(text):
        raise BadHost("a Host has a character that no name has")
    try:
        wire = parse(text)
    except BadName as error:
        raise BadHost(str(error)) from None
    plain = to_text(wire)
    try:
        ipaddress.IPv4Address(plain)
    except ValueError:
        return Host("name", wire, plain)
    return ADDRESS
