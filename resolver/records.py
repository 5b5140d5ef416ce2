"""Reads what upstreams answer, and keeps only what was asked for (RFC 1035 sections 4.1.3 and 4.1.4, RFC 2308, RFC 5452 section 6).

An upstream is believed for the question's own chain and no further: records whose owner is not on the chain, name-server records, the
additional section and the OPT are dropped. Every octet of a name is looked at once: a pointer is looked up, not followed, and must lead to where a
name, or the rest of one, was read before. Names in record data are read as well, so that no client is handed a pointer we did not look up. What is
kept becomes the tail of every reply, as octets: compression stays right because a reply repeats a question of the same length at the same
place, and because no name shares an octet with a TTL, the one thing that changes.
It opens no socket and reads no clock.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError

from blocklists.index import Rule
from blocklists.names import key as index_key
from resolver.compression import Names
from resolver.wire import (
    AAAA,
    AD,
    ANY,
    CNAME,
    DNAME,
    HEADER,
    HTTPS,
    IN,
    NOERROR,
    NSEC,
    NSEC3,
    NXDOMAIN,
    OPT,
    QR,
    RRSIG,
    SOA,
    SVCB,
    TC,
    A,
)

_RECORD = Struct(">HHIH")
_TTL_AND_LENGTH = Struct(">IH")
_U32 = Struct(">I")

_NAMES_IN_DATA = {
    2: (0, 1), 3: (0, 1), 4: (0, 1), 5: (0, 1), 7: (0, 1), 8: (0, 1), 9: (0, 1), 12: (0, 1), 39: (0, 1), 6: (0, 2), 14: (0, 2), 17: (0, 2),
    15: (2, 1), 18: (2, 1), 21: (2, 1), 26: (2, 2), 33: (6, 1),
}  # fmt: skip
"""Types whose data may hold compressed names: octets before the first, and how many (RFC 3597 section 4; NAPTR is read apart)."""
_NAPTR = 35
_WHOLE_NAME_IN_DATA = {24: 18, 30: 0, 36: 2, RRSIG: 18, NSEC: 0, 58: 0, SVCB: 2, HTTPS: 2, 107: 2}
"""Types whose data holds a name that must not be compressed, and where; more may follow it. Names further on may be compressed against it."""
_LENGTHS = {A: 4, AAAA: 16}
"""Octets of data, where there can be no other number."""
_READ_IN_FULL = frozenset((*_NAMES_IN_DATA, _NAPTR, *_WHOLE_NAME_IN_DATA, ANY))
"""Types whose answers are always read record by record: their data holds names."""
_NEVER_KEPT = frozenset((OPT, *range(128, 256)))
"""Types that are no data of any name (RFC 6895 section 3.1)."""

_ONE_ANSWER = (1, 0)
"""The usual `counts`, one object for all that are kept."""
_KEPT_AUTHORITY = frozenset((SOA, NSEC, NSEC3, RRSIG))
MAX_CHAIN = 16
"""Aliases followed in one answer; a longer chain is refused (as BIND and Unbound do)."""
MAX_RECORDS = 1000
_MOST_OCTETS = 65535


Ttls = tuple[tuple[int, int], ...]
"""Pairs of a TTL's offset from the message's start and its value in seconds."""


class BadAnswer(Exception):
    """An upstream's message is not a well-formed answer to what was asked."""


class Answer:
    """What an upstream said of one question, ready to be sent to many clients.

    `rcode` 0..15; `tail` the kept records' octets, which stand right after the question; `counts` records in the answer and authority sections;
    `ttls` pairs of (offset of the TTL from the message's start, TTL in seconds as kept); `lifetime` seconds it may be used, 0 means do not keep;
    `chain` index keys of every alias and service target it leads through, in order; `ad` whether the upstream called it authentic.
    `options` are EDE options to send with it. The cache adds `stored`, `aged` and `expires` (seconds of its clock: when it came, of when its tail's
    TTLs are, until when it is fresh), `failed_until` (no new attempt before; RFC 9520), and `judged`/`blocked_by`, the chain's last verdict and the
    generation it was of.
    """

    __slots__ = (
        "ad",
        "aged",
        "blocked_by",
        "chain",
        "counts",
        "expires",
        "failed_until",
        "judged",
        "lifetime",
        "octets",
        "options",
        "rcode",
        "stored",
        "tail",
        "ttls",
    )

    def __init__(self, rcode: int, tail: bytes, counts: tuple[int, int], ttls: Ttls, lifetime: int) -> None:
        self.rcode = rcode
        self.tail = tail
        self.counts = counts
        self.ttls = ttls
        self.lifetime = lifetime
        self.chain: tuple[bytes, ...] = ()
        self.ad = False
        self.options = b""
        self.stored = self.aged = 0
        self.expires = 0
        self.failed_until = 0
        self.octets = 0
        self.judged = -1
        self.blocked_by: Rule | None = None


