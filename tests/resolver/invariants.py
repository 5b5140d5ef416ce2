"""What must hold for any octets a client or an upstream sends; Hypothesis and the fuzzer hold the same.

The slow twins read with dnspython, which shares no code with what is tested, and filter records in the plainest way.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire

from resolver.records import MAX_CHAIN, Answer, BadAnswer, Limits, read_answer
from resolver.wire import BADVERS, FORMERR, NOTAUTH, NOTIMP, REFUSED, Query, Silence, Unreadable, read_query
from tests.resolver.rig import Rig

DOCUMENTED = {FORMERR, NOTIMP, REFUSED, NOTAUTH, BADVERS}
LIMITS = Limits(5, 9000, 600)
Row = tuple[dns.name.Name, int, int, int, dns.rdata.Rdata]
"""Owner, class, type, TTL and data of one record."""


# What clients send ----------------------------------------------------------------------------------------------------------------------------------


def check_query(data: bytes) -> str:
    """Any octets are met with silence, with an error that says what the standard says, or with their exact meaning. Returns which."""
    try:
        query = read_query(data)
    except Silence:
        assert len(data) < 12 or data[2] & 0x80, "silence for what deserves an answer"
        return "silence"
    except Unreadable as refusal:
        _check_refusal(data, refusal)
        return str(refusal.rcode)
    _check_meaning(data, query)
    return "read"


def _check_refusal(data: bytes, refusal: Unreadable) -> None:
    assert refusal.rcode in DOCUMENTED
    reply = dns.message.from_wire(data[:2] + refusal.reply, keyring=False)
    assert reply.rcode() == refusal.rcode
    assert reply.id == int.from_bytes(data[:2], "big")
    assert reply.flags & (dns.flags.QR | dns.flags.AA | dns.flags.AD | dns.flags.TC) == dns.flags.QR
    assert reply.opcode() == data[2] >> 3 & 15
    assert (refusal.rcode == NOTIMP) == (reply.opcode() != 0)
    if refusal.rcode in (REFUSED, BADVERS, NOTAUTH):  # the question could be read, and comes back as it was
        assert data[12:].startswith(reply.question[0].name.to_wire())
        assert (refusal.reply[10:])[: _question_length(data)] == data[12 : 12 + _question_length(data)]
    if refusal.rcode == REFUSED:
        assert reply.question[0].rdclass != dns.rdataclass.IN
    if refusal.rcode == FORMERR and data[4:10] == b"\0\1\0\0\0\0" and _all_names_are_plain(data):
        try:
            dns.message.from_wire(data, keyring=False)
        except (dns.exception.DNSException, ValueError, struct.error):
            return
        raise AssertionError("FORMERR for a query that dnspython reads without complaint")


def _name(parser: dns.wire.Parser) -> tuple[dns.name.Name, int]:
    """The name there, pointers followed, and how many octets it has in place."""
    name, octets = dns.name.from_wire(parser.wire, parser.current)
    parser.get_bytes(octets)
    return name, octets


def _question_length(data: bytes) -> int:
    parser = dns.wire.Parser(data, 12)
    _name(parser)
    return parser.current + 4 - 12


def _all_names_are_plain(data: bytes) -> bool:
    """Whether no owner of the question and the additional section is compressed, as far as dnspython can tell."""
    parser = dns.wire.Parser(data, 12)
    try:
        for number in range(1 + int.from_bytes(data[10:12], "big")):
            name, octets = _name(parser)
            if octets != len(name.to_wire()):
                return False
            kind, _ = parser.get_struct("!HH")
            if number:
                parser.get_uint32()
                length = parser.get_uint16()
                if kind == dns.rdatatype.TSIG:
                    return False  # dnspython does not judge one it has no key for
                parser.get_bytes(length)
    except (dns.exception.DNSException, ValueError, struct.error):
        return True
    return True


def _check_meaning(data: bytes, query: Query) -> None:
    read = dns.message.from_wire(data, continue_on_error=True, keyring=False)
    assert read.opcode() == dns.opcode.QUERY
    assert (query.id, query.flags) == (read.id, int.from_bytes(data[2:4], "big"))
    (asked,) = read.question
    assert query.name == asked.name.canonicalize().to_wire()
    assert (query.qtype, asked.rdclass) == (asked.rdtype, dns.rdataclass.IN)
    assert query.question == data[12 : 12 + _question_length(data)]
    labels = [bytes((len(label),)) + label for label in asked.name.canonicalize().labels if label]
    assert query.key == b"".join(reversed(labels))
    opt, others = _additional_slowly(data)
    assert query.edns == (opt is not None)
    if opt is None:
        assert (query.do, query.limit, query.structured) == (False, 512, False)
    else:
        assert opt.version == 0
        assert query.do == (opt.flags & 0x8000 != 0)
        assert query.limit == min(max(opt.payload, 512), 1232)
        if query.constant:
            assert all(code in (3, 11, 15, 26) and len(octets) <= 2 for code, octets in opt.options)
        assert query.structured == ((26, b"") in opt.options or (15, b"\0\0") in opt.options)
    if query.constant:
        assert not others
    assert query.raw == data


@dataclass
class Opt:
    """An OPT record, its options unread."""

    payload: int
    version: int
    flags: int
    options: list[tuple[int, bytes]]


def _additional_slowly(data: bytes) -> tuple[Opt | None, int]:
    """The OPT record of a query, and how many other records its additional section has. Options are not interpreted, as dns.message would."""
    parser = dns.wire.Parser(data, 12)
    _name(parser)
    parser.get_bytes(4)
    found = None
    count = int.from_bytes(data[10:12], "big")
    for _ in range(count):
        _skip_owner(parser)
        kind, payload, _, version, flags, length = parser.get_struct("!HHBBHH")
        inner = dns.wire.Parser(parser.get_bytes(length))
        if kind == dns.rdatatype.OPT:
            options = []
            while inner.remaining():
                code, size = inner.get_struct("!HH")
                options.append((code, inner.get_bytes(size)))
            assert found is None
            found = Opt(payload, version, flags, options)
    assert parser.remaining() == 0
    return found, count - (found is not None)


def _skip_owner(parser: dns.wire.Parser) -> None:
    """Past an owner whose pointer, if it has one, is of no interest: nothing of such a record is used."""
    while length := parser.get_uint8():
        if length >= 192:
            parser.get_uint8()
            return
        parser.get_bytes(length)


# What upstreams send --------------------------------------------------------------------------------------------------------------------------------


@dataclass
class Reading:
    """What dnspython finds in a message: the sections as far as they could be read."""

    rcode: int
    answer: list[Row] | None
    authority: list[Row] | None


def read_slowly(data: bytes) -> Reading:
    """A message, record by record."""
    counts = struct.unpack_from("!6H", data)
    parser = dns.wire.Parser(data, 12)
    for _ in range(counts[2]):
        _name(parser)[0]
        parser.get_bytes(4)
    sections: list[list[Row] | None] = [None, None]
    try:
        for section in (0, 1):
            sections[section] = [_read_row(parser) for _ in range(counts[3 + section])]
    except (dns.exception.DNSException, ValueError, struct.error):
        pass
    return Reading(counts[1] & 15, sections[0], sections[1])


_NAMES_ALONE = {3: 1, 4: 1, 7: 1, 8: 1, 9: 1, 14: 2}
"""MD, MF, MB, MG, MR and MINFO: types of RFC 1035 whose data is so many names, which may be compressed; dnspython knows none of them."""


def _read_row(parser: dns.wire.Parser) -> Row:
    owner = _name(parser)[0]
    kind, of_class, ttl, length = parser.get_struct("!HHIH")
    start = parser.current
    octets = parser.get_bytes(length)
    try:
        with_names = dns.wire.Parser(parser.wire, start)
        with with_names.restrict_to(length):
            if kind in _NAMES_ALONE:
                read = [dns.name.from_wire_parser(with_names) for _ in range(_NAMES_ALONE[kind])]
                data: dns.rdata.Rdata = dns.rdata.GenericRdata(of_class, kind, b"".join(name.canonicalize().to_wire() for name in read))
            else:
                data = dns.rdata.from_wire_parser(of_class, kind, with_names)
    except (dns.exception.DNSException, ValueError, struct.error):
        data = dns.rdata.GenericRdata(of_class, kind, octets)  # a type whose inside is not our business
    return owner, of_class, kind, ttl, data


def kept_slowly(reading: Reading, name: dns.name.Name, qtype: int) -> tuple[list[Row], list[Row]]:
    """The records on the question's own chain, and of the authority section those that prove a negative."""
    answer = [row for row in reading.answer or () if row[1] == dns.rdataclass.IN and not _is_no_data(row[2])]
    # Of several at one name, which is illegal, the last is followed; all are kept, and judged.
    redirections = {row[0]: row[4].target for row in answer if row[2] == dns.rdatatype.DNAME}  # type: ignore[attr-defined]
    owners = {name}
    current = name
    for _ in range(MAX_CHAIN + 1):
        following = None
        for owner, target in redirections.items():
            if current != owner and current.is_subdomain(owner):
                owners.add(owner)
                try:
                    following = following or current.relativize(owner) + target
                except dns.name.NameTooLong:
                    continue
        if qtype != dns.rdatatype.CNAME:
            targets = [data.target for owner, _, kind, _, data in answer if kind == dns.rdatatype.CNAME and owner == current]  # type: ignore[attr-defined]
            following = targets[-1] if targets else following
        if following is None or following in owners:
            break
        owners.add(following)
        current = following
    authority = [row for row in reading.authority or () if row[1] == dns.rdataclass.IN and row[2] in (6, 46, 47, 50)]
    return [row for row in answer if row[0] in owners], authority


