"""What a scripted resolver does with a question, decided from its part in the scenario alone. Pure: octets in, octets and a deed out.

The deed is the truth about the answer, written down by the one who gave it: whether it was a block, and whether the target's data went out, by which
leak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from porosity.lab.addresses import TTL
from porosity.lab.planted import SIGNALS, Question, Reach, passing
from porosity.lab.scenario import Machine, Match
from porosity.lab.zones import Found, Zones
from porosity.words import Transport

Kind = Literal["answered", "blocked", "lied", "silent", "refused", "lost"]
"""What it did: answered as the zones do; blocked as its list says; gave an address that is wrong; nothing; turned a question away that it cannot read
or serves nobody; lost it on the way."""

_ADDRESSES = (dns.rdatatype.A, dns.rdatatype.AAAA)
_TC = 0x02
"""Of the third octet: the answer was cut off."""
_RCODES = {"nxdomain": dns.rcode.NXDOMAIN, "refused": dns.rcode.REFUSED, "servfail": dns.rcode.SERVFAIL}


@dataclass(frozen=True)
class Deed:
    """What was done with one question."""

    kind: Kind
    covered: bool = False
    """Whether an order covers what was asked, or what it leads to."""
    data: bool = False
    """Whether records went out that the zones hold for it."""
    leak: str = ""
    """The planted leak by which it was answered though an order covers it."""


@dataclass(frozen=True)
class Cover:
    """The orders in force, as their names are covered."""

    orders: Mapping[dns.name.Name, tuple[Match, float]]
    """With the time at which each began, in unix seconds."""

    def reach(self, name: dns.name.Name) -> tuple[Reach, float]:
        """How an order covers a name itself, and since when."""
        if name in self.orders:
            return "self", self.orders[name][1]
        above = name
        while above != dns.name.root:
            above = above.parent()
            if above in self.orders and self.orders[above][0] == "subtree":
                return "below", self.orders[above][1]
        return "", 0.0

    def over(self, name: dns.name.Name, how: str) -> bool:
        """Whether careless blocking takes this name, too."""
        if how == "parent":
            return any(len(each) > 3 and name.is_subdomain(each.parent()) for each in self.orders)
        if how == "letters":
            text = name.to_text().lower()
            return any(text.endswith(each.to_text()) for each in self.orders)
        return False


@dataclass(frozen=True)
class Looked:
    """A question, read, with what the zones say of it and the answer that a resolver without a block gives."""

    asked: dns.message.Message
    found: Found
    honest: bytes


class Reading:
    """Reads questions for all resolvers of a process: each is asked the same, one after the other."""

    def __init__(self, zones: Zones) -> None:
        self._zones = zones
        self.look = lru_cache(maxsize=2048)(self._look)

    def _look(self, tail: bytes, transport: Transport) -> Looked | bytes:
        """`tail`: the message without its ID. What is no question that the zones could be asked gets the answer given here, with ID 0."""
        wire = b"\0\0" + tail
        try:
            asked = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return _turned_away(wire, dns.rcode.FORMERR)
        if asked.flags & dns.flags.QR:
            return b""
        if len(asked.question) != 1 or asked.opcode() != dns.opcode.QUERY:
            return _turned_away(wire, dns.rcode.FORMERR)
        if asked.edns > 0:
            return _wire(asked, Found(dns.rcode.BADVERS), transport)
        if asked.question[0].rdclass != dns.rdataclass.IN:
            return _wire(asked, Found(dns.rcode.REFUSED), transport)
        found = self._zones.find(asked.question[0].name.canonicalize(), asked.question[0].rdtype, bool(asked.ednsflags & dns.flags.DO))
        return Looked(asked, found, _wire(asked, found, transport))


class Scripted:
    """A resolver of the scenario."""

    def __init__(self, machine: Machine, reading: Reading, landing: tuple[str, str], elsewhere: tuple[str, str]) -> None:
        """`landing`: addresses of its page; `elsewhere`: where its lies lead."""
        self._machine = machine
        self._reading = reading
        self._landing = landing
        self._elsewhere = elsewhere

    def respond(self, wire: bytes, transport: Transport, cover: Cover, now: float) -> tuple[bytes, Deed]:
        """The answer's octets, none for silence, and the deed. `now`: unix seconds."""
        if self._machine.dead:
            return b"", Deed("silent")
        looked = self._reading.look(wire[2:], transport)
        if isinstance(looked, bytes):
            return (wire[:2] + looked[2:], Deed("refused")) if looked else (b"", Deed("silent"))
        answer, deed = self._answer(looked, transport, cover, now)
        return wire[:2] + answer[2:] if answer else b"", deed

    def _answer(self, looked: Looked, transport: Transport, cover: Cover, now: float) -> tuple[bytes, Deed]:
        asked, found = looked.asked, looked.found
        name, type = found.chain[0], asked.question[0].rdtype
        data = found.data and not looked.honest[2] & _TC and not found.only_leads(lambda each: cover.reach(each)[0])
        if name in SIGNALS:
            return self._signal(looked, transport, data)
        reach, since = _reach(found, cover)
        machine = self._machine
        if machine.block is not None and reach:
            leak = passing(machine.leaks, Question(asked, transport, reach, now - since))
            if not leak:
                return self._block(asked, transport)
            return looked.honest, Deed("answered", True, data, leak)
        if machine.block is not None and cover.over(name, machine.over):
            return self._block(asked, transport, covered=False)
        if machine.lies and not reach and type in _ADDRESSES:
            return _wire(asked, _address(asked.question[0].name, type, self._elsewhere), transport), Deed("lied")
        return looked.honest, Deed("answered", bool(reach), data)

    def _signal(self, looked: Looked, transport: Transport, data: bool) -> tuple[bytes, Deed]:
        if self._machine.block is not None and "doh-upgrade" not in self._machine.leaks:
            return _wire(looked.asked, Found(dns.rcode.NXDOMAIN), transport), Deed("blocked")
        return looked.honest, Deed("answered", data=data, leak="doh-upgrade" if self._machine.block is not None else "")

    def _block(self, asked: dns.message.Message, transport: Transport, covered: bool = True) -> tuple[bytes, Deed]:
        name, type = asked.question[0].name, asked.question[0].rdtype
        block = self._machine.block
        if block == "silent":
            return b"", Deed("blocked", covered)
        if block in ("landing", "false") and type in _ADDRESSES:
            said = _address(name, type, self._landing if block == "landing" else self._elsewhere)
        else:
            said = Found(_RCODES.get(block or "", dns.rcode.NOERROR))
        return _wire(asked, said, transport, None if block == "false" else self._machine.ede), Deed("blocked", covered)


