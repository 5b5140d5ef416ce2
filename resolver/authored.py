"""Replies that we author: block answers, local answers for special names, negatives (RFC 2308, RFC 8482, RFC 8914).

dnslib writes each shape of record once; from then on it is octets put behind a client's question. Every function returns all of a reply but its ID.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from struct import Struct

from dnslib import AAAA as AAAAData
from dnslib import QTYPE, RR, DNSBuffer
from dnslib import SOA as SOAData
from dnslib import A as AData

from blocklists.index import Rule
from resolver.structured import Form
from resolver.wire import AAAA, ANY, CD, HINFO, NOERROR, NXDOMAIN, PLAIN_OPT, QR, RA, RD, REFUSED, SOA, A, Query, ede, opt_record

EDE_FORGED, EDE_BLOCKED, EDE_CENSORED = 4, 15, 16
STRUCTURED_TTLS = (10, 60)
"""Least and most seconds that a client which reads structured errors may keep a block answer (the draft's section on the server's response)."""
LOCAL_TTL = 600
"""Seconds clients may keep what we say of special names."""

_HEAD = Struct(">HHHHH")
"""A header without its ID."""
_POINTER = Struct(">H")
_FORGED = ede(EDE_FORGED)
_QUESTION_OWNER = b"\xc0\x0c"
_PLAIN_TEXT = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")


def _record(kind: int, ttl: int, data: object) -> bytes:
    """A record without its owner: type, class IN, TTL, data."""
    buffer = DNSBuffer()
    RR(".", kind, ttl=ttl, rdata=data).pack(buffer)
    return bytes(buffer.data[1:])


def soa(ttl: int) -> bytes:
    """A SOA record without its owner whose TTL and MINIMUM are `ttl` seconds, so that clients forget a negative answer after that."""
    return _record(QTYPE.SOA, ttl, SOAData("localhost.", "nobody.invalid.", (1, 3600, 1200, 604800, ttl)))


def reply(query: Query, rcode: int, answers: bytes, count: int, authority: bytes = b"", options: bytes = b"") -> bytes:
    """Question, `count` answers, at most one authority record, and OPT with `options` when the client sent one. Neither AA nor AD is set."""
    flags = QR | RA | query.flags & (RD | CD) | rcode
    if not query.edns:
        return _HEAD.pack(flags, 1, count, 1 if authority else 0, 0) + query.question + answers + authority
    opt = opt_record(query.do, options) if options else PLAIN_OPT[query.do]
    return _HEAD.pack(flags, 1, count, 1 if authority else 0, 1) + query.question + answers + authority + opt


class BlockAnswers:
    """The answers of `reference` rules to questions: landing addresses or nothing, and always why.

    One for each client group, because groups may have landing addresses of their own.
    """

    __slots__ = ("_addresses", "_soa", "_structured_soa")

    def __init__(self, landing_addresses: Sequence[str], ttl: int) -> None:
        self._soa = soa(ttl)
        self._structured_soa = soa(min(max(ttl, STRUCTURED_TTLS[0]), STRUCTURED_TTLS[1]))
        found: dict[int, list[bytes]] = {A: [], AAAA: []}
        for text in landing_addresses:
            kind, data = (A, AData(text)) if ipaddress.ip_address(text).version == 4 else (AAAA, AAAAData(text))
            found[kind].append(_QUESTION_OWNER + _record(kind, ttl, data))
        self._addresses = {kind: (b"".join(found[of]), len(found[of])) for kind, of in ((A, A), (AAAA, AAAA), (ANY, A)) if found[of]}

    def fitting(self, query: Query, rule: Rule, forms: Sequence[Form] | None = None) -> bytes | None:
        """The block answer that says the most within the client's limit; None when not even the shortest fits.

        `forms`: for a client that reads structured errors, the texts there are, longest first (`structured`).
        """
        if forms is None:
            reply = self.answer(query, rule)
            if len(reply) + 2 > query.limit:
                reply = self.answer(query, rule, explained=False)
        else:
            for form in (*forms, b""):
                reply = self.structured(query, rule, form)
                if len(reply) + 2 <= query.limit:
                    break
        return reply if len(reply) + 2 <= query.limit else None

    def structured(self, query: Query, rule: Rule, form: Form) -> bytes:
        """The block answer for a client that reads structured errors: never an address that is not the name's, and no Forged Answer."""
        options = ede(code_of(rule), form)
        if rule.mode == "refused":
            return reply(query, REFUSED, b"", 0, b"", options)
        rcode = NOERROR if rule.mode == "nodata" else NXDOMAIN
        return reply(query, rcode, b"", 0, self._owner(query, rule) + self._structured_soa, options)

    def answer(self, query: Query, rule: Rule, *, explained: bool = True) -> bytes:
        """The block answer of this rule, for the question itself or for an alias that led to the listed name.

        With `explained` false its EDE has no text: for clients whose limit the text would pass.
        """
        mode = rule.mode
        options = explain(rule, with_text=explained) if query.edns else b""
        if mode == "redirect":
            addresses = self._addresses.get(query.qtype)
            if addresses is not None:
                return reply(query, NOERROR, *addresses, b"", _FORGED + options)
        elif mode == "refused":
            return reply(query, REFUSED, b"", 0, b"", options)
        rcode = NXDOMAIN if mode == "nxdomain" else NOERROR
        return reply(query, rcode, b"", 0, self._owner(query, rule) + self._soa, options)

    def _owner(self, query: Query, rule: Rule) -> bytes:
        """Of the SOA: the listed name where it is at or above the question, else (an alias led there) by the question: clients believe no other."""
        owner = 12
        if query.key.startswith(rule.key):
            owner += len(query.key) - len(rule.key)
        return _POINTER.pack(0xC000 | owner)


