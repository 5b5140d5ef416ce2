"""Reads what clients send, and nothing else: header, one question, EDNS (RFC 1035 section 4, RFC 6891).

The first reader of every hostile byte. It does bounded work (each octet is looked at once), keeps the question's octets exactly as they came,
and refuses with a documented error or returns the exact meaning. It opens no socket and reads no clock. Answers are read in `records`.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import Any

HEADER = Struct(">HHHHHH")
_TYPE_CLASS = Struct(">HH")
_OPT_FIXED = Struct(">HHBBHH")
"""What follows an OPT record's root owner: type, payload size, extended RCODE, version, flags, RDLENGTH (RFC 6891 section 6.1.2)."""
_RECORD_FIXED = Struct(">HHIH")
_OPTION = Struct(">HH")

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS = 0, 1, 2, 3, 4, 5, 9, 16

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
OPCODE = 0x7800

A, NS, CNAME, SOA, HINFO, AAAA, DNAME, OPT, SVCB, HTTPS, ANY = 1, 2, 5, 6, 13, 28, 39, 41, 64, 65, 255
RRSIG, NSEC, NSEC3, TKEY, TSIG, IXFR, AXFR, MAILB, MAILA = 46, 47, 50, 249, 250, 251, 252, 253, 254
IN = 1

UDP_PAYLOAD = 1232
"""The largest UDP answer sent, and the size announced: fits every path without fragments (RFC 9715)."""

EDE = 15
STRUCTURED_ERRORS = 26
"""The option by which a client says that it reads structured errors (draft-ietf-dnsop-structured-dns-error, as IANA has it in October 2026)."""

_CONSTANT_OPTIONS = frozenset((3, 11, EDE))
"""NSID, keepalive and EDE, when empty: a client that sends one sends the same octets every time, so its queries may enter the packet cache."""


class Silence(Exception):
    """The datagram deserves no answer: shorter than a header, or itself an answer."""


class Unreadable(Exception):
    """The query is answered with an error. `rcode` is what to say; `reply` is all of the answer but its ID."""

    def __init__(self, rcode: int, reply: bytes) -> None:
        super().__init__(rcode)
        self.rcode = rcode
        self.reply = reply


class Query:
    """One client's question, with what its reply needs.

    `id` 0..65535 and `flags` as received; `question` the question section's octets in the client's case; `name` the canonical wire name; `key` its
    labels in reverse (see `blocklists.names`); `qtype` 0..65535; `do`, `edns`; `limit` the largest reply in octets; `constant` whether the
    octets after the ID may be a cache key; `structured` whether the client reads structured errors. The engine adds `front`, `via` (whom to hand
    the reply to), `address` (as the socket gave it) and, for one that waits, `client` (see `prefixes`).
    """

    __slots__ = (
        "address", "client", "constant", "do", "edns", "flags", "front", "id", "key", "limit", "name", "qtype", "question", "raw", "structured",
        "via",
    )  # fmt: skip

    id: int
    flags: int
    question: bytes
    name: bytes
    key: bytes
    qtype: int
    edns: bool
    do: bool
    limit: int
    constant: bool
    structured: bool
    raw: bytes
    via: Any
    address: Any
    client: str
    front: Any


def read_query(data: bytes, structured: int = STRUCTURED_ERRORS) -> Query:
    """The meaning of a client's datagram or TCP message; `structured` is the code of the option that asks for structured errors.

    Raises Silence (RFC 1035: shorter than 12 octets, or QR=1) or Unreadable: NOTIMP for another opcode; FORMERR unless there is exactly one
    question, no answer and no authority record, every name is whole and uncompressed where compression cannot be, at most one OPT and it
    is well-formed, and nothing trails; BADVERS for an EDNS version above 0; NOTAUTH for a TSIG, whose key we cannot know (RFC 8945 section 5.2.1);
    REFUSED for a class other than IN.
    """
    try:
        identifier, flags, questions, answers, authorities, additionals = HEADER.unpack_from(data)
    except StructError:
        raise Silence from None
    if flags & QR:
        raise Silence
    if flags & OPCODE:
        raise Unreadable(NOTIMP, _bare(flags, NOTIMP))
    if questions != 1 or answers or authorities:
        raise Unreadable(FORMERR, _bare(flags, FORMERR))
    labels = []
    position = 12
    try:
        while length := data[position]:
            if length > 63:
                raise Unreadable(FORMERR, _bare(flags, FORMERR))
            end = position + length + 1
            labels.append(data[position:end])
            position = end
        position += 1
        qtype, qclass = _TYPE_CLASS.unpack_from(data, position)
    except (IndexError, StructError):
        raise Unreadable(FORMERR, _bare(flags, FORMERR)) from None
    if position > 12 + 255:
        raise Unreadable(FORMERR, _bare(flags, FORMERR))
    query = Query()
    query.id = identifier
    query.flags = flags
    query.name = data[12:position].lower()
    labels.reverse()
    query.key = b"".join(labels).lower()
    query.qtype = qtype
    position += 4
    query.question = data[12:position]
    query.raw = data
    query.edns = query.do = query.structured = False
    query.limit = 512
    query.constant = True
    if additionals or len(data) != position:
        _read_additional(query, data, position, additionals, structured)
    if qclass != IN:
        raise Unreadable(REFUSED, error_reply(query, REFUSED))
    return query


