"""Who has which addresses in the lab: all are for documentation or benchmarks, so that they lead nowhere else."""

from __future__ import annotations

from ipaddress import ip_network

SITES4, SITES6 = ip_network("198.51.100.0/24"), ip_network("2001:db8:51::/48")
"""Where ordered sites are, and the rest of the sites: the network of the lab's hosting company."""
LANDING = ("192.0.2.80", "2001:db8:2::80")
"""The provider's page, unless it is on loopback."""
ELSEWHERE = ("203.0.113.{}", "2001:db8:3::{:x}")
"""Where lies lead: liars have a host of their own each, from FIRST_LIE on."""
FIRST_LIE = 100
SIGNALS4, SIGNALS6 = "203.0.113.70", "2001:db8:3::70"
NETWORKS: dict[str, tuple[int, str]] = {
    "192.0.2.0/24": (64496, "Example Telecom"),
    "2001:db8:2::/48": (64496, "Example Telecom"),
    "198.51.100.0/24": (64497, "Example Hosting"),
    "2001:db8:51::/48": (64497, "Example Hosting"),
    "203.0.113.0/24": (64498, "Example Public Services"),
    "2001:db8:3::/48": (64498, "Example Public Services"),
    "198.18.0.0/15": (64499, "Example Registry"),
}
"""Who has which addresses: the lab's table for rules that compare networks (RFC 5398 keeps these numbers for documentation)."""

SERVERS = {"root": "198.18.0.1", "tld": "198.18.0.2", "names": "198.18.0.3"}
"""Where the authoritative servers are, in namespaces."""
TTL = 300
