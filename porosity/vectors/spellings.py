"""One name, written otherwise: what compares texts where it should compare labels, or cleans a name up on its way, blocks one and answers another."""

from __future__ import annotations

from random import Random

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from porosity.vectors.asking import MOST_IN_LABEL, MOST_OCTETS, label, lone, octets, question, relabelled
from porosity.words import Ask, Name, Vector

_A_IN = b"\0\1\0\1"
_ROOT_IN_HEADER = b"\xc0\x04"
"""A pointer to the first octet of QDCOUNT, which is zero: the root's label, and the one place before the first question where one can stand."""
_FULL_WIDTH = 0xFEE0
"""From an ASCII character to its full-width form."""


def _case(name: Name, random: Random) -> list[Ask]:
    letters = [(place, at) for place, each in enumerate(name.name.labels) for at, octet in enumerate(each) if chr(octet).isalpha() and octet < 128]
    raised = {each for each in letters if random.random() < 0.5}
    if letters and not raised:
        raised = {random.choice(letters)}
    labels = [
        bytes(octet - 32 if (place, at) in raised and octet >= 97 else octet for at, octet in enumerate(each))
        for place, each in enumerate(name.name.labels)
    ]
    return [Ask(question(dns.name.Name(labels)))]


def _stop_at_end(name: Name, random: Random) -> list[Ask]:
    last = len(name.name.labels) - 2
    labels = [each + b"." if place == last and len(each) < MOST_IN_LABEL else each for place, each in enumerate(name.name.labels)]
    return [Ask(question(_possible(labels, name.name)))]


def _stop_inside(name: Name, random: Random) -> list[Ask]:
    first, *rest = name.name.labels[:-1]
    joined = b".".join((first, *rest[:1]))
    labels = [joined, *rest[1:], b""] if len(joined) <= MOST_IN_LABEL else [first, *rest, b""]
    return [Ask(question(dns.name.Name(labels)))]


def _binary(name: Name, random: Random) -> list[Ask]:
    return [Ask(question(relabelled(name.name, lambda each: each + b"\0" + bytes([random.randrange(128, 256)]))))]


def _u_label(name: Name, random: Random) -> list[Ask]:
    return [Ask(question(relabelled(name.name, _unicode)))]


def _unicode(each: bytes) -> bytes:
    if each.startswith(b"xn--"):
        try:
            return each[4:].decode("punycode").encode()
        except (UnicodeError, ValueError):
            return b""
    if not 0x21 <= each[0] <= 0x7E:
        return b""
    return chr(each[0] + _FULL_WIDTH).encode() + each[1:]


def _a_label(name: Name, random: Random) -> list[Ask]:
    if any(each.startswith(b"xn--") for each in name.name.labels):
        return [Ask(question(name.name))]
    return [Ask(question(relabelled(name.name, lambda each: b"xn--" + each + b"-")))]


def _longest(name: Name, random: Random) -> list[Ask]:
    labels = list(name.name.labels)
    while (room := MOST_OCTETS - octets(dns.name.Name(labels))) > 1:
        length = min(MOST_IN_LABEL, room - 1)
        labels.insert(0, label(random, length - 1 if room - length == 2 else length))
    return [Ask(question(dns.name.Name(labels)))]


def _compressed(name: Name, random: Random) -> list[Ask]:
    return [Ask(lone(name.name.to_digestable()[:-1] + _ROOT_IN_HEADER + _A_IN))]


def _two(name: Name, random: Random) -> list[Ask]:
    asked = []
    for place in (0, 1):
        both = dns.message.from_wire(question(name.name))
        both.question.insert(place, dns.rrset.RRset(dns.name.root, dns.rdataclass.IN, dns.rdatatype.NS))
        asked.append(Ask(both.to_wire() or b""))
    return asked


def _possible(labels: list[bytes], otherwise: dns.name.Name) -> dns.name.Name:
    try:
        return dns.name.Name(labels)
    except dns.name.NameTooLong:
        return otherwise


def _spelling(id: str, sends: str, source: str, asks: object, leak: str = "The target's addresses.") -> Vector:
    return Vector(id=f"spelling-{id}", family="spelling", sends=sends, leak=leak, source=source, asks=asks)  # type: ignore[arg-type]


VECTORS = [
    _spelling("case", "The name, its letters large and small at random, type A.", "RFC 4343", _case),
    _spelling(
        "trailing-dot",
        "The name with a full stop as one more octet of its last label, type A: no other name has it, but its text ends as that of an absolute name.",
        "RFC 1034, section 3.1; RFC 4343, section 2.1",
        _stop_at_end,
        "The target's addresses, from a server that makes a text of the name and asks for that.",
    ),
    _spelling(
        "escaped",
        "The name with its first two labels as one, a full stop between them, type A: another name, whose text without its escape is the name's.",
        "RFC 1035, section 5.1; RFC 4343, section 2.1",
        _stop_inside,
        "The target's addresses, from a server that makes a text of the name and asks for that.",
    ),
    _spelling(
        "binary",
        "The name with a NUL and an octet above 127 at the end of its first label, type A: another name, which is the name where a NUL ends a text.",
        "RFC 2181, section 11",
        _binary,
        "The target's addresses, from a server that cuts the name off.",
    ),
    _spelling(
        "u-label",
        "The name in UTF-8, type A: its first A-label as Unicode; where it has none, its first character in full width, which UTS 46 maps back.",
        "RFC 5890, section 2.3.2.1; Unicode Technical Standard 46, section 4",
        _u_label,
        "The target's addresses, from a server that maps the name and asks for that.",
    ),
    _spelling(
        "a-label",
        "The name in A-labels, type A; where it has none, its first label as one that decodes to itself (`xn--label-`).",
        "RFC 5890, section 2.3.2.1; RFC 5891, section 4.2.1",
        _a_label,
    ),
    _spelling(
        "longest",
        "A name of 255 octets below the name, of random labels of 63 octets, type A.",
        "RFC 1035, section 2.3.4",
        _longest,
        "An address, where the target's zone has one for every name below.",
    ),
    _spelling(
        "compressed", "The name in a question that ends in a compression pointer, type A, without EDNS.", "RFC 1035, section 4.1.4", _compressed
    ),
    _spelling(
        "two-questions",
        "Two messages of two questions each: the root's NS before the name's A, and behind it.",
        "RFC 9619",
        _two,
        "The target's addresses, from a server that judges one question and answers the other.",
    ),
]
