"""An answer read without dnspython's messages says what dnspython says of it; octets that are none are malformed, whatever they are."""

from __future__ import annotations

import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from hypothesis import given, settings
from hypothesis import strategies as st

from porosity import readings
from porosity.readings import Reading
from tests.porosity import said

_OWNERS = st.sampled_from(["blocked.example.", "www.blocked.example.", "BLOCKED.example.", "."])
_RECORDS = st.sampled_from(
    [
        ("A", "198.51.100.1"), ("A", "198.51.100.2"), ("AAAA", "2001:db8:51::1"), ("CNAME", "www.Blocked.example."),
        ("MX", "10 mail.blocked.example."),
        ("NS", "ns.blocked.example."), ("TXT", '"The text" "and more"'), ("SRV", "1 2 443 www.blocked.example."), ("PTR", "blocked.example."),
        ("SOA", "ns.blocked.example. who.blocked.example. 1 2 3 4 5"), ("HTTPS", "1 . alpn=h2 ipv4hint=198.51.100.7 ipv6hint=2001:db8:51::7"),
        ("HTTPS", "0 other.example."), ("SVCB", "1 dns.example. port=853"), ("DNAME", "there.example."), ("CAA", '0 issue "ca.example"'),
        ("RRSIG", "A 13 2 300 20300101000000 20200101000000 1 blocked.example. AAAA"), ("DS", "1 13 2 " + "00" * 32),
    ]
)  # fmt: skip
_SECTION = st.lists(st.tuples(_OWNERS, _RECORDS), max_size=4)


@st.composite
def messages(draw: st.DrawFn) -> dns.message.Message:
    """Any answer of known records."""
    asked = dns.message.make_query("blocked.example.", draw(st.sampled_from(["A", "HTTPS", "ANY"])), use_edns=draw(st.sampled_from([0, False])))
    made = dns.message.make_response(asked)
    made.set_rcode(draw(st.sampled_from([dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED])))
    for section in (made.answer, made.authority, made.additional):
        for owner, (type, text) in draw(_SECTION):
            section.append(dns.rrset.from_text(owner, 300, "IN", type, text))
    if asked.edns == 0:
        codes = draw(st.lists(st.sampled_from([0, 4, 15, 16, 17, 22]), max_size=3))
        made.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode(code), "why") for code in codes])
        if draw(st.booleans()):
            made.set_rcode(dns.rcode.BADVERS)
    return made


def by_dnspython(wire: bytes) -> Reading:
    """The slow and obvious twin."""
    message = dns.message.from_wire(wire)
    sections = (message.answer, message.authority, message.additional)
    found = [(place, rrset, rdata) for place, section in enumerate(sections) for rrset in section for rdata in rrset]
    addresses = {rdata.address for _, _, rdata in found if rdata.rdtype in (1, 28)}
    for _, _, rdata in found:
        for hint in getattr(rdata, "params", {}).values():
            addresses |= set(getattr(hint, "addresses", ()))
    texts = {
        dns.rdatatype.SOA: lambda rdata: f"{rdata.mname} {rdata.rname}",
        dns.rdatatype.RRSIG: lambda rdata: f"{dns.rdatatype.to_text(rdata.type_covered)} {rdata.signer}",
    }
    return Reading(
        rcode=int(message.rcode()),
        truncated=bool(message.flags & dns.flags.TC),
        addresses=frozenset(dns.inet.inet_pton(dns.inet.af_for_address(each), each) for each in addresses),
        records=frozenset(
            (int(rdata.rdtype), texts.get(rdata.rdtype, lambda each: each.to_text())(rdata).lower())
            for place, _, rdata in found
            if place == 0 and rdata.rdtype not in (1, 28)
        ),
        aliases=frozenset(rdata.target.to_text().lower() for place, _, rdata in found if place == 0 and rdata.rdtype in (5, 39)),
        zone=next((rrset.name.to_text().lower() for place, rrset, _ in found if place == 1 and rrset.rdtype == 6), ""),
        signed=any(place < 2 and rrset.rdtype == 46 for place, rrset, _ in found),
        verified=bool(message.flags & dns.flags.AD),
        opt=message.edns >= 0,
        ede=tuple(sorted(int(each.code) for each in message.options if isinstance(each, dns.edns.EDEOption))),
    )


@given(messages())
@settings(deadline=None)
def test_it_says_what_dnspython_says(message: dns.message.Message) -> None:
    wire = message.to_wire(max_size=65535)
    assert readings.answer("", wire) == by_dnspython(wire)


@given(st.binary(max_size=80), st.integers(0, 200), st.binary(max_size=4))
@settings(deadline=None)
def test_octets_that_dnspython_reads_are_read_alike_and_others_raise_nothing(octets: bytes, at: int, other: bytes) -> None:
    whole = said.answer(
        dns.message.make_query("blocked.example.", "HTTPS", use_edns=0).to_wire(), "NOERROR; HTTPS 1 . ipv4hint=198.51.100.1; EDE 15"
    )[1]
    for wire in (octets, whole[:at] + other + whole[at + len(other) :], whole[:at]):
        found = readings.answer("", wire)
        assert found.failure in ("", "malformed")
        try:
            expected = by_dnspython(wire)
        except Exception:  # dnspython refuses more than we do, by many kinds of errors: unknown opcodes, trailing octets, two OPT records
            continue
        if wire[2] & 0x80:
            assert found == expected or found.failure == "malformed"


def test_a_question_is_read_with_its_types_and_whether_it_has_an_opt_record() -> None:
    query = dns.message.make_query("blocked.example.", "AAAA", use_edns=0).to_wire()
    assert readings.asked(query) == readings.Asked((dns.name.from_text("blocked.example."),), frozenset({28}), True)
    assert not readings.asked(dns.message.make_query("blocked.example.", "A").to_wire()).opt
    for none in (b"", b"\0" * 12, query[:14]):
        assert readings.asked(none) == readings.NOTHING


def test_a_failure_is_told_and_its_octets_are_not_believed() -> None:
    _, octets = said.answer(dns.message.make_query("blocked.example.", "A").to_wire(), "NOERROR; A 198.51.100.1")
    assert readings.answer("mismatch", octets) == Reading(failure="mismatch")
