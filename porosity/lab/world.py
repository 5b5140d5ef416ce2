"""The world of a scenario: its names, zones, orders and addresses, made from a seed. Pure; the same scenario and seed give the same world.

Every site has records of all types that are measured, and a wildcard, so that each way round has something to show. Its addresses are in one network
and nothing else is: by them alone the lab knows a target's data when it sees it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from random import Random
from typing import Any

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.zone
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from porosity.lab.addresses import SERVERS, SIGNALS4, SIGNALS6, SITES4, SITES6, TTL
from porosity.lab.scenario import Match, Scenario
from porosity.vectors import aliases

_SYLLABLES = tuple(first + second for first in "bdfgklmnprstvz" for second in "aeiou")
_SIGNED_FOR = datetime.timedelta(days=30)


@dataclass(frozen=True)
class Order:
    """One order, of one name."""

    id: str
    name: str
    """Without the last dot."""
    match: Match


@dataclass(frozen=True)
class World:
    """All of it."""

    seed: int
    orders: tuple[Order, ...]
    canaries: tuple[str, ...]
    signed: tuple[str, ...]
    bogus: tuple[str, ...]
    """Signed, and wrongly."""
    sites: Mapping[str, tuple[str, str]]
    """IPv4 and IPv6 address of each registrable domain."""

    @cached_property
    def zones(self) -> dict[str, str]:
        """Zone files by origin."""
        return _zones(self)

    @property
    def anchor(self) -> str:
        """DS record of the root's key, from which the chain of trust leads to every signed site."""
        return _ds(".", self.seed)

    def directives(self) -> str:
        """The orders as the operator's file of directives."""
        return "\n---\n".join(json.dumps(_directive(each), indent=1) for each in self.orders) + "\n"

    def target(self, address: str) -> bool:
        """Whether an address is a site's."""
        found = ip_address(address)
        return found in (SITES4 if found.version == 4 else SITES6)


def make(scenario: Scenario, seed: int) -> World:
    """The world of a scenario for a seed."""
    random = Random(f"{scenario.id} {seed}")  # noqa: S311 - to be repeated, not secret
    counts = scenario.names
    wanted = counts.apex + counts.deep + counts.exact + counts.signed + counts.bogus + counts.canaries
    labels: list[str] = []
    while len(labels) < wanted:
        label = "".join(random.choice(_SYLLABLES) for _ in range(random.randint(2, 4)))
        if not any(label.endswith(each) or each.endswith(label) for each in labels):
            labels.append(label)
    domains = [f"{label}.example" for label in labels]
    sites = {domain: (str(SITES4[number]), str(SITES6[number])) for number, domain in enumerate(domains, 10)}
    given = iter(domains)
    names: list[tuple[str, Match]] = [(next(given), "subtree") for _ in range(counts.apex)]
    names += [(f"{random.choice(('shop', 'forum', 'video', 'files'))}.{next(given)}", "subtree") for _ in range(counts.deep)]
    names += [(f"{random.choice(('blog', 'press', 'live', 'board'))}.{next(given)}", "exact") for _ in range(counts.exact)]
    signed = tuple(next(given) for _ in range(counts.signed))
    bogus = tuple(next(given) for _ in range(counts.bogus))
    names += [(each, "subtree") for each in (*signed, *bogus)]
    orders = tuple(Order(f"XX-2026-{number:06}", name, match) for number, (name, match) in enumerate(names, 1))
    return World(seed, orders, tuple(given), signed, bogus, sites)


def _directive(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "action": "block",
        "issuer": {"authority": "Office for the Protection of the Lab", "contact": "orders@authority.example"},
        "category": "terrorism",
        "legal_basis": "Lab Act 2026, section 1",
        "reasons": {"en": "It stands in the lab, to be measured."},
        "issued_at": "2020-01-01T09:00:00Z",
        "effective_at": "2020-01-02T09:00:00Z",
        "expires_at": "2099-01-01T00:00:00Z",
        "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Court of the Lab"},
        "targets": [{"fqdn": order.name, "match": order.match}],
    }


def _soa(ns: str) -> str:
    return f"$TTL {TTL}\n@ {TTL} IN SOA {ns} hostmaster.authority.example. 1 3600 600 86400 60\n"


