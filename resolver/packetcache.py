"""Ready replies by the exact octets of a query after its ID: the path that most queries take.

One cache for each client group and transport. An entry carries one stamp, made of the policy's generation and the second: equal to the
clock's, it is sent as it is. Of an older second, its TTLs are aged and it is stamped again; of an older generation, or about to expire, it is
not used, and the engine judges and answers anew. What we author does not age: its stamp is of the generation alone. Nothing ever sweeps.

Replies that depend on more than these octets are not put here, nor is a reply whose query was not met before: names that are asked once (random
subdomains above all) do not push out what is asked again.
"""

from __future__ import annotations

from struct import Struct

from resolver.generations import MASK, Generations
from resolver.records import Answer, Ttls
from resolver.tally import NOBODYS, Tally

_U32 = Struct(">I")
_TRACES = 1 << 18
"""Queries whose having been met is remembered, one octet each: a later query in the same place is mistaken for it once in 256 times."""
GENERATION_SHIFT = 32
"""A stamp is `generation << 32 | second`."""


class Clock:
    """The second and the generation now, as the stamps that cached replies are compared with. Seconds are of the monotonic clock.

    `stamp` is of this second and generation; `authored` (negative, so that it never equals a `stamp`) of this generation.
    """

    __slots__ = ("authored", "second", "stamp")

    def __init__(self) -> None:
        self.set(0, 0)

    def set(self, second: int, generation: int) -> None:
        """To be called when the second turns and when the generation changes."""
        self.second = second
        self.stamp = generation << GENERATION_SHIFT | second
        self.authored = -1 - generation


class Entry:
    """A reply without its ID. `ttls` are its answer's, `stored` the second they are of; a reply that we authored has none.

    `tally` counts the uses of one that we authored.
    """

    __slots__ = ("octets", "reply", "stamp", "stored", "tally", "ttls", "until")

    def __init__(self, reply: bytes, answer: Answer | None, stamp: int, until: int, tally: Tally = NOBODYS) -> None:
        self.reply = reply
        self.tally = tally
        self.ttls: Ttls = () if answer is None else answer.ttls
        self.stored = 0 if answer is None else answer.stored
        self.stamp = stamp
        self.until = until
        self.octets = 0


class PacketCache:
    """`map.young` is read directly by the UDP loop, which then calls `refresh` or `older`; everybody else calls `get`."""

    __slots__ = ("_met", "clock", "map")

    def __init__(self, most_bytes: int, clock: Clock) -> None:
        self.map: Generations[Entry] = Generations(most_bytes)
        self.clock = clock
        self._met = bytearray(_TRACES)

    def get(self, key: bytes) -> bytes | None:
        """The reply, all but its ID, to a query with these octets after its ID; None sends the query to the engine."""
        entry = self.map.young[hash(key) & MASK].get(key)
        return self.older(key) if entry is None else self.refresh(entry)

    def older(self, key: bytes) -> bytes | None:
        """`get` for a key that is not in the young generation."""
        entry = self.map.revive(key)
        return None if entry is None else self.refresh(entry)

    def refresh(self, entry: Entry) -> bytes | None:
        """The reply of an entry, its TTLs aged to this second; None when it must be judged or fetched again."""
        stamp = self.clock.stamp
        if entry.stamp == stamp:
            return entry.reply
        if entry.stamp == self.clock.authored:
            entry.tally.count += 1
            return entry.reply
        second = self.clock.second
        if entry.stamp >> GENERATION_SHIFT != stamp >> GENERATION_SHIFT or second >= entry.until:
            return None
        entry.reply = aged(entry.reply, entry.ttls, second - entry.stored, 2)
        entry.stamp = stamp
        return entry.reply

    def put(self, key: bytes, reply: bytes, answer: Answer | None = None, until: int = 0, tally: Tally = NOBODYS) -> None:
        """Keeps a reply (all but its ID) until the generation changes, if its query was met before.

        With `answer`, what the reply was made of, also no longer than the clock's second `until`; without, its uses are counted on `tally`.
        """
        trace = hash(key)
        place = trace & _TRACES - 1
        mark = trace >> 18 & 0xFF
        if self._met[place] != mark:
            self._met[place] = mark
            return
        stamp = self.clock.authored if answer is None else self.clock.stamp
        self.map.put(key, Entry(reply, answer, stamp, until, tally), len(reply))


def aged(octets: bytes, ttls: Ttls, age: int, skipped: int) -> bytes:
    """`octets`, a message without its first `skipped` octets, with every TTL as it is `age` seconds after it came."""
    if len(ttls) == 1:
        offset, ttl = ttls[0]
        offset -= skipped
        return octets[:offset] + _U32.pack(ttl - age if ttl > age else 0) + octets[offset + 4 :]
    patched = bytearray(octets)
    for offset, ttl in ttls:
        _U32.pack_into(patched, offset - skipped, ttl - age if ttl > age else 0)
    return bytes(patched)
