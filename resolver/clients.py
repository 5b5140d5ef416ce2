"""Who may ask, and as which group: decided once an address, before any cache is consulted.

Addresses are remembered in memory only, for speed, in generations of bounded size; none is ever stored or logged. Those that may not ask are not
remembered: a flood from forged addresses must not push out the clients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from resolver.prefixes import Networks, as_address

Entrance = TypeVar("Entrance")

MOST_REMEMBERED = 16_384
"""Of each generation. A dictionary grows by being written anew: 0.2 ms at 10,923 entries, 1.0 ms at 43,691, with nobody answered (CPython 3.11)."""
GENERATIONS = 4


class Clients(Generic[Entrance]):
    """Maps a client's address to where it enters, or to None when it may not ask.

    `allow` are the networks that may; `groups` maps networks to entrances, the most specific wins; everyone else allowed gets `usual`.
    `known` is read directly by the UDP loop.
    """

    def __init__(self, allow: Iterable[str], groups: Mapping[str, Entrance], usual: Entrance) -> None:
        self._allow = Networks(dict.fromkeys(allow, True))
        self._groups = Networks(dict(groups))
        self._apart: Networks[Entrance] = Networks({})
        self._usual = usual
        self.known: dict[str, Entrance | None] = {}
        self._before: list[dict[str, Entrance | None]] = []

    def classify(self, address: str) -> Entrance | None:
        """The entrance for an address as the socket gives it; remembered in `known` unless it may not ask.

        None remembered in an older generation says that somebody was watched then (`udp`), not that he may not ask.
        """
        for generation in self._before:
            found = generation.get(address)
            if found is not None:
                break
        else:
            found = self.decide(address)
        if found is not None:
            self.remember(address, found)
        return found

    def remember(self, address: str, entrance: Entrance | None) -> None:
        """Has an address enter here until it is forgotten or remembered anew."""
        if len(self.known) >= MOST_REMEMBERED:
            self.set_aside()
        self.known[address] = entrance

    def set_aside(self) -> None:
        """Begins a generation: every address is met by `classify` once more, the oldest generation is forgotten."""
        self._before = [self.known, *self._before[: GENERATIONS - 2]]
        self.known = {}

    def decide(self, address: str) -> Entrance | None:
        """The entrance for an address, by the settings alone."""
        plain = as_address(address)
        if self._allow.find(plain) is None:
            return None
        found = self._apart.find(plain)
        if found is None:
            found = self._groups.find(plain)
        return self._usual if found is None else found

    def set_apart(self, networks: Mapping[str, Entrance]) -> None:
        """Clients of these networks enter here from now on, whatever their group, in place of those set apart before. Everybody is met anew."""
        self._apart = Networks(networks)
        self.known = {}
        self._before = []
