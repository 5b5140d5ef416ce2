"""An engine to be asked in tests: real policy, real index, real caches; the clock, the clients and the upstreams are the test's to move.

Questions are written and replies are read with dnspython, which shares no code with what is tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset
import marisa_trie

from blocklists import names
from blocklists.index import Index, Part, list_values, pack_part, pack_rules
from blocklists.sources import Basis
from blocklists.version import assemble
from resolver.engine import Engine
from resolver.groups import Front, Group, Lookup
from resolver.packetcache import Clock
from resolver.policy import Policy
from resolver.records import Limits, read_answer
from resolver.wire import Query

AS_OF = 1_800_000_000
"""The agreed time at which a rig begins; unix seconds."""
LANDING = ("192.0.2.80", "2001:db8::80")
PLENTY = 256 << 20
"""Octets of a cache that forgets nothing in a test."""


def key(text: str) -> bytes:
    """The index key of a name's text."""
    return names.key(names.parse(text))


def basis(kind: str, reference: str, *listed: str, mode: str = "redirect", match: str = "subtree", starts: int = 0, ends: int = 0) -> Basis:
    """One source's word on some names."""
    found = [(key(name), match == "exact") for name in listed]
    return Basis(kind, mode, reference, starts, ends, "local", {"source": reference}, found)  # type: ignore[arg-type]


def index_of(bases: Iterable[Basis]) -> Index:
    """The index that the builder would write of these."""
    lines = assemble(bases, 0).lines
    trie, values = pack_part(list_values(lines))
    found = marisa_trie.BinaryTrie()
    found.frombytes(trie)
    return Index(Part(found, values), pack_rules(lines))


def question(
    name: str | dns.name.Name, kind: str = "A", *, edns: bool = False, do: bool = False, rd: bool = True, cd: bool = False, ad: bool = False,
    size: int = 1232, options: Sequence[dns.edns.Option] = (), identifier: int = 0x1234, of_class: str = "IN",
) -> bytes:  # fmt: skip
    """A client's question in octets."""
    message = dns.message.make_query(name, kind, of_class)
    message.flags = (dns.flags.RD if rd else 0) | (dns.flags.CD if cd else 0) | (dns.flags.AD if ad else 0)
    message.id = identifier
    if edns or do or options:
        message.use_edns(0, dns.flags.DO if do else 0, size, options=list(options))
    return message.to_wire()


def rrset(text: str) -> dns.rrset.RRset:
    """One record as zone files write it, `name TTL type data`, with absolute names."""
    owner, ttl, kind, data = text.split(None, 3)
    rdata = dns.rdata.from_text("IN", kind, data, origin=dns.name.root, relativize=False)
    return dns.rrset.from_rdata(dns.name.from_text(owner), int(ttl), rdata)


def upstream_says(
    asked: bytes, answer: Iterable[str] = (), authority: Iterable[str] = (), rcode: str = "NOERROR", *, ad: bool = False, identifier: int = 0,
) -> bytes:  # fmt: skip
    """An upstream's message to a question section, its records in the order given."""
    name = dns.name.from_wire(asked, 0)[0]
    kind = dns.rdatatype.RdataType.make(int.from_bytes(asked[-4:-2], "big"))
    message = dns.message.QueryMessage(identifier)
    message.flags = dns.flags.QR | dns.flags.RD | dns.flags.RA | (dns.flags.AD if ad else 0)
    message.set_rcode(dns.rcode.from_text(rcode))
    message.question.append(dns.rrset.RRset(name, dns.rdataclass.IN, kind))
    message.answer.extend(map(rrset, answer))
    message.authority.extend(map(rrset, authority))
    return message.to_wire(max_size=65535)


class Mailbox:
    """Where replies that had to wait arrive, each with its ID."""

    def __init__(self) -> None:
        self.letters: list[tuple[Any, bytes]] = []

    def send(self, query: Query, reply: bytes) -> None:
        self.letters.append((query.address, query.raw[:2] + reply))

    def take(self) -> list[tuple[Any, bytes]]:
        """What has arrived since the last time, with the address it is for."""
        taken, self.letters = self.letters, []
        return taken


