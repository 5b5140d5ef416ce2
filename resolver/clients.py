"""Who may ask, and as which group: decided once an address, before any cache is consulted.

Addresses are remembered in memory only, for speed, in two generations of bounded size; none is ever stored or logged.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Entrance = TypeVar("Entrance")

MOST_REMEMBERED = 50_000


class Clients(Generic[Entrance]):
    """Maps a client's address to where it enters, or to None when it may not ask.

    `allow` are the networks that may; `groups` maps networks to entrances, the most specific wins; everyone else allowed gets `usual`.
    """

    def __init__(self, allow: Iterable[str], groups: Mapping[str, Entrance], usual: Entrance) -> None:
        self._allow: Sequence[Network] = [ipaddress.ip_network(text) for text in allow]
        by_network = [(ipaddress.ip_network(text), entrance) for text, entrance in groups.items()]
        self._groups = sorted(by_network, key=lambda pair: pair[0].prefixlen, reverse=True)
        self._usual = usual
        self.known: dict[str, Entrance | None] = {}
        self._before: dict[str, Entrance | None] = {}

    def classify(self, address: str) -> Entrance | None:
        """The entrance for an address as the socket gives it; remembers the answer in `known`, which the UDP loop reads directly."""
        found = self._before[address] if address in self._before else self._decide(address)
        if len(self.known) >= MOST_REMEMBERED:
            self._before, self.known = self.known, {}
        self.known[address] = found
        return found

    def _decide(self, text: str) -> Entrance | None:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(text.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if not any(address in network for network in self._allow):
            return None
        for network, entrance in self._groups:
            if address in network:
                return entrance
        return self._usual