def _zones(world: World) -> dict[str, str]:
    found: dict[str, str] = {}
    example = _soa("ns.registry.example.") + f"@ {TTL} IN NS ns.registry.example.\nns.registry {TTL} IN A {SERVERS['tld']}\n"
    for domain, (four, six) in world.sites.items():
        text = _site(domain, four, six, [each.name for each in world.orders if each.name.endswith(f".{domain}")])
        example += _delegation(domain)
        if domain in (*world.signed, *world.bogus):
            text = _sign(f"{domain}.", text, world.seed, broken=domain in world.bogus)
            example += _ds(f"{domain}.", world.seed)
        found[f"{domain}."] = text
    targets = [(order.name, world.sites[_domain(order.name)][0]) for order in world.orders]
    targets += [(each, world.sites[each][0]) for each in world.canaries]
    origin = aliases.ZONE.to_text()
    lines = aliases.records([(dns.name.from_text(name), address) for name, address in targets])
    found[origin] = _apex(f"ns1.{origin}", SERVERS["names"]) + "".join(f"{line}\n" for line in dict.fromkeys(lines))
    found["example."] = _sign("example.", example + _delegation(origin.rstrip(".")), world.seed)
    signals = {
        "use-application-dns.net.": [""],
        "icloud.com.": ["mask.", "mask-h2."],
    }
    root = _soa("a.root.example.") + f"@ {TTL} IN NS a.root.example.\na.root.example. {TTL} IN A {SERVERS['root']}\n"
    root += f"example. {TTL} IN NS ns.registry.example.\nns.registry.example. {TTL} IN A {SERVERS['tld']}\n"
    root += _ds("example.", world.seed)
    for origin, owners in signals.items():
        found[origin] = _apex(f"ns1.{origin}", SERVERS["names"])
        for owner in owners:
            found[origin] += f"{owner}{origin} {TTL} IN A {SIGNALS4}\n{owner}{origin} {TTL} IN AAAA {SIGNALS6}\n"
        root += f"{origin} {TTL} IN NS ns1.{origin}\nns1.{origin} {TTL} IN A {SERVERS['names']}\n"
    found["."] = _sign(".", root, world.seed)
    return found


def _domain(name: str) -> str:
    return ".".join(name.split(".")[-2:])


def _delegation(domain: str) -> str:
    return f"{domain}. {TTL} IN NS ns1.{domain}.\nns1.{domain}. {TTL} IN A {SERVERS['names']}\n"


def _apex(ns: str, address: str) -> str:
    return _soa(ns) + f"@ {TTL} IN NS {ns}\n{ns} {TTL} IN A {address}\n"


def _site(domain: str, four: str, six: str, more: list[str]) -> str:
    text = _apex(f"ns1.{domain}.", SERVERS["names"])
    for owner in dict.fromkeys((f"{domain}.", f"www.{domain}.", *(f"{each}." for each in more), f"www.{domain}.")):
        text += (
            f"{owner} {TTL} IN A {four}\n{owner} {TTL} IN AAAA {six}\n"
            f"{owner} {TTL} IN HTTPS 1 . alpn=h2 ipv4hint={four} ipv6hint={six}\n"
            f"{owner} {TTL} IN SVCB 1 . alpn=dot ipv4hint={four} ipv6hint={six}\n"
            f'{owner} {TTL} IN MX 10 mail.{domain}.\n{owner} {TTL} IN TXT "site of {domain}"\n'
            f"{owner} {TTL} IN SRV 1 2 443 {owner}\n{owner} {TTL} IN PTR {owner}\n"
        )
        if owner != f"www.{domain}.":
            text += f"_8443._https.{owner} {TTL} IN HTTPS 1 . port=8443 ipv4hint={four}\n"
            text += f"*.{owner} {TTL} IN A {four}\n*.{owner} {TTL} IN AAAA {six}\n"
    return text + f"mail.{domain}. {TTL} IN A {four}\n"


def _key(origin: str, seed: int) -> tuple[Ed25519PrivateKey, dns.rdtypes.ANY.DNSKEY.DNSKEY]:
    """A zone's one key. It comes from the seed: it guards nothing."""
    text = f"{seed} {origin.rstrip('.')}"
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(text.encode()).digest())
    return key, dns.dnssec.make_dnskey(key.public_key(), dns.dnssectypes.Algorithm.ED25519, flags=257)


def _ds(origin: str, seed: int) -> str:
    """The zone's DS record, for the zone above."""
    return f"{origin} {TTL} IN DS {dns.dnssec.make_ds(dns.name.from_text(origin), _key(origin, seed)[1], 'SHA256').to_text()}\n"


def _sign(origin: str, text: str, seed: int, broken: bool = False) -> str:
    """The zone with signatures. `broken`: none but that of its key is right, so that the chain of trust leads there and ends."""
    zone = dns.zone.from_text(text, dns.name.from_text(origin), relativize=False)
    now = datetime.datetime.now(datetime.UTC)
    begins, ends = now - datetime.timedelta(hours=1), now + _SIGNED_FOR
    dns.dnssec.sign_zone(zone, keys=[_key(origin, seed)], inception=begins, expiration=ends, add_dnskey=True, dnskey_ttl=TTL)
    if broken:
        for node in zone.nodes.values():
            for rdataset in [each for each in node if each.rdtype == dns.rdatatype.RRSIG and each.covers != dns.rdatatype.DNSKEY]:
                wrong = [each.replace(signature=bytes([each.signature[0] ^ 1]) + each.signature[1:]) for each in rdataset]
                node.replace_rdataset(dns.rdataset.from_rdata_list(rdataset.ttl, wrong))
    return str(zone.to_text(relativize=False))