def _is_no_data(kind: int) -> bool:
    return kind == dns.rdatatype.OPT or 128 <= kind <= 255


def bounded(ttl: int, limits: Limits) -> int:
    """A TTL within the limits (RFC 2181 section 8: one with its top bit set is 0)."""
    return min(max(0 if ttl >= 1 << 31 else ttl, limits.shortest), limits.longest)


def recase(question: bytes) -> bytes:
    """The question section with every other letter a capital, as some clients send it."""
    name = bytes(octet - 32 if 97 <= octet <= 122 and place % 2 else octet for place, octet in enumerate(question[:-4]))
    return name + question[-4:]


_RIG = Rig(limits=LIMITS)
_COOKIE = b"\0\x0a\0\x08" + bytes(8)
"""An option that keeps its query, and thus its reply, out of the packet cache."""


def check_answer(data: bytes, question: bytes, do: bool) -> Answer | None:
    """Any octets are refused as BadAnswer (None), or a client gets of them exactly what dnspython finds on the question's chain."""
    try:
        answer = read_answer(data, question, do, LIMITS)
    except BadAnswer:
        return None
    name = dns.name.from_wire(question, 0)[0]
    qtype = int.from_bytes(question[-4:-2], "big")
    reading = read_slowly(data)
    assert reading.answer is not None, "records that dnspython cannot read were kept"
    expected, expected_authority = kept_slowly(reading, name, qtype)
    reply = _recomposed(answer, question, do)
    found = read_slowly(reply)
    assert reply[:2] == b"\x12\x34"
    assert reply[12 : 12 + len(question)] == recase(question)
    assert found.rcode == answer.rcode == data[3] & 15
    assert found.answer is not None
    assert found.authority is not None
    _check_rows(found.answer, expected)
    if found.authority or not found.answer or answer.rcode:  # else it was all of the type asked, and the rest was dropped unread
        assert reading.authority is not None, "records that dnspython cannot read were kept"
        _check_rows(found.authority, expected_authority)
    _check_lifetime(answer, found)
    return answer


