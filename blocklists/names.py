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

MAX_TEXT = 1024
"""Characters in the longest text worth reading: 255 octets all escaped as `\\DDD` stay below it, and hostile lines are refused unread."""

_PLAIN = re.compile(rb"(?:[a-z0-9_-]{1,63}+\.)*+[a-z0-9_-]{1,63}+\.?")
_ESCAPE = re.compile(rb"\\(\d{3}|[^0-9])", re.DOTALL)
_ODD = re.compile(r"[\x00-\x2c/:-@\[-^`{-\x7f]")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
_LENGTH = tuple(bytes((length,)) for length in range(MAX_LABEL + 1))


def parse(text: str) -> bytes:
    """The canonical wire form of a name as people write it; `.` is the root.

    Plain ASCII takes a fast path; a text with other letters goes through UTS 46 mapping and IDNA 2008, label by label, so that a U-label and its
    A-label are one name. Raises BadName for an empty text, an empty or overlong label, an overlong name, or characters IDNA forbids.
    """
    if len(text) < MAX_WIRE - 1 and text.isascii():
        lowered = text.encode("ascii").lower()
        if _PLAIN.fullmatch(lowered):
            return b"".join([_LENGTH[len(label)] + label for label in lowered.removesuffix(b".").split(b".")]) + b"\0"
    if text == ".":
        return b"\0"
    if not text:
        raise BadName("an empty text is not a domain name; write a name such as example.test")
    if len(text) > MAX_TEXT:
        raise BadName(f"{clip(text)} has {len(text)} characters; the longest legal name is {MAX_WIRE} octets")
    if not text.isascii():
        return _from_unicode(text)
    return _from_escaped(text)


def plain_key(raw: bytes) -> bytes | None:
    """The index key of a name in plain ASCII (letters, digits, `_`, `-`, dots), straight from its bytes: `key(parse(…))`, three times as fast.

    None says only that the bytes are not so plain; `parse` then tells whether they are a name, and what is wrong with them.
    """
    if len(raw) >= MAX_WIRE - 1:
        return None
    lowered = raw.lower()
    if _PLAIN.fullmatch(lowered) is None:
        return None
    reversed_labels = b""
    for label in lowered.removesuffix(b".").split(b"."):
        reversed_labels = _LENGTH[len(label)] + label + reversed_labels
    return reversed_labels


def listed(text: str) -> bytes:
    """The canonical wire form of a name as lists and orders write it: `parse`, without what is legal in the DNS but never a name somebody meant.

    Raises BadName also for the root, for an address, and for signs that no host name has unless they are escaped: a rule of another syntax such as
    `||ads.example^`, or the address of a page, is not silently taken for a label.
    """
    wire = parse(text)
    if wire == b"\0":
        raise BadName(f"{clip(text)} is the root of all names; name a domain")
    if "\\" not in text and (odd := _ODD.search(text)):
        raise BadName(f"{clip(text)} has {odd[0]!r}, which no host name has; write the bare name, without a scheme, path, port or rule signs")
    if ends_in_number(key(wire)):
        raise BadName(f"{clip(text)} ends in a number, as only addresses do; list names, because many sites share one address")
    return wire


def ends_in_number(reversed_labels: bytes) -> bool:
    """Whether the top-level label of this key is all digits, as in an IPv4 address and in no domain name (RFC 1123 section 2.1)."""
    return reversed_labels[1 : reversed_labels[0] + 1].isdigit()


def clip(text: str, limit: int = 80) -> str:
    """A text as messages show it: quoted, odd characters escaped, cut at `limit` characters."""
    shown = repr(text[:limit])
    return shown if len(text) <= limit else shown + "…"


def visible(text: str, limit: int = 80) -> str:
    """A text as reports hold it: `clip` without the quotes."""
    shown = repr(text[:limit])[1:-1]
    return shown if len(text) <= limit else shown + "…"


def _from_unicode(text: str) -> bytes:
    try:
        mapped = idna.uts46_remap(text, std3_rules=False)
        found = [label.encode("ascii") if label.isascii() else idna.alabel(label) for label in _DOTS.split(mapped)]
    except (idna.IDNAError, UnicodeError) as error:
        raise BadName(f"{clip(text)} is not an internationalised domain name ({error}); write it in the form that was registered, xn--…") from None
    if len(found) > 1 and not found[-1]:
        found.pop()
    if not all(_PLAIN.fullmatch(label) for label in found if 0 < len(label) <= MAX_LABEL):
        raise BadName(f"{clip(text)} mixes letters beyond ASCII with characters no host name has; remove white space, signs and escapes")
    return _join(text, found)


def _from_escaped(text: str) -> bytes:
    labels = [b""]
    position = 0
    raw = text.encode("ascii")
    while position < len(raw):
        octet = raw[position : position + 1]
        if octet == b"\\":
            match = _ESCAPE.match(raw, position)
            if match is None:
                raise BadName(f"{clip(text)} ends in, or has, a broken escape; write \\. for a dot in a label and \\DDD for an octet")
            found = match[1]
            value = int(found) if len(found) == 3 else found[0]
            if value > 255:
                raise BadName(f"{clip(text)} escapes \\{value}, which is not an octet; \\DDD goes from \\000 to \\255")
            labels[-1] += bytes((value,))
            position = match.end()
            continue
        if octet == b".":
            labels.append(b"")
        elif octet <= b" " or octet == b"\x7f":
            raise BadName(f"{clip(text)} has white space or a control character; remove it, or escape it as \\{octet[0]:03d}")
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
            raise BadName(f"{clip(text)} has an empty label; remove the doubled or leading dot")
        if len(label) > MAX_LABEL:
            raise BadName(f"{clip(text)} has a label of {len(label)} octets; the longest legal label is {MAX_LABEL}")
        parts.append(len(label))
        parts += label
    parts.append(0)
    if len(parts) > MAX_WIRE:
        raise BadName(f"{clip(text)} is {len(parts)} octets long; the longest legal name is {MAX_WIRE}")
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
