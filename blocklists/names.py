"""Domain names as labels: parsed, case-folded, and turned so that "covers" means "is a prefix of".

Three forms, all `bytes` but for the first:

- *text*: what people write, `www.Example.test` or `café.test`; escapes as in RFC 1035 section 5.1 (`\\.`, `\\012`).
- *wire*: canonical wire form, length-prefixed labels with the root's zero octet, ASCII letters folded to lower case (RFC 4034 section 6.2).
- *key*: the wire form's labels in reverse, top-level domain first, without the root: the index's key. One name covers another exactly when its
  key is a prefix of the other's, because length-prefixed labels can only match whole (`notexample.com` is not under `example.com`).

Nothing here touches the network or a file. A text that is not a name is refused with BadName, never repaired.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import idna

from blocklists.errors import BadName

MAX_WIRE = 255
"""Octets in the longest legal name, root included (RFC 1035 section 2.3.4)."""

MAX_LABEL = 63

_PLAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?", re.ASCII)
_ESCAPE = re.compile(rb"\\(\d{3}|[^0-9])", re.DOTALL)


def parse(text: str) -> bytes:
    """The canonical wire form of a name as people write it; `.` is the root.

    Plain ASCII takes a fast path; anything else goes through IDNA 2008 with UTS 46 mapping, label by label, so that a U-label and its
    A-label are one name. Raises BadName for an empty text, an empty or overlong label, an overlong name, or characters IDNA forbids.
    """
    lowered = text.lower()
    if _PLAIN.fullmatch(lowered):
        return _from_plain(lowered)
    if text == ".":
        return b"\0"
    if not text:
        raise BadName("an empty text is not a domain name; write a name such as example.test")
    if not text.isascii():
        try:
            lowered = idna.encode(text, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise BadName(f"{text!r} is not an internationalised domain name ({error}); write it as its owner registered it") from None
        return _from_plain(lowered)
    return _from_escaped(text)


def _from_plain(lowered: str) -> bytes:
    labels = lowered.encode("ascii").removesuffix(b".").split(b".")
    return _join(lowered, labels)


def _from_escaped(text: str) -> bytes:
    labels = [b""]
    position = 0
    raw = text.encode("ascii")
    while position < len(raw):
        octet = raw[position : position + 1]
        if octet == b"\\":
            match = _ESCAPE.match(raw, position)
            if match is None:
                raise BadName(f"{text!r} ends in, or has, a broken escape; write \\. for a dot in a label and \\DDD for an octet")
            found = match[1]
            value = int(found) if len(found) == 3 else found[0]
            if value > 255:
                raise BadName(f"{text!r} escapes \\{value}, which is not an octet; \\DDD goes from \\000 to \\255")
            labels[-1] += bytes((value,))
            position = match.end()
            continue
        if octet == b".":
            labels.append(b"")
        elif octet <= b" " or octet == b"\x7f":
            raise BadName(f"{text!r} has white space or a control character; remove it, or escape it as \\{octet[0]:03d}")
        else:
            labels[-1] += octet
        position += 1
    if not labels[-1]:
        labels.pop()
    return _join(text, [label.lower() for label in labels])


def _join(text: str, labels: list[bytes]) -> bytes:
    parts = bytearray()
    for label in labels:
        if not label:
            raise BadName(f"{text!r} has an empty label; remove the doubled or leading dot")
        if len(label) > MAX_LABEL:
            raise BadName(f"{text!r} has a label of {len(label)} octets; the longest legal label is {MAX_LABEL}")
        parts.append(len(label))
        parts += label
    parts.append(0)
    if len(parts) > MAX_WIRE:
        raise BadName(f"{text!r} is {len(parts)} octets long; the longest legal name is {MAX_WIRE}")
    return bytes(parts)


def labels(wire: bytes) -> Iterator[bytes]:
    """The labels of a wire-form name, leftmost first, without lengths and without the root."""
    position = 0
    while length := wire[position]:
        yield wire[position + 1 : position + 1 + length]
        position += length + 1


def to_text(wire: bytes) -> str:
    """The name as people read it, without the final dot (`.` for the root); odd octets escaped, so that `parse` gives the same name back."""
    if wire == b"\0":
        return "."
    return ".".join("".join(_shown(octet) for octet in label) for label in labels(wire))


def _shown(octet: int) -> str:
    if octet in b".\\":
        return "\\" + chr(octet)
    if 0x21 <= octet <= 0x7E:
        return chr(octet)
    return f"\\{octet:03d}"


def key(wire: bytes) -> bytes:
    """The index key of a canonical wire-form name: its length-prefixed labels, last first; the root's key is empty."""
    parts = []
    position = 0
    while length := wire[position]:
        end = position + length + 1
        parts.append(wire[position:end])
        position = end
    parts.reverse()
    return b"".join(parts)


def from_key(reversed_labels: bytes) -> bytes:
    """The canonical wire form behind an index key; the inverse of `key`."""
    return key(reversed_labels + b"\0") + b"\0"


def key_text(reversed_labels: bytes) -> str:
    """The text form of the name behind an index key."""
    return to_text(from_key(reversed_labels))


def depth(reversed_labels: bytes) -> int:
    """How many labels a key has."""
    count = position = 0
    while position < len(reversed_labels):
        position += reversed_labels[position] + 1
        count += 1
    return count