def _recomposed(answer: Answer, question: bytes, do: bool) -> bytes:
    """What a client that writes the name in another way, and has another OPT, gets."""
    opt = b"\0\0\x29\x10\0\0\0" + (b"\x80\0" if do else b"\0\0") + bytes((0, len(_COOKIE))) + _COOKIE
    asked = b"\x12\x34\x01\0\0\1\0\0\0\0\0\1" + recase(question) + opt
    reply = _RIG.ask(asked, _RIG.tcp)
    assert reply is None, "answered without asking"
    lookup = _RIG.lookups.pop()
    assert (lookup.question, lookup.do) == (question, do)
    lookup.group.answers.drop(lookup.key)
    answer.ad = False
    _RIG._deliver(_RIG.engine.answered(lookup, answer))
    lookup.group.answers.drop(lookup.key)
    ((_, reply),) = _RIG.mailbox.take()
    return reply


def _check_rows(found: list[Row], expected: list[Row]) -> None:
    assert [row[:3] for row in found] == [row[:3] for row in expected]
    for (_, _, _, ttl, data), (_, _, _, ttl_before, data_before) in zip(found, expected, strict=True):
        assert data == data_before
        assert ttl <= bounded(ttl_before, LIMITS)
        assert ttl == bounded(ttl_before, LIMITS) or ttl <= LIMITS.longest_negative


def _check_lifetime(answer: Answer, found: Reading) -> None:
    for _, _, _, ttl, _ in found.answer or ():
        assert answer.lifetime <= ttl <= LIMITS.longest
        assert ttl >= LIMITS.shortest
    soas = [row for row in found.authority or () if row[2] == dns.rdatatype.SOA]
    if not found.answer:
        assert (answer.lifetime > 0) <= bool(soas), "a negative without a SOA is not kept"
        if answer.rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            assert answer.lifetime == 0
            return
        for _, _, _, ttl, _ in soas[:1]:
            assert answer.lifetime in (0, ttl)
            assert ttl <= LIMITS.longest_negative
