"""How vectors make their messages. Pure: a name and a source of random parts in, octets out; a name is never longer than 255 octets.

Every function here gives the same octets for the same name and the same state of `random`, so that a plan can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from string import ascii_lowercase, digits

import dns.exception
import dns.flags
import dns.message
import dns.name

from porosity.words import Ask, Name, message

Asks = Callable[[Name, Random], Sequence[Ask]]
"""As `words.Vector.asks`."""

MOST_OCTETS = 255
"""Of a name (RFC 1035, section 2.3.4)."""
MOST_IN_LABEL = 63

_HEADER = 12

LETTERS = ascii_lowercase + digits


def asking(type: str = "A", **how: object) -> Asks:
    """One question for the name itself, by UDP. `how`: as `dns.message.make_query`."""
    form = message(dns.name.root, type, **how)
    return lambda name, random: [Ask(_filled(form, name.name))]


def question(name: dns.name.Name, type: str = "A") -> bytes:
    """The same as `words.message(name, type)`, in a tenth of its time: only the name differs from one question to the next."""
    return _filled(_form(type), name)


@cache
def _form(type: str) -> bytes:
    return message(dns.name.root, type)


def _filled(form: bytes, name: dns.name.Name) -> bytes:
    """A message for the root, whose name is one octet behind the header, with another name in its place."""
    return form[:_HEADER] + b"".join(bytes([len(each)]) + each for each in name.labels) + form[_HEADER + 1 :]


def label(random: Random, length: int = 12) -> bytes:
    """A label nobody has asked for before, unless the same plan was run."""
    return "".join(random.choices(LETTERS, k=length)).encode()


def below(name: dns.name.Name, *labels: bytes) -> dns.name.Name:
    """The name with labels before it; where there is no room for them, the name itself."""
    try:
        return dns.name.Name((*labels, *name.labels))
    except dns.name.NameTooLong:
        return name


def within(name: dns.name.Name, zone: dns.name.Name) -> dns.name.Name:
    """The name's labels before a zone's, as search lists and alias zones make it; its first labels are left off where they have no room."""
    labels = name.labels[:-1]
    while True:
        try:
            return dns.name.Name((*labels, *zone.labels))
        except dns.name.NameTooLong:
            labels = labels[1:]


def relabelled(name: dns.name.Name, change: Callable[[bytes], bytes]) -> dns.name.Name:
    """The name with its first label changed that can be; the name itself where none can. `change` gives an empty label for one that it leaves."""
    for place, given in enumerate(name.labels[:-1]):
        changed = change(given)
        if changed and len(changed) <= MOST_IN_LABEL and octets(name) - len(given) + len(changed) <= MOST_OCTETS:
            return dns.name.Name((*name.labels[:place], changed, *name.labels[place + 1 :]))
    return name


def octets(name: dns.name.Name) -> int:
    """How long the name is on the wire, 1 to 255."""
    return sum(len(each) + 1 for each in name.labels)


def domain(name: Name) -> dns.name.Name:
    """The registrable domain; where none is known, the name's last two labels."""
    if name.domain:
        return dns.name.from_text(name.domain)
    return dns.name.Name(name.name.labels[-3:])


def lone(question: bytes, count: int = 1) -> bytes:
    """A message of a header with RD set and a question section written by hand, without EDNS. `count`: how many questions it says there are."""
    return b"\0\0" + dns.flags.RD.to_bytes(2, "big") + count.to_bytes(2, "big") + bytes(6) + question
