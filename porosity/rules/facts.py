"""What is known beside a trial's own answers: where the page is, whose addresses are, and what all trials together show of a resolver. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import dns.name

from blocklists.errors import RedHandError
from porosity.networks import Networks, neighbourhood
from porosity.rules.faults import Faults
from porosity.words import Name

_NOBODYS = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/4",
            "240.0.0.0/4", "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "fc00::/7", "fe80::/10", "ff00::/8",
        ),
    )
)  # fmt: skip
"""Addresses at which no site can be on the internet (RFC 6890 and IANA's registries). Not those of documentation: the lab's sites have them."""


class BadFact(RedHandError, ValueError):
    """What a study was given to be judged by is none: the message says which and what to write."""


@dataclass(frozen=True)
class Known:
    """What whoever classifies knows."""

    landing: frozenset[bytes] = frozenset()
    """Addresses of the page that a blocked visitor is led to, 4 or 16 octets."""
    block_pages: Mapping[bytes, str] = field(default_factory=dict)
    """Addresses that others found blocked names to lead to, with the fingerprint's name."""
    networks: Networks | None = None
    certified: frozenset[tuple[str, bytes]] | None = None
    """Names, as text without the last dot, and addresses at which a server proved by TLS to be theirs. None: nobody looked."""

    def near(self, addresses: Iterable[bytes], theirs: Iterable[bytes]) -> bool:
        """Whether one of the addresses is in a network that one of theirs is in: by the table, or where there is none by neighbourhood."""
        if self.networks is None:
            return bool(set(map(neighbourhood, addresses)) & set(map(neighbourhood, theirs)))
        numbers = {found.asn for each in theirs if (found := self.networks.find(each))}
        return any((found := self.networks.find(each)) is not None and found.asn in numbers for each in addresses)


@dataclass(frozen=True)
class Learned:
    """What a vantage's observations show together."""

    unrelated: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    """By resolver: addresses that it alone gives, for names that have nothing to do with one another nor with these addresses' networks."""
    doubtful: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    """By resolver: addresses that it alone gives for such names, of which too many are at home in these networks: a page, or a content network's."""
    liars: frozenset[str] = frozenset()
    """Controls that give for canaries what nobody else does."""
    faults: Faults = field(default_factory=Faults, compare=False)
    """What silence and errors at each endpoint are like."""


class Orders:
    """Which names the orders in force cover, of all that a study has."""

    def __init__(self, names: Iterable[Name]) -> None:
        # In wire form, lower case: a tenth of the memory, and the names above one are the ends of its octets.
        self._exact: set[bytes] = set()
        self._subtrees: set[bytes] = set()
        for each in names:
            if each.group in ("listed", "below") and each.in_force:
                (self._exact if each.match == "exact" else self._subtrees).add(each.name.to_digestable())

    def cover(self, name: dns.name.Name) -> bool:
        """Whether one of them does."""
        wire, at = name.to_digestable(), 0
        if wire in self._exact:
            return True
        while length := wire[at]:
            if wire[at:] in self._subtrees:
                return True
            at += length + 1
        return False


def packed(texts: Iterable[str]) -> frozenset[bytes]:
    """Addresses as octets. Raises BadFact for what is none."""
    found = set()
    for text in texts:
        try:
            found.add(ipaddress.ip_address(text).packed)
        except ValueError:
            raise BadFact(f"{text!r} is no address; write one such as 192.0.2.80 or 2001:db8::80") from None
    return frozenset(found)


@lru_cache(maxsize=65536)
def shown(address: bytes) -> str:
    """An address as text."""
    return str(ipaddress.ip_address(address))


@lru_cache(maxsize=65536)
def nobodys(address: bytes) -> bool:
    """Whether no site on the internet can have this address."""
    found = ipaddress.ip_address(address)
    return any(found in network for network in _NOBODYS if network.version == found.version)