def _wire(asked: dns.message.Message, found: Found, transport: Transport, ede: int | None = None) -> bytes:
    answer = dns.message.make_response(asked, recursion_available=True, our_payload=1232)
    answer.set_rcode(found.rcode)
    answer.answer, answer.authority, answer.additional = list(found.answer), list(found.authority), list(found.additional)
    if asked.edns == 0 and ede is not None:
        answer.use_edns(0, payload=1232, options=[dns.edns.EDEOption(dns.edns.EDECode(ede))])
    most = min(max(asked.payload if asked.edns >= 0 else 512, 512), 1232) if transport == "udp" else 65535
    try:
        return answer.to_wire(max_size=most)
    except dns.exception.TooBig:
        answer.answer, answer.authority, answer.additional = [], [], []
        answer.flags |= dns.flags.TC
        return answer.to_wire()


def _reach(found: Found, cover: Cover) -> tuple[Reach, float]:
    """How an order covers any name on the way to an answer."""
    first, *others = found.chain
    reach, since = cover.reach(first)
    if reach:
        return reach, since
    for each in others:
        if (behind := cover.reach(each))[0]:
            return "alias", behind[1]
    return "", 0.0


def _address(name: dns.name.Name, type: dns.rdatatype.RdataType, addresses: tuple[str, str]) -> Found:
    return Found(answer=[dns.rrset.from_text(name, TTL, dns.rdataclass.IN, type, addresses[type == dns.rdatatype.AAAA])])


def _turned_away(wire: bytes, rcode: dns.rcode.Rcode) -> bytes:
    """A header and nothing else, as for what could not be read; none for what has no header."""
    if len(wire) < 12 or wire[2] & 0x80:
        return b""
    return wire[:2] + bytes((0x80 | (wire[2] & 0x79), 0x80 | rcode)) + bytes(8)