class Limits:
    """Bounds on what upstreams may have us keep, in seconds: shortest and longest TTL, longest negative TTL."""

    __slots__ = ("longest", "longest_negative", "shortest")

    def __init__(self, shortest: int = 0, longest: int = 86400, longest_negative: int = 3600) -> None:
        self.shortest = shortest
        self.longest = longest
        self.longest_negative = longest_negative


def is_truncated(data: bytes) -> bool:
    """Whether the upstream set TC: ask again over TCP."""
    return data[2] & (TC >> 8) != 0


def read_answer(data: bytes, question: bytes, do: bool, limits: Limits) -> Answer:
    """The usable part of an upstream's message to `question`, the question section as it was sent, its name canonical; `do` as it was sent.

    Raises BadAnswer when the message does not answer it or is malformed anywhere it is read.
    """
    try:
        return _read(data, question, do, limits)
    except (IndexError, StructError, ValueError) as error:
        raise BadAnswer("a record is cut off or a name is malformed") from error


def _read(data: bytes, question: bytes, do: bool, limits: Limits) -> Answer:
    _, flags, questions, answers, authorities, _ = HEADER.unpack_from(data)
    start = 12 + len(question)
    if not flags & QR or questions != 1:
        raise BadAnswer("it is not an answer to one question")
    name = question[:-4]
    qtype = question[-4] << 8 | question[-3]
    echoed = data[12:start]
    if echoed != question and (echoed[-4:] != question[-4:] or echoed[:-4].lower() != name):
        raise BadAnswer("it repeats another question")
    rcode = flags & 15
    if answers + authorities > MAX_RECORDS:
        raise BadAnswer("it has too many records")
    if rcode == NOERROR and answers and not (do and authorities) and qtype not in _READ_IN_FULL:
        plain = _read_plain(data, start, qtype, answers, limits)
        if plain is not None:
            plain.ad = flags & AD != 0
            return plain
    if echoed != question:  # so that names written out through it carry no letters of our choosing (`ports.Dice.vary`)
        data = data[:12] + question + data[start:]
    return _read_all(data, start, (name, qtype), (flags, answers, authorities), limits)


def _read_plain(data: bytes, start: int, qtype: int, answers: int, limits: Limits) -> Answer | None:
    """The common case at a third of the cost: every answer is of the type asked, owned by the question through a pointer, without names in its data.

    None when it is not that case. What follows the answers is dropped unread, so it need not be well-formed.
    """
    ttls = []
    shortest, longest = limits.shortest, limits.longest
    lifetime = longest
    kept_as_sent = True
    position = start
    head = b"\xc0\x0c" + data[start - 4 : start]
    only = _LENGTHS.get(qtype)
    for _ in range(answers):
        if data[position : position + 6] != head:
            return None
        ttl, length = _TTL_AND_LENGTH.unpack_from(data, position + 6)
        end = position + 12 + length
        if end > len(data) or (only is not None and length != only):
            return None
        if not shortest <= ttl <= longest:
            ttl = _bounded(ttl, shortest, longest)
            kept_as_sent = False
        lifetime = min(lifetime, ttl)
        ttls.append((position + 6, ttl))
        position = end
    tail = data[start:position]
    if not kept_as_sent:
        tail = _with_ttls(tail, ttls, start)
    return Answer(NOERROR, tail, _ONE_ANSWER if answers == 1 else (answers, 0), tuple(ttls), lifetime)


