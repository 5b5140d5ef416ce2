"""Whatever an upstream sends is refused, or passed on as exactly what dnspython finds on the question's own chain."""

from __future__ import annotations

import struct
import time
from contextlib import suppress

import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from resolver.records import MAX_CHAIN, Answer, BadAnswer, Limits, is_truncated, read_answer
from tests.resolver.invariants import check_answer, read_slowly
from tests.resolver.rig import key, upstream_says
from tests.resolver.test_wire import mutated

NAMES = ("www.example.", "example.", "a.example.", "www.a.example.", "cdn.invalid.example.", "x.cdn.invalid.example.", "Host.Other.", ".")
NAME = st.sampled_from(NAMES)
TTL = st.sampled_from([0, 1, 30, 300, 9000, 9001, 2**31 - 1])
DATA = st.one_of(
    st.sampled_from(["A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1", 'TXT "text"', "NSEC3 1 0 1 ab 2t7b4g4vsa5smi47k61mv5bv1a22bojr A"]),
    NAME.map(lambda name: f"CNAME {name}"),
    NAME.map(lambda name: f"CNAME {name}"),
    NAME.map(lambda name: f"DNAME {name}"),
    NAME.map(lambda name: f"NS {name}"),
    NAME.map(lambda name: f"MX 10 {name}"),
    NAME.map(lambda name: f"SRV 1 2 53 {name}"),
    NAME.map(lambda name: f'NAPTR 1 2 "s" "SIP+D2U" "!^.*$!x!" {name}'),
    NAME.map(lambda name: f"SOA ns.example. {name} 1 2 3 4 60"),
    NAME.map(lambda name: f"HTTPS 1 {name} alpn=h2"),
    NAME.map(lambda name: f"NSEC {name} A NS"),
    NAME.map(lambda name: f"RRSIG A 8 2 300 20300101000000 20200101000000 1 {name} AAAA"),
)
KINDS = ["A", "AAAA", "CNAME", "DNAME", "MX", "TXT", "HTTPS", "SRV", "NAPTR", "SOA", "NS", "DS", "RRSIG"]


def section_of(name: str, kind: str) -> bytes:
    """A question section, its name canonical."""
    return dns.name.from_text(name).canonicalize().to_wire() + struct.pack(">HH", dns.rdatatype.from_text(kind), 1)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A question section, and an upstream's well-formed message to it: records on the chain and off it, in any order."""
    asked = section_of(draw(NAME), draw(st.sampled_from(KINDS)))
    message = dns.message.from_wire(upstream_says(asked, rcode=draw(st.sampled_from(["NOERROR", "NOERROR", "NXDOMAIN"]))))
    for section, most in ((message.answer, 5), (message.authority, 3), (message.additional, 1)):
        for _ in range(draw(st.integers(0, most))):
            kind, data = draw(DATA).split(None, 1)
            of_class = draw(st.sampled_from(["IN"] * 9 + ["CH"])) if kind in ("TXT", "MX") else "IN"
            rdata = dns.rdata.from_text(of_class, kind, data, origin=dns.name.root, relativize=False)
            section.append(dns.rrset.from_rdata(dns.name.from_text(draw(NAME)), draw(TTL), rdata))
    return asked, message.to_wire()


@settings(max_examples=300)
@given(answers(), st.booleans())
def test_well_formed_answers(case: tuple[bytes, bytes], do: bool) -> None:
    asked, data = case
    event("read" if check_answer(data, asked, do) else "refused")


@settings(max_examples=600)
@given(answers(), st.booleans(), st.data())
def test_mutated_answers(case: tuple[bytes, bytes], do: bool, source: st.DataObject) -> None:
    asked, valid = case
    data = source.draw(mutated(st.just(valid), 2))
    assume(len(data) >= 4)
    event("read" if check_answer(data, asked, do) else "refused")


@settings(max_examples=200)
@given(st.binary(max_size=120), st.integers(0, 3), st.integers(0, 3))
def test_any_octets_behind_a_plausible_beginning(data: bytes, count: int, authorities: int) -> None:
    asked = section_of("www.example.", "MX")
    event("read" if check_answer(b"\0\0\x80\0\0\1" + struct.pack(">HHH", count, authorities, 0) + asked + data, asked, False) else "refused")


ASKED = section_of("www.example.", "A")