class Rig:
    """One worker's decisions, without its sockets."""

    def __init__(
        self, bases: Iterable[Basis] = (), *, chain_limit: int = 20, landing: Sequence[str] = LANDING, zones: Iterable[str] = (),
        stale_seconds: int = 86400, packet_cache: bool = True, limits: Limits | None = None, most_bytes: int = PLENTY,
    ) -> None:  # fmt: skip
        self.clock = Clock()
        self.unix = AS_OF
        self.second = 1000
        self.policy = Policy(index_of(bases), 1, self.unix, chain_limit)
        self.engine = Engine(self.policy, self.clock, tuple(map(key, zones)), stale_seconds)
        self.group = Group("everyone", landing, 30, most_bytes)
        self.udp = Front(self.group, most_bytes, self.clock)
        self.tcp = Front(self.group, most_bytes, self.clock, 65535)
        self.limits = limits or Limits()
        self.mailbox = Mailbox()
        self.lookups: list[Lookup] = []
        self.hits = 0
        self._packet_cache = packet_cache
        self.engine.turn(self.second, self.unix)

    def advance(self, seconds: int) -> None:
        """Lets time go by, on both clocks."""
        self.second += seconds
        self.unix += seconds
        self.engine.turn(self.second, self.unix)

    def switch(self, bases: Iterable[Basis]) -> None:
        """Puts another list in force."""
        self.engine.switch(index_of(bases), self.policy.serial + 1, self.second, self.unix)

    def ask(self, data: bytes, front: Front | None = None, address: object = None) -> bytes | None:
        """What a listener does with a client's octets. None when no reply is due yet; new lookups stand in `lookups`."""
        front = self.udp if front is None else front
        if self._packet_cache:
            cached = front.packets.get(data[2:])
            if cached is not None:
                self.hits += 1
                return data[:2] + cached
        reply = self.engine.ask(data, front, self.mailbox, address)
        self.lookups += self.engine.take_lookups()
        return None if reply is None else data[:2] + reply

    def answered(self, lookup: Lookup, message: bytes, *, trusted: bool = False) -> None:
        """An upstream's answer comes in; replies are sent, as `upstreams` does it."""
        answer = read_answer(message, lookup.question, lookup.do, self.limits)
        if not trusted:
            answer.ad = False
        self._deliver(self.engine.answered(lookup, answer))

    def failed(self, lookup: Lookup, code: int | None = 22) -> None:
        """No upstream gave an answer."""
        self._deliver(self.engine.failed(lookup, code))

    def overdue(self, lookup: Lookup) -> None:
        """Nobody has answered for as long as clients should wait."""
        self._deliver(self.engine.overdue(lookup))

    def _deliver(self, replies: list[tuple[Query, bytes]]) -> None:
        for query, reply in replies:
            query.via.send(query, reply)
        self.lookups += self.engine.take_lookups()

    def resolve(
        self, data: bytes, answer: Iterable[str] = (), authority: Iterable[str] = (), rcode: str = "NOERROR", *, ad: bool = False,
        trusted: bool = False, front: Front | None = None,
    ) -> dns.message.Message:  # fmt: skip
        """The reply to a question; should it go upstream, this is what comes back from there."""
        reply = self.ask(data, front)
        if reply is None:
            lookup = self.lookups.pop()
            self.answered(lookup, upstream_says(lookup.question, answer, authority, rcode, ad=ad), trusted=trusted)
            ((_, reply),) = self.mailbox.take()
        return read(reply)

    def cached(self, data: bytes, front: Front | None = None) -> dns.message.Message:
        """The reply to a question that must not go upstream for it."""
        reply = self.ask(data, front)
        assert reply is not None, "it went upstream"
        return read(reply)


def read(reply: bytes | None) -> dns.message.Message:
    """A reply, read by dnspython, whole and to its last octet."""
    assert reply is not None, "there is no reply"
    return dns.message.from_wire(reply, one_rr_per_rrset=True)


def records(section: Iterable[dns.rrset.RRset]) -> list[str]:
    """Records as `name TTL type data`, in order, names in lower case."""
    return [f"{each.name} {each.ttl} {dns.rdatatype.to_text(each.rdtype)} {rdata.to_text()}".lower() for each in section for rdata in each]


def errors(message: dns.message.Message) -> list[str]:
    """A reply's Extended DNS Errors as `code text`."""
    found = [option for option in message.options if isinstance(option, dns.edns.EDEOption)]
    return [f"{int(option.code)} {option.text}" if option.text else str(int(option.code)) for option in found]