def _with_ttls(tail: bytes, ttls: list[tuple[int, int]], start: int) -> bytes:
    patched = bytearray(tail)
    for offset, ttl in ttls:
        _U32.pack_into(patched, offset - start, ttl)
    return bytes(patched)


def _bounded(ttl: int, shortest: int, longest: int) -> int:
    if ttl & 0x80000000:  # RFC 2181 section 8: a TTL with the top bit set is 0
        ttl = 0
    return shortest if ttl < shortest else longest if ttl > longest else ttl


class _Record:
    __slots__ = ("data", "end", "fixed", "kept", "kind", "name", "owner", "start", "ttl")

    def __init__(self, names: Names, position: int) -> None:
        self.start = position
        self.fixed = names.read(position)
        self.name = names.known[position]
        self.owner = self.name.lower()
        self.kind, of_class, self.ttl, length = _RECORD.unpack_from(names.data, self.fixed)
        self.kept = of_class == IN and self.kind not in _NEVER_KEPT
        self.data = self.fixed + 10
        self.end = self.data + length
        if self.end > len(names.data):
            raise BadAnswer("a record is longer than the message")
        if self.kept:
            _read_data(names, self.kind, self.data, self.end)


def _read_data(names: Names, kind: int, position: int, end: int) -> None:
    """Reads the names in a record's data. Raises ValueError or IndexError unless they are well-formed and followed by just what the type has."""
    layout = _NAMES_IN_DATA.get(kind)
    if layout is not None:
        position += layout[0]
        for _ in range(layout[1]):
            position = names.read(position)
        if position != (end - 20 if kind == SOA else end):
            raise ValueError(position)
    elif kind in _WHOLE_NAME_IN_DATA:
        if names.read_whole(position + _WHOLE_NAME_IN_DATA[kind]) > end:
            raise ValueError(position)
    elif kind == _NAPTR:
        if names.read(_skip_naptr_strings(names.data, position)) != end:
            raise ValueError(position)
    elif kind in _LENGTHS and end - position != _LENGTHS[kind]:
        raise ValueError(position)


def _skip_naptr_strings(message: bytes, position: int) -> int:
    position += 4
    for _ in range(3):
        position += message[position] + 1
    return position


def _read_all(data: bytes, start: int, asked: tuple[bytes, int], head: tuple[int, int, int], limits: Limits) -> Answer:
    name, qtype = asked
    flags, answers, authorities = head
    rcode = flags & 15
    names = Names(data)
    names.read(12)
    records = []
    position = start
    for _ in range(answers + authorities):
        record = _Record(names, position)
        records.append(record)
        position = record.end
    answer_section = [r for r in records[:answers] if r.kept]
    owners, targets = _follow_chain(names.known, name, qtype, answer_section)
    kept = [r for r in answer_section if r.owner in owners]
    kept_authority = [r for r in records[answers:] if r.kept and r.kind in _KEPT_AUTHORITY]
    positive = any(r.kind == qtype and r.owner in owners for r in kept)
    lifetime = limits.longest
    for record in kept:
        record.ttl = _bounded(record.ttl, limits.shortest, limits.longest)
        lifetime = min(lifetime, record.ttl)
    for record in kept_authority:
        record.ttl = _bounded(record.ttl, limits.shortest, limits.longest)
    if not positive:
        lifetime = min(lifetime, _negative_lifetime(data, rcode, kept_authority, limits))
    tail, ttls = _assemble(names, start, kept + kept_authority)
    answer = Answer(rcode, tail, (len(kept), len(kept_authority)), ttls, lifetime)
    answer.ad = flags & AD != 0
    answer.chain = tuple(index_key(target) for target in targets)
    return answer


def _negative_lifetime(data: bytes, rcode: int, authority: list[_Record], limits: Limits) -> int:
    """RFC 2308 section 5: the lesser of the SOA's TTL and its MINIMUM; without a SOA it is not kept.

    The SOA's TTL is lowered to it, so that clients forget as soon as we do.
    """
    if rcode not in (NOERROR, NXDOMAIN):
        return 0
    for record in authority:
        if record.kind == SOA:
            minimum = _U32.unpack_from(data, record.end - 4)[0]
            lifetime: int = max(min(record.ttl, minimum, limits.longest_negative), limits.shortest)
            for other in authority:
                other.ttl = min(other.ttl, lifetime)
            return lifetime
    return 0