def reading(
    answer: list[str], authority: list[str] | None = None, asked: bytes = ASKED, rcode: str = "NOERROR", limits: Limits | None = None
) -> Answer:
    return read_answer(upstream_says(asked, answer, authority or [], rcode), asked, False, limits or Limits())


def owners(answer: Answer, asked: bytes = ASKED) -> list[str]:
    found = read_slowly(bytes(4) + b"\0\1" + struct.pack(">HHH", *answer.counts, 0) + asked + answer.tail)
    assert found.answer is not None
    return [str(row[0]) for row in found.answer]


def test_records_off_the_chain_are_dropped() -> None:
    answer = reading(["evil.example. 9 A 192.0.2.66", "www.example. 9 CNAME a.example.", "b.example. 9 A 192.0.2.67", "a.example. 9 A 192.0.2.1"])
    assert owners(answer) == ["www.example.", "a.example."]
    assert answer.chain == (key("a.example"),)


def test_every_alias_that_is_kept_is_judged() -> None:
    """Two CNAMEs at one name are illegal, and some client will follow either."""
    two = ["www.example. 9 CNAME a.example.", "www.example. 9 CNAME b.example.", "b.example. 9 A 192.0.2.1"]
    assert set(reading(two).chain) == {key("a.example"), key("b.example")}
    assert set(reading([two[1], two[0], two[2]]).chain) == {key("a.example"), key("b.example")}
    dname = section_of("www.example.", "DNAME")
    assert reading(["www.example. 9 DNAME c.example."], asked=dname).chain == (key("c.example"),)


def test_a_chain_is_followed_in_any_order_and_no_further_than_allowed() -> None:
    links = [f"n{number}.example. 9 CNAME n{number + 1}.example." for number in range(MAX_CHAIN)]
    asked = section_of("n0.example.", "A")
    assert reading(links[::-1], asked=asked).chain == tuple(key(f"n{number}.example") for number in range(1, MAX_CHAIN + 1))
    with pytest.raises(BadAnswer, match="chain of aliases"):
        reading([*links, f"n{MAX_CHAIN}.example. 9 CNAME end.example."], asked=asked)


@pytest.mark.parametrize("loop", [["www.example. 9 CNAME www.example."], ["www.example. 9 CNAME a.example.", "a.example. 9 CNAME www.example."]])
def test_a_loop_ends(loop: list[str]) -> None:
    assert set(reading(loop).chain) <= {key("a.example"), key("www.example")}


def test_a_dname_substitution_that_would_be_too_long_leads_nowhere() -> None:
    long = ".".join(["a" * 60] * 3)
    asked = section_of(f"{long}.example.", "A")
    assert reading([f"example. 9 DNAME {'b' * 60}.{'c' * 60}."], asked=asked).chain == (key(f"{'b' * 60}.{'c' * 60}"),)


NEGATIVE = ["example. 300 SOA ns.example. h.example. 1 2 3 4 60"]


@pytest.mark.parametrize(
    ("authority", "limits", "lifetime"),
    [
        (NEGATIVE, Limits(), 60),
        (["example. 30 SOA ns.example. h.example. 1 2 3 4 60"], Limits(), 30),
        (["example. 99999 SOA ns.example. h.example. 1 2 3 4 99999"], Limits(), 3600),
        (["example. 99999 SOA ns.example. h.example. 1 2 3 4 99999"], Limits(0, 86400, 7), 7),
        (["example. 0 SOA ns.example. h.example. 1 2 3 4 60"], Limits(), 0),
        (["example. 0 SOA ns.example. h.example. 1 2 3 4 60"], Limits(20), 20),
        ([], Limits(), 0),
        (["example. 300 NS ns.example."], Limits(), 0),
    ],
)
@pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN"])
def test_how_long_a_negative_is_kept(authority: list[str], limits: Limits, lifetime: int, rcode: str) -> None:
    """RFC 2308 section 5; what is announced is what is kept."""
    answer = reading([], authority, rcode=rcode, limits=limits)
    assert answer.lifetime == lifetime
    assert answer.counts == (0, 1 if "SOA" in "".join(authority) else 0)
    assert all(ttl == lifetime for _, ttl in answer.ttls)