def _read_additional(query: Query, data: bytes, position: int, records: int, structured: int) -> None:
    seen_opt = False
    try:
        for remaining in range(records - 1, -1, -1):
            start = position
            position = skip_name(data, position)
            kind, _, _, length = _RECORD_FIXED.unpack_from(data, position)
            end = position + 10 + length
            if end > len(data):
                raise Unreadable(FORMERR, _bare(query.flags, FORMERR))
            if kind == OPT:
                if seen_opt or data[start]:
                    raise Unreadable(FORMERR, _bare(query.flags, FORMERR))
                seen_opt = True
                _, size, _, version, flags, _ = _OPT_FIXED.unpack_from(data, position)
                query.edns = True
                query.do = flags & 0x8000 != 0
                query.limit = 512 if size < 512 else UDP_PAYLOAD if size > UDP_PAYLOAD else size
                if version:  # before the options: what they look like is for that version to say
                    raise Unreadable(BADVERS, error_reply(query, BADVERS))
                if length:
                    _read_options(query, data, position + 10, end, structured)
            elif kind == TSIG:
                if remaining or end != len(data):
                    raise Unreadable(FORMERR, _bare(query.flags, FORMERR))
                raise Unreadable(NOTAUTH, _unknown_key(query, data, start, position + 10, end))
            else:
                query.constant = False
            position = end
    except (IndexError, StructError, ValueError):
        raise Unreadable(FORMERR, _bare(query.flags, FORMERR)) from None
    if position != len(data):
        raise Unreadable(FORMERR, _bare(query.flags, FORMERR))


def _read_options(query: Query, data: bytes, position: int, end: int, structured: int) -> None:
    """Sets `constant` and `structured`. Structured errors are asked for by an option of their own, which has no data or else does not count, or, as
    Chromium does and early revisions of the draft did, by an EDE option that says nothing: INFO-CODE 0 without text."""
    while position < end:
        code, length = _OPTION.unpack_from(data, position)
        position += 4 + length
        if position > end:
            raise Unreadable(FORMERR, _bare(query.flags, FORMERR))
        if code == structured and not length:
            query.structured = True
        elif code not in _CONSTANT_OPTIONS or length > 2:
            query.constant = False
        elif code == EDE and data[position - length : position] == b"\0\0":
            query.structured = True


def skip_name(data: bytes, position: int, *, compressed: bool = True) -> int:
    """Where the name at `position` ends, following no pointer; with `compressed` false there may be none.

    Raises IndexError (cut off) or ValueError (a pointer that does not point back past the header, a reserved label type, too long).
    """
    start = position
    while length := data[position]:
        if length >= 0xC0 and compressed:
            if not 12 <= (length & 0x3F) << 8 | data[position + 1] < start:
                raise ValueError(position)
            return position + 2
        if length > 63:
            raise ValueError(position)
        position += length + 1
    if position - start > 254:
        raise ValueError(start)
    return position + 1


def _bare(flags: int, rcode: int) -> bytes:
    """A header alone, all but the ID: what can be said when the question could not be read. Opcode and RD are echoed (RFC 1035 section 4.1.1)."""
    return HEADER.pack(0, QR | flags & (OPCODE | RD) | rcode, 0, 0, 0, 0)[2:]


def opt_record(do: bool, options: bytes = b"", extended: int = 0) -> bytes:
    """Our OPT record: payload size 1232, version 0, the client's DO bit, the upper eight bits of an RCODE."""
    return b"\0" + _OPT_FIXED.pack(OPT, UDP_PAYLOAD, extended, 0, 0x8000 if do else 0, len(options)) + options


PLAIN_OPT = (opt_record(False), opt_record(True))
"""Our OPT record without options, by DO bit."""


def ede(code: int, text: bytes = b"") -> bytes:
    """An Extended DNS Error option (RFC 8914 section 2): INFO-CODE, and EXTRA-TEXT in UTF-8."""
    return b"\0\x0f" + _TYPE_CLASS.pack(2 + len(text), code) + text


def error_reply(query: Query, rcode: int, options: bytes = b"") -> bytes:
    """A reply without records, all but its ID: question, RCODE (0..4095), and OPT with `options` when the client sent one."""
    opt = opt_record(query.do, options, rcode >> 4) if query.edns else b""
    head = HEADER.pack(0, QR | RA | query.flags & (RD | CD) | rcode & 15, 1, 0, 0, 1 if opt else 0)
    return head[2:] + query.question + opt


def truncated_reply(query: Query) -> bytes:
    """A reply without records and with TC, all but its ID: come back over TCP."""
    opt = PLAIN_OPT[query.do] if query.edns else b""
    return HEADER.pack(0, QR | TC | RA | query.flags & (RD | CD), 1, 0, 0, 1 if opt else 0)[2:] + query.question + opt


def _unknown_key(query: Query, data: bytes, owner: int, rdata: int, end: int) -> bytes:
    """NOTAUTH with an unsigned TSIG whose error is BADKEY, all but the ID (RFC 8945 sections 5.2.1 and 5.3.2); FORMERR is for a TSIG that is none."""
    if skip_name(data, owner, compressed=False) != rdata - 10:  # section 4.2: the names of a TSIG are not compressed
        raise ValueError(owner)
    fixed = skip_name(data, rdata, compressed=False)
    signed_at = data[fixed : fixed + 8]  # time signed (48 bits) and fudge, as the client gave them
    other = fixed + 10 + int.from_bytes(data[fixed + 8 : fixed + 10], "big") + 4  # behind the MAC, original ID and error
    if other + 2 > end or other + 2 + int.from_bytes(data[other : other + 2], "big") != end:
        raise ValueError(rdata)
    fields = data[rdata:fixed] + signed_at + b"\0\0" + HEADER.pack(query.id, 17, 0, 0, 0, 0)[:6]
    record = data[owner : rdata - 10] + _RECORD_FIXED.pack(TSIG, ANY, 0, len(fields)) + fields
    opt = PLAIN_OPT[query.do] if query.edns else b""
    head = HEADER.pack(0, QR | RA | query.flags & (RD | CD) | NOTAUTH, 1, 0, 0, 2 if opt else 1)
    return head[2:] + query.question + opt + record
