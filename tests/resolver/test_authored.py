"""Any block answer is one that dnspython reads, that a client believes, and that says which entry it is for."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.name
import dns.rcode
import dns.rdatatype
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists import names
from blocklists.index import Rule
from resolver.authored import BlockAnswers, explain, soa
from resolver.wire import read_query
from tests.resolver.rig import LANDING, errors, question, read

LABELS = st.lists(st.binary(min_size=1, max_size=20).map(bytes.lower), min_size=1, max_size=5)


def key_of(labels: list[bytes]) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in reversed(labels))


@settings(max_examples=300)
@given(
    LABELS, st.integers(0, 4), st.sampled_from(["redirect", "nxdomain", "nodata", "refused"]), st.sampled_from(["directive", "own"]),
    st.sampled_from(["A", "AAAA", "HTTPS", "ANY", "MX", "TYPE65280"]), st.booleans(), st.booleans(),
)  # fmt: skip
def test_block_answers(labels: list[bytes], above: int, mode: str, kind: str, asked: str, edns: bool, by_alias: bool) -> None:
    name = dns.name.Name([*labels, b""])
    listed = [b"elsewhere"] if by_alias else labels[min(above, len(labels) - 1) :]
    rule = Rule(kind, mode, "FR-2026-000123", "subtree", key_of(listed), 0, 0, 1)
    data = question(name, asked, edns=edns)
    message = read(data[:2] + BlockAnswers(LANDING, 30).answer(read_query(data), rule))
    given_data = mode == "redirect" and asked in ("A", "AAAA", "ANY")
    assert message.rcode() == {"nxdomain": dns.rcode.NXDOMAIN, "refused": dns.rcode.REFUSED}.get(mode, dns.rcode.NOERROR)
    assert not message.flags & (dns.flags.AA | dns.flags.AD | dns.flags.TC)
    assert [(each.name, each.ttl, each[0].to_text()) for each in message.answer] == (
        [(name, 30, "2001:db8::80" if asked == "AAAA" else "192.0.2.80")] if given_data else []
    )
    if given_data or mode == "refused":
        assert message.authority == []
    else:
        ((owner, soa_record),) = [(each.name, each[0]) for each in message.authority]
        assert name.is_subdomain(owner), "a SOA from elsewhere is not believed"
        assert owner == (name if by_alias and listed != labels[-1:] else dns.name.Name([*listed, b""]))
        assert (message.authority[0].ttl, soa_record.minimum) == (30, 30)
    codes = ["4"] if given_data else []
    text = f"FR-2026-000123 {names.key_text(rule.key)}"
    found = errors(message)
    assert [each.split(" ")[0] for each in found] == ([*codes, "16" if kind == "directive" else "15"] if edns else [])
    if edns:
        reference, _, shown = found[-1].partition(" ")[2].partition(" ")
        assert reference == "FR-2026-000123"
        assert names.key(names.parse(shown)) == rule.key, f"the landing page reads the listed name out of it: {text}"


@given(LABELS)
def test_the_text_of_an_error_is_ascii_without_nul(labels: list[bytes]) -> None:
    option = explain(Rule("own", "redirect", "list", "exact", key_of(labels), 0, 0, 1))
    assert option[:2] == b"\0\x0f"
    assert int.from_bytes(option[2:4], "big") == len(option) - 4
    assert all(0x20 <= octet <= 0x7E for octet in option[6:])


def test_a_soa_is_kept_for_as_long_as_it_says() -> None:
    octets = soa(77)
    assert octets[:2] == dns.rdatatype.SOA.to_bytes(2, "big")
    assert octets[4:8] == octets[-4:] == (77).to_bytes(4, "big")