@pytest.mark.parametrize(("ttl", "kept"), [(0, 5), (4, 5), (5, 5), (600, 600), (601, 600), (2**31 - 1, 600)])
@pytest.mark.parametrize("first", ["A 192.0.2.1", "CNAME a.example."])
def test_ttl_limits(ttl: int, kept: int, first: str) -> None:
    answer = reading([f"www.example. {ttl} {first}"], limits=Limits(5, 600))
    assert [found for _, found in answer.ttls] == [kept]
    octets = bytearray(upstream_says(ASKED, ["www.example. 1 A 192.0.2.1"]))
    octets[-10:-6] = b"\x80\0\0\1"  # RFC 2181 section 8: the top bit makes it 0
    assert read_answer(bytes(octets), ASKED, False, Limits(5, 600)).ttls[0][1] == 5


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "cut off"),
        (upstream_says(ASKED)[:20], "another question"),
        (upstream_says(section_of("wwx.example.", "A")), "another question"),
        (upstream_says(section_of("www.example.", "AAAA")), "another question"),
        (b"\0\0\1\0" + upstream_says(ASKED)[4:], "not an answer"),
        (upstream_says(ASKED)[:5] + b"\2" + upstream_says(ASKED)[6:], "not an answer"),
        (upstream_says(ASKED)[:6] + b"\x03\xe9" + upstream_says(ASKED)[8:], "too many records"),
        (upstream_says(ASKED, ["www.example. 9 A 192.0.2.1"])[:-1], "longer than the message"),
        (upstream_says(ASKED)[:6] + b"\0\1" + upstream_says(ASKED)[8:] + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\3abc", "malformed"),
    ],
)
def test_what_is_no_answer_is_refused_with_its_reason(octets: bytes, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        read_answer(octets, ASKED, False, Limits())


def message(count: int, records: bytes) -> bytes:
    return b"\0\0\x81\x80\0\1" + struct.pack(">HHH", count, 0, 0) + ASKED + records


def record(owner: bytes, kind: int, data: bytes, ttl: int = 300) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


START = 12 + len(ASKED)


@pytest.mark.parametrize(
    "owner",
    [
        struct.pack(">H", 0xC000 | START),  # to itself
        struct.pack(">H", 0xC000 | START + 2),  # forward
        b"\1a" + struct.pack(">H", 0xC000 | START),  # a loop through its own label
        b"\xc0\0",  # into the header
        b"\xff\xff",
        b"\x80a\0",  # reserved label types (RFC 6891 section 5)
        b"\x41\0",
        b"\1a" * 127 + b"\xc0\x0c",  # too long a name
    ],
)
def test_names_that_lead_nowhere_are_refused(owner: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_answer(message(1, record(owner, 16, b"\1x")), ASKED, False, Limits())


@pytest.mark.parametrize(("kind", "before"), [(24, 18), (46, 18), (47, 0), (64, 2), (65, 2)])
def test_no_pointer_is_passed_on_where_names_are_not_compressed(kind: int, before: int) -> None:
    """RFC 3597 section 4, RFC 9460 section 2.2: a client that does not expect one would misread all that follows."""
    with pytest.raises(BadAnswer):
        read_answer(message(1, record(b"\xc0\x0c", kind, bytes(before) + b"\xc0\x0c")), section_of("www.example.", "A"), False, Limits())


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\1", b"\0\1\3abc"])
def test_a_service_target_ends_within_its_record(data: bytes) -> None:
    asked = section_of("www.example.", "HTTPS")
    octets = b"\0\0\x81\x80\0\1\0\2\0\0\0\0" + asked + record(b"\xc0\x0c", 65, data) + record(b"\xc0\x0c", 65, b"\0\1\0")
    with pytest.raises(BadAnswer):
        read_answer(octets, asked, False, Limits())


def test_a_soa_has_its_five_numbers() -> None:
    """Its MINIMUM was once read out of whatever stood before the record's end."""
    asked = section_of("www.example.", "A")
    for numbers, ok in ((b"", False), (bytes(19), False), (bytes(20), True), (bytes(21), False)):
        octets = b"\0\0\x81\x83\0\1\0\0\0\1\0\0" + asked + record(b"\xc0\x10", 6, b"\xc0\x0c\xc0\x0c" + numbers)
        if ok:
            assert read_answer(octets, asked, False, Limits()).lifetime == 0
        else:
            with pytest.raises(BadAnswer):
                read_answer(octets, asked, False, Limits())


def test_a_pointer_into_a_ttl_does_not_change_with_it() -> None:
    """Lawful by the letter, and a way to show a client another alias a second later than the one that was judged."""
    first = record(b"\xc0\x0c", 16, b"\1x", 0x01620000)  # its TTL reads as the name `b.`
    octets = message(2, first + record(b"\xc0\x0c", 5, struct.pack(">H", 0xC000 | START + 6)))
    answer = read_answer(octets, ASKED, False, Limits(0, 1 << 30))
    assert answer.chain == (b"\1b",)
    assert answer.tail.endswith(b"\0\3\1b\0")
    checked = check_answer(octets, ASKED, False)
    assert checked is not None
    assert checked.tail.endswith(b"\0\3\1b\0")


def test_a_pointer_does_not_lead_through_itself() -> None:
    """Into opaque data whose last label takes in the pointer: found by the fuzzer, because dnspython then reads on from elsewhere."""
    opaque = record(b"\xc0\x0c", 999, b"\5other\3")
    through = record(struct.pack(">H", 0xC000 | START + 12), 1536, b"x" * 29)
    with pytest.raises(BadAnswer):
        read_answer(message(2, opaque + through), ASKED, False, Limits())
    whole = record(b"\xc0\x0c", 999, b"\5other\0")
    assert read_answer(message(2, whole + through), ASKED, False, Limits()).counts == (1, 0)


def test_hostile_compression_costs_no_more_than_its_octets() -> None:
    """Two overlapping pointers, and the longest chain of them that 14 bits can address, looked at again by every record."""
    hops = b"".join(struct.pack(">H", 0xC000 | target) for target in [12, *range(START + 12, 16380, 2)])
    chain = record(b"\xc0\x0c", 999, hops)
    top = struct.pack(">H", 0xC000 | (START + 12 + len(hops) - 2) & 0x3FFF)
    many = b"".join(record(top, 6, top + top + bytes(20)) for _ in range(900))
    overlapping = record(b"\xc0\x0c", 999, b"\xc0" * 16000)
    long_name = record(b"\1a" * 120 + b"\0", 16, b"\1x")
    deep = b"".join(record(b"\1b" + struct.pack(">H", 0xC000 | START), 17, b"\xc0\x0c\xc0\x0c") for _ in range(900))
    for octets in (message(901, chain + many), message(901, overlapping + many), message(901, long_name + deep)):
        assert len(octets) < 65536
        begun = time.process_time()
        with suppress(BadAnswer):
            read_answer(octets, ASKED, False, Limits())
        assert time.process_time() - begun < 0.3


def test_pointers_to_pointers_are_bounded() -> None:
    """Each record's owner is a pointer to the one before: lawful, and each is looked up, not followed."""
    places = [START + 14 * number for number in range(900)]
    octets = b"".join(record(struct.pack(">H", 0xC000 | at), 999, b"xy") for at in [12, *places[:-1]])
    begun = time.process_time()
    assert read_answer(message(900, octets), ASKED, False, Limits()).counts == (900, 0)
    assert time.process_time() - begun < 0.3


def test_written_out_it_must_still_fit_a_message() -> None:
    """A record off the chain makes the rest be written out without compression; what then exceeds any message is refused, not kept."""
    asked = section_of(".".join(["a" * 60] * 4), "MX")
    data = b"\0\1" + b"\xc0\x0c"
    octets = record(b"\3off\0", 16, b"\1x") + b"".join(record(b"\xc0\x0c", 15, data) for _ in range(900))
    with pytest.raises(BadAnswer, match="longer than any message"):
        read_answer(b"\0\0\x81\x80\0\1" + struct.pack(">HHH", 901, 0, 0) + asked + octets, asked, False, Limits())


def test_other_classes_and_types_that_are_no_data_are_dropped() -> None:
    octets = (
        b"".join(record(b"\xc0\x0c", kind, b"") for kind in (41, 250, 255)) + b"\xc0\x0c\0\1\0\3\0\0\0\1\0\4abcd" + record(b"\xc0\x0c", 1, b"abcd")
    )
    assert read_answer(message(5, octets), ASKED, False, Limits()).counts == (1, 0)


def test_truncation_is_seen() -> None:
    octets = upstream_says(ASKED)
    assert not is_truncated(octets)
    assert is_truncated(octets[:2] + bytes((octets[2] | 2,)) + octets[3:])