def code_of(rule: Rule) -> int:
    """The EDE code of a rule: 16 for a directive, 15 for the operator's own list."""
    return EDE_CENSORED if rule.kind == "directive" else EDE_BLOCKED


def explain(rule: Rule, *, with_text: bool = True) -> bytes:
    """The EDE option of a rule, with `REFERENCE listed.name` as its text."""
    code = code_of(rule)
    if not with_text:
        return ede(code)
    return ede(code, rule.reference.encode() + b" " + _text(rule.key))


def _text(key: bytes) -> bytes:
    labels = []
    position = 0
    while position < len(key):
        end = position + key[position] + 1
        label = key[position + 1 : end]
        labels.append(label if _PLAIN_TEXT.issuperset(label) else _escaped(label))
        position = end
    labels.reverse()
    return b".".join(labels)


def _escaped(label: bytes) -> bytes:
    """RFC 1035 section 5.1 escapes, so that the text is ASCII without NUL (RFC 8914 section 2)."""
    return b"".join(bytes((octet,)) if octet in _PLAIN_TEXT else b"\\%03d" % octet for octet in label)


def any_reply(query: Query) -> bytes:
    """RFC 8482 section 4.2: a question for ANY is answered with one HINFO record."""
    return reply(query, NOERROR, _QUESTION_OWNER + _ANY_RECORD, 1)


_ANY_RECORD = HINFO.to_bytes(2, "big") + b"\0\1" + (3600).to_bytes(4, "big") + b"\0\x09\x07RFC8482\0"
_LOCAL_SOA = soa(LOCAL_TTL)
_LOCALHOST = {
    A: _QUESTION_OWNER + _record(A, LOCAL_TTL, AData("127.0.0.1")),
    AAAA: _QUESTION_OWNER + _record(AAAA, LOCAL_TTL, AAAAData("::1")),
}


def local_reply(query: Query, zone: bytes, rcode: int, loopback: bool) -> bytes:
    """What a special zone (an index key) says: loopback addresses, no data at its apex, or that the name does not exist."""
    if loopback and query.qtype in _LOCALHOST:
        return reply(query, NOERROR, _LOCALHOST[query.qtype], 1)
    owner = _POINTER.pack(0xC000 | 12 + len(query.key) - len(zone))
    if query.key == zone and query.qtype == SOA:
        return reply(query, NOERROR, owner + _LOCAL_SOA, 1)
    return reply(query, rcode, b"", 0, owner + _LOCAL_SOA)
