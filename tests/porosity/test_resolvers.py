"""Resolvers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from porosity import resolvers
from porosity.plan import BadPlan
from porosity.words import TRANSPORTS, Endpoint

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
CERTIFICATES = st.sampled_from(["", "dns.example", "xn--caf-dma.test"])


@st.composite
def endpoints(draw: st.DrawFn) -> Endpoint:
    transport = draw(st.sampled_from(TRANSPORTS))
    name = draw(CERTIFICATES) if transport in ("dot", "doh", "doq") else ""
    path = draw(st.sampled_from(["/dns-query", "/", "/q?a=b", "/a/b-c~d"])) if transport == "doh" else "/dns-query"
    return Endpoint(transport, draw(ADDRESSES), draw(st.integers(1, 65535)), name, path)


@given(endpoints())
def test_what_an_endpoint_is_shown_as_is_read_as_that_endpoint(endpoint: Endpoint) -> None:
    """Invariant: reading is the reverse of showing."""
    assert resolvers.endpoint(str(endpoint)) == endpoint


@given(st.text(max_size=40))
def test_any_text_is_a_resolver_or_refused(text: str) -> None:
    """Invariant: refused with BadPlan, or what comes out can be shown and read back."""
    try:
        found = resolvers.parse(text, "tested")
    except BadPlan:
        return
    assert [resolvers.endpoint(str(each)) for each in found.endpoints] == list(found.endpoints)


def test_a_bare_address_is_reached_by_udp_and_tcp() -> None:
    found = resolvers.parse("ours=192.0.2.1,[2001:db8::1]:5353,tls://192.0.2.1#dns.example", "tested")
    assert (found.id, found.role) == ("ours", "tested")
    assert [str(each) for each in found.endpoints] == [
        "192.0.2.1:53", "tcp://192.0.2.1:53", "[2001:db8::1]:5353", "tcp://[2001:db8::1]:5353", "tls://192.0.2.1:853#dns.example",
    ]  # fmt: skip
    assert resolvers.parse("192.0.2.1", "control").id == "192.0.2.1"
    assert len(resolvers.parse("192.0.2.1,tcp://192.0.2.1,192.0.2.1:53", "tested").endpoints) == 2, "said again, and no more ways"
    assert [str(each) for each in resolvers.parse("https://127.0.0.1/q?a=b,udp://127.0.0.1", "control").endpoints] == [
        "https://127.0.0.1:443/q?a=b", "127.0.0.1:53",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no endpoint"),
        ("dns.example", "is no endpoint; write an address"),
        ("2001:db8::1", r"is no endpoint; write an address such as .*\[2001:db8::1\]"),
        ("192.0.2.300", "not a name, which somebody would look up"),
        ("http://192.0.2.1", "is no endpoint"),
        ("192.0.2.1:0", "ports go from 1 to 65535"),
        ("tls://192.0.2.1:70000", "ports go from 1 to 65535"),
        ("tls://192.0.2.1/dns-query", "has a path, which only https:// has"),
        ("192.0.2.1#dns.example", "names a certificate, which udp has none of"),
        ("tls://192.0.2.1#http://x", "which no host name has"),
        ("a=b=192.0.2.1", "is no endpoint"),
    ],
)
def test_what_is_none_is_refused_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(BadPlan, match=says):
        resolvers.parse(text, "tested")
