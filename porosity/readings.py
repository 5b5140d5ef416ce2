"""What an answer says, as far as verdicts need it: its addresses wherever they stand, its records, its codes. Pure.

It is read once and without dnspython's messages, which cost ten times as much; what a record holds, dnspython says. A test holds both to the same.
Octets that are no answer are `malformed`, and nothing of them is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import dns.exception
import dns.inet
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from porosity.vectors.asked import questions

_HEADER = 12
_RECORD = 10
"""Octets of a record's type, class, TTL and length."""
_A, _CNAME, _SOA, _AAAA, _DNAME, _OPT, _RRSIG, _SVCB, _HTTPS, _ANY = 1, 5, 6, 28, 39, 41, 46, 64, 65, 255
_IN = 1
_ADDRESS = {_A: 4, _AAAA: 16}
_HINTS = (4, 6)
"""SvcParamKeys `ipv4hint` and `ipv6hint` (RFC 9460, section 7.3)."""
_EDE = 15
"""EDNS option code (RFC 8914, section 2)."""
_TC, _AD = 0x02, 0x20
"""Of the third octet, and of the fourth."""
_KEPT = 4096
"""Octets of an answer up to which its reading is kept: what a longer one says may fill megabytes."""
_MOST_SAID = 1 << 19
"""Characters of all records of an answer; who says more points to the same long name a thousand times, and means to be long in the reading."""
_LONGEST = 512
"""Characters of a record up to which it stands as it is; of a longer one stand its beginning and its hash. A few octets can point to a long name."""

ADDRESSES = frozenset((_A, _AAAA))
ANY = _ANY


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer, read; or why there is none."""

    failure: str = ""
    """As words.Failure; `malformed` also when an answer came that cannot be read."""
    rcode: int = 0
    """With the bits of EDNS (RFC 6891, section 6.1.3)."""
    truncated: bool = False
    addresses: frozenset[bytes] = frozenset()
    """Of class IN, in any section, 4 or 16 octets: of A and AAAA records, and in hints of HTTPS and SVCB."""
    records: frozenset[tuple[int, str]] = frozenset()
    """Type and text of the answer section's records. Of SOA and RRSIG only what stays as it is from day to day."""
    aliases: frozenset[str] = frozenset()
    """Where CNAME and DNAME records of the answer section lead."""
    zone: str = ""
    """Owner of the first SOA record in the authority section, lower case; empty: there is none."""
    signed: bool = False
    """Whether the answer or authority section has a signature."""
    verified: bool = False
    """Whether it says that who answered found all signatures good (the AD bit: RFC 4035, section 3.2.3)."""
    opt: bool = False
    ede: tuple[int, ...] = ()
    """INFO-CODEs of its Extended DNS Errors, sorted."""

    @property
    def called(self) -> str:
        """Its RCODE's name."""
        return _called(self.rcode)

    def items(self, types: frozenset[int]) -> frozenset[object]:
        """What there is in it for who asked for these types: addresses, and records of the types in the answer section."""
        if types <= ADDRESSES:
            return self.addresses
        if _ANY in types:
            return self.addresses | self.records
        return self.addresses | {each for each in self.records if each[0] in types}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message asks for."""

    names: tuple[dns.name.Name, ...]
    """The root's, which stands beside another in a message of two questions, is left out."""
    types: frozenset[int]
    opt: bool
    """Whether it has an OPT record."""


NOTHING = Asked((), frozenset(), False)


def answer(failure: str, octets: bytes) -> Reading:
    """An observation's answer, read."""
    if failure:
        return _failed(failure)
    return _read(octets[2:])


def asked(query: bytes) -> Asked:
    """What a message asks for; nothing, when it never went out or cannot be read."""
    return _asked(query[2:])


@lru_cache(maxsize=1024)
def _asked(octets: bytes) -> Asked:
    """A message without its ID: the same at all resolvers."""
    query = b"\0\0" + octets
    try:
        found = questions(query) if octets else []
    except (dns.exception.DNSException, ValueError, IndexError):
        return NOTHING
    if not found:
        return NOTHING
    named = tuple(name for name in found if name != dns.name.root) or tuple(found)
    return Asked(named, _types(query, len(found)), query[10:12] != b"\0\0")


def _types(query: bytes, count: int) -> frozenset[int]:
    types, at = set(), _HEADER
    for _ in range(count):
        name, length = dns.name.from_wire(query, at)
        at += length + 4
        if name != dns.name.root or count == 1:
            types.add(int.from_bytes(query[at - 4 : at - 2], "big"))
    return frozenset(types)


@lru_cache(maxsize=64)
def _called(rcode: int) -> str:
    return dns.rcode.to_text(dns.rcode.Rcode.make(rcode))


