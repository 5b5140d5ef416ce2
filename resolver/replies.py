"""Writes the reply to one client out of an answer that is kept: its own question, flags and OPT before and after the answer's octets. Pure."""

from __future__ import annotations

from struct import Struct

from resolver.packetcache import aged
from resolver.records import Answer
from resolver.wire import AD, CD, NOERROR, NXDOMAIN, PLAIN_OPT, QR, RA, RD, Query, ede, opt_record

_HEAD = Struct(">HHHHH")
"""A header without its ID."""
_U32 = Struct(">I")

STALE_TTL = 30
"""Seconds a stale answer is announced for (RFC 8767 section 4)."""
EDE_STALE, EDE_STALE_NXDOMAIN = 3, 19

_RD_AND_CD = RD | CD
_STALE = {NOERROR: ede(EDE_STALE), NXDOMAIN: ede(EDE_STALE_NXDOMAIN)}


def fresh_reply(query: Query, answer: Answer, second: int) -> bytes:
    """All of the reply but its ID; the answer's TTLs are aged to the cache clock's `second`."""
    if answer.aged != second:
        answer.tail = aged(answer.tail, answer.ttls, second - answer.stored, 12 + len(query.question))
        answer.aged = second
    flags = query.flags
    head = QR | RA | flags & _RD_AND_CD | answer.rcode
    if answer.ad and (query.do or flags & AD):
        head |= AD
    options = answer.options
    answers, authorities = answer.counts
    if not query.edns:
        return _HEAD.pack(head, 1, answers, authorities, 0) + query.question + answer.tail
    opt = opt_record(query.do, options) if options else PLAIN_OPT[query.do]
    return _HEAD.pack(head, 1, answers, authorities, 1) + query.question + answer.tail + opt


def stale_reply(query: Query, answer: Answer) -> bytes:
    """The same from an answer whose time is over, which says so (RFC 8767 section 4, RFC 8914)."""
    patched = bytearray(answer.tail)
    base = 12 + len(query.question)
    for offset, _ in answer.ttls:
        _U32.pack_into(patched, offset - base, STALE_TTL)
    flags = QR | RA | query.flags & _RD_AND_CD | answer.rcode
    opt = opt_record(query.do, _STALE.get(answer.rcode, _STALE[NOERROR])) if query.edns else b""
    return _HEAD.pack(flags, 1, answer.counts[0], answer.counts[1], 1 if opt else 0) + query.question + bytes(patched) + opt