def _follow_chain(known: dict[int, bytes], name: bytes, qtype: int, records: list[_Record]) -> tuple[set[bytes], list[bytes]]:
    """Owners on the question's chain, and every name it leads to: CNAME and DNAME targets, SVCB and HTTPS targets, also where the chain ends early.

    The order of records does not matter. Raises BadAnswer for a chain longer than MAX_CHAIN.
    """
    aliases = {r.owner: known[r.data].lower() for r in records if r.kind == CNAME}
    redirections = {r.owner: known[r.data].lower() for r in records if r.kind == DNAME}
    owners = {name}
    targets: list[bytes] = []
    current = name
    for _ in range(MAX_CHAIN + 1):
        following = aliases.get(current) if qtype != CNAME else None
        for owner, target in redirections.items():
            if current != owner and current.endswith(owner) and _is_label_boundary(current, len(current) - len(owner)):
                owners.add(owner)
                targets.append(target)
                substituted = current[: len(current) - len(owner)] + target
                if following is None and len(substituted) <= 255:
                    following = substituted
        if following is None or following in owners:
            break
        owners.add(following)
        targets.append(following)
        current = following
    else:
        raise BadAnswer(f"its chain of aliases is longer than {MAX_CHAIN}")
    for record in records:
        if record.owner in owners:
            if record.kind in (CNAME, DNAME):  # those of a second alias for one owner too: some client will follow it
                targets.append(known[record.data].lower())
            elif record.kind in (SVCB, HTTPS) and (target := known[record.data + 2]) != b"\0":
                targets.append(target.lower())
    return owners, list(dict.fromkeys(targets))


def _is_label_boundary(name: bytes, offset: int) -> bool:
    position = 0
    while position < offset:
        position += name[position] + 1
    return position == offset


def _assemble(names: Names, start: int, records: list[_Record]) -> tuple[bytes, Ttls]:
    """The kept records' octets with bounded TTLs, and where the TTLs stand. Cut out as they are when nothing before them was dropped."""
    position = start
    for record in records:
        if record.start != position or names.aliased or _echoes(names, record):
            return _rewrite(names, start, records)
        position = record.end
    tail = bytearray(names.data[start:position])
    ttls = []
    for record in records:
        offset = record.fixed + 4
        _U32.pack_into(tail, offset - start, record.ttl)
        ttls.append((offset, record.ttl))
    return bytes(tail), tuple(ttls)


def _echoes(names: Names, record: _Record) -> bool:
    """Whether the owner was spelled out in capitals though it is the question's name or above it: the case is the one we asked in, not the zone's."""
    return record.name != record.owner and names.known[12].endswith(record.owner)


def _rewrite(names: Names, start: int, records: list[_Record]) -> tuple[bytes, Ttls]:
    """The same, with every name written out, because a pointer could lead into what was dropped, or into what is no name."""
    tail = bytearray()
    ttls = []
    for record in records:
        written = _write_data(names, record)
        tail += record.owner if _echoes(names, record) else record.name
        ttls.append((start + len(tail) + 4, record.ttl))
        tail += names.data[record.fixed : record.fixed + 4] + _U32.pack(record.ttl) + len(written).to_bytes(2, "big") + written
        if len(tail) > _MOST_OCTETS:
            raise BadAnswer("written out, it is longer than any message")
    return bytes(tail), tuple(ttls)


def _write_data(names: Names, record: _Record) -> bytes:
    data = names.data
    layout = _NAMES_IN_DATA.get(record.kind)
    if record.kind == _NAPTR:
        position = _skip_naptr_strings(data, record.data)
        return data[record.data : position] + names.known[position]
    if layout is None:
        return data[record.data : record.end]
    position = record.data + layout[0]
    written = data[record.data : position]
    for _ in range(layout[1]):
        written += names.known[position]
        position = names.read(position)
    return written + data[position : record.end]
