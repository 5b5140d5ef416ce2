"""Every special zone, its apex, what is under it, and what is only beside it. Replies in full stand in golden/special-names.yaml."""

from __future__ import annotations

import ipaddress

import dns.rcode
import dns.reversename
import pytest

from resolver.special import special_reply
from resolver.wire import read_query
from tests.resolver.rig import question, read

NONEXISTENT = ["invalid.", "test.", "onion.", "alt.", "local.", "internal.", "home.arpa."]
"""RFC 6761, 7686, 9476, 6762, ICANN resolution of July 2024, RFC 8375."""


def said(name: str, kind: str = "A") -> dns.rcode.Rcode | None:
    reply = special_reply(read_query(question(name, kind)))
    return None if reply is None else read(b"\x12\x34" + reply).rcode()


@pytest.mark.parametrize("zone", NONEXISTENT)
def test_a_zone_is_there_and_nothing_in_it(zone: str) -> None:
    assert said(zone) == dns.rcode.NOERROR
    assert said(f"a.{zone}") == said(f"a.b.{zone}", "TXT") == dns.rcode.NXDOMAIN
    assert said(f"A.{zone.upper()}") == dns.rcode.NXDOMAIN
    assert said(f"x{zone}") is None
    assert said(f"{zone}example.") is None


@pytest.mark.parametrize("name", [".", "example.", "arpa.", "in-addr.arpa.", "ip6.arpa.", "x.arpa.", "invalid.example.", "use-application-dns.net."])
def test_other_names_go_upstream(name: str) -> None:
    assert said(name) is None


# RFC 6303 section 4, RFC 7793
LOCAL = ["0.0.0.0/8", "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "192.0.2.0/24", "198.51.100.0/24"]
LOCAL += ["203.0.113.0/24", "255.255.255.255/32", "100.64.0.0/10", "::/128", "::1/128", "fd00::/8", "fe80::/10", "2001:db8::/32"]


@pytest.mark.parametrize("network", LOCAL)
def test_reverse_zones_of_addresses_that_are_not_global(network: str) -> None:
    found = ipaddress.ip_network(network)
    for address in {found[0], found[-1], found[found.num_addresses // 2]}:
        reverse = dns.reversename.from_address(str(address))
        expected = dns.rcode.NOERROR if found.num_addresses == 1 else dns.rcode.NXDOMAIN
        assert said(str(reverse), "PTR") == expected
    for outside in (int(found[0]) - 1, int(found[-1]) + 1):
        if 0 <= outside < 1 << found.max_prefixlen:
            address = type(found[0])(outside)
            if not any(address in ipaddress.ip_network(other) for other in LOCAL):
                assert said(str(dns.reversename.from_address(str(address))), "PTR") is None