@lru_cache(maxsize=16)
def _failed(failure: str) -> Reading:
    return Reading(failure=failure)


def _read(octets: bytes) -> Reading:
    """An answer without its ID."""
    return _kept(octets) if len(octets) <= _KEPT else _fresh(octets)


@lru_cache(maxsize=8192)
def _kept(octets: bytes) -> Reading:
    return _fresh(octets)


def _fresh(octets: bytes) -> Reading:
    try:
        return _whole(b"\0\0" + octets)
    except (dns.exception.DNSException, ValueError, IndexError):
        return _failed("malformed")


def _whole(wire: bytes) -> Reading:
    if len(wire) < _HEADER:
        raise ValueError("no header")
    at = _HEADER
    for _ in range(int.from_bytes(wire[4:6], "big")):
        at = _after_name(wire, at) + 4
    rcode = wire[3] & 0x0F
    addresses: set[bytes] = set()
    records: set[tuple[int, str]] = set()
    aliases: set[str] = set()
    codes: list[int] = []
    zone, signed, opt, said = "", False, False, 0
    for section, count_at in enumerate((6, 8, 10)):
        for _ in range(int.from_bytes(wire[count_at : count_at + 2], "big")):
            owner, at = at, _after_name(wire, at)
            start, end = at + _RECORD, at + _RECORD + int.from_bytes(wire[at + 8 : at + 10], "big")
            if end > len(wire) or start > len(wire):
                raise ValueError("a record goes on behind the end")
            type, klass = int.from_bytes(wire[at : at + 2], "big"), int.from_bytes(wire[at + 2 : at + 4], "big")
            if type == _OPT:
                rcode |= wire[at + 4] << 4
                opt = True
                codes += _errors(wire, start, end)
            elif type in _ADDRESS and klass == _IN:
                if end - start != _ADDRESS[type]:
                    raise ValueError("an address of another length")
                addresses.add(wire[start:end])
            elif section == 0 or type in (_SVCB, _HTTPS):
                rdata = dns.rdata.from_wire(dns.rdataclass.RdataClass.make(klass), dns.rdatatype.RdataType.make(type), wire, start, end - start)
                addresses |= _hints(type, rdata)
                if section == 0:
                    text = _text(type, rdata)
                    if (said := said + len(text)) > _MOST_SAID:
                        raise ValueError("more is said than 64 KiB hold")
                    records.add((type, _short(text)))
                    if type in (_CNAME, _DNAME):
                        aliases.add(rdata.target.to_text().lower())  # type: ignore[attr-defined]
            elif type == _SOA and section == 1 and not zone:
                zone = dns.name.from_wire(wire, owner)[0].to_text().lower()
            signed = signed or (type == _RRSIG and section < 2)
            at = end
    return Reading(
        "", rcode, bool(wire[2] & _TC), frozenset(addresses), frozenset(records), frozenset(aliases), zone, signed,
        bool(wire[3] & _AD), opt, tuple(sorted(codes)),
    )  # fmt: skip


def _after_name(wire: bytes, at: int) -> int:
    """Where what follows a name begins; the name itself is not followed."""
    while length := wire[at]:
        if length >= 0xC0:
            return at + 2
        if length >= 0x40:
            raise ValueError("a label of no known kind")
        at += length + 1
    return at + 1


def _errors(wire: bytes, at: int, end: int) -> list[int]:
    found = []
    while at < end:
        code, length = int.from_bytes(wire[at : at + 2], "big"), int.from_bytes(wire[at + 2 : at + 4], "big")
        if at + 4 + length > end:
            raise ValueError("an option goes on behind its record")
        if code == _EDE and length >= 2:
            found.append(int.from_bytes(wire[at + 4 : at + 6], "big"))
        at += 4 + length
    return found


def _hints(type: int, rdata: dns.rdata.Rdata) -> set[bytes]:
    if type not in (_SVCB, _HTTPS) or rdata.rdclass != _IN:
        return set()
    found = set()
    for key in _HINTS:
        param = rdata.params.get(key)  # type: ignore[attr-defined]
        found |= {dns.inet.inet_pton(dns.inet.af_for_address(each), each) for each in param.addresses} if param is not None else set()
    return found


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 8]}… {sha256(text.encode()).hexdigest()}"


def _text(type: int, rdata: dns.rdata.Rdata) -> str:
    if type == _SOA:
        return f"{rdata.mname} {rdata.rname}".lower()  # type: ignore[attr-defined]
    if type == _RRSIG:
        return f"{dns.rdatatype.to_text(rdata.type_covered)} {rdata.signer}".lower()  # type: ignore[attr-defined]
    return rdata.to_text().lower()
