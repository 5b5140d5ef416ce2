"""Reads the possibly compressed names of one message, in the order they stand in (RFC 1035 section 4.1.4).

Every octet of a name is looked at once: a pointer is looked up, not followed, so neither overlapping pointers nor long chains of them cost more than
their own octets. A pointer that leads where no name was read is followed within bounds, and remembered as a reason not to pass the octets on.
"""

from __future__ import annotations

_MOST_POINTERS = 127
"""A name has no more labels than this; nor has it a use for more pointers."""


class Names:
    """Reads the names of one message in the order they stand in, each octet once.

    `known` maps each place where a name, or the rest of one, stands to that name, written out in its own letter case. `aliased` says that
    a pointer led elsewhere, into octets that are not a name to us: what it leads to must then be written out, because it might change.
    """

    __slots__ = ("aliased", "data", "known")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.known: dict[int, bytes] = {}
        self.aliased = False

    def read(self, position: int) -> int:
        """Reads the name at `position` into `known` and returns where it ends in place. Raises IndexError or ValueError."""
        data = self.data
        start = position
        while length := data[position]:
            if length >= 0xC0:
                target = (length & 0x3F) << 8 | data[position + 1]
                rest = self.known.get(target)
                if rest is None:
                    rest = self._elsewhere(target, start)
                end = position + 2
                break
            if length > 63:
                raise ValueError(position)
            position += length + 1
        else:
            rest = b"\0"
            end = position + 1
        if position - start + len(rest) > 255:
            raise ValueError(start)
        known = self.known
        known[position] = rest
        if position != start:
            name = data[start:position] + rest
            place = start
            while place < position:
                known[place] = name[place - start :]
                place += data[place] + 1
        return end

    def read_whole(self, position: int) -> int:
        """The same for a name that must not be compressed."""
        end = self.read(position)
        if end - position != len(self.known[position]):
            raise ValueError(position)
        return end

    def _elsewhere(self, position: int, bound: int) -> bytes:
        """The name at a place where none was read yet. What each pointer leads to must stand wholly before the labels it ends, so the walk ends."""
        self.aliased = True
        data = self.data
        parts = []
        size = 1
        for _ in range(_MOST_POINTERS):
            if not 12 <= position < bound:
                break
            end, bound = bound, position
            while 0 < (length := data[position]) < 64:
                parts.append(data[position : position + length + 1])
                position += length + 1
                size += length + 1
                if size > 255 or position >= end:
                    raise ValueError(position)
            if not length:
                return b"".join(parts) + b"\0"
            if length < 0xC0 or position + 1 >= end:
                break
            position = (length & 0x3F) << 8 | data[position + 1]
        raise ValueError(position)
