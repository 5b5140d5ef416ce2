"""Shares out the room for questions in flight, so that whoever fills it loses first and others always find some.

Three bounds: by client (an IPv4 address, an IPv6 /64), by registrable domain, and in all. Each source may have at most as much in flight as there is
room left (a dynamic threshold: Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998): one heavy source
stops at half of the room, k of them at k/(k+1), and a new one always finds the rest. Fixed bounds below that keep one source from holding much at
all. Everything is a dictionary lookup; nothing is scanned, and the dictionaries hold only what is in flight. Pure.
"""

from __future__ import annotations

from functools import lru_cache

from blocklists.suffixes import owned

MOST_LOOKUPS = 16384
"""Lookups in flight in one worker."""
MOST_WAITING = 32768
"""Queries that wait for them."""


class Share:
    """How much of one room each source holds."""

    __slots__ = ("_held", "most", "room", "total")

    def __init__(self, room: int, most: int) -> None:
        """`room` for all, `most` for one source."""
        self.room = room
        self.most = most
        self.total = 0
        self._held: dict[str | bytes, int] = {}

    def has_room(self, source: str | bytes) -> bool:
        """Whether the source may have one more."""
        held = self._held.get(source, 0)
        return held < self.room - self.total and held < self.most

    def is_full(self) -> bool:
        """Whether nobody may."""
        return self.total >= self.room

    def enter(self, source: str | bytes) -> bool:
        """One more of this source. False, and nothing is entered, if it may not have it."""
        held = self._held.get(source, 0)
        if held >= self.room - self.total or held >= self.most:
            return False
        self.total += 1
        self._held[source] = held + 1
        return True

    def leave(self, source: str | bytes) -> None:
        """One less of this source."""
        self.total -= 1
        held = self._held[source] - 1
        if held:
            self._held[source] = held
        else:
            del self._held[source]

    def __len__(self) -> int:
        """Sources that hold something."""
        return len(self._held)


_owned = lru_cache(maxsize=4096)(owned)


def domain_of(key: bytes) -> bytes:
    """The index key of the registrable domain whose share a name is of; the name's own where it is a public suffix.

    Nearly always the last two labels decide, and then a name costs one look into a small cache, whatever stands before them. Where a public
    suffix lies below somebody's domain, names below it count with that domain.
    """
    if not key:
        return key
    end = key[0] + 1
    while end < len(key):
        end += key[end] + 1
        found = _owned(key[:end])
        if found is not None:
            return found
    return key
