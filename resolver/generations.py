"""A map bounded in bytes that forgets without ever scanning: two generations, in many small shards.

New and re-used entries live in the young generation. When a shard's young generation has half of its share, it becomes the old one and the old
one is dropped; an entry met in the old one is young again. No entry is examined to be evicted, no large dictionary is ever rebuilt or freed at
once: with 256 shards the largest pause is that of freeing 1/512 of the memory. Not for use by several threads.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class Weighed(Protocol):
    """What can be kept: `octets` is set here, so that a value that is young again counts for what it is."""

    octets: int


Value = TypeVar("Value", bound=Weighed)

SHARDS = 256
MASK = SHARDS - 1
OVERHEAD = 400
"""Octets counted for an entry beside its key's and value's own: an allowance for objects and dictionary slots that covers the larger kind.

By tracemalloc on CPython 3.11, an answer of one record takes 512 octets in all where 566 are counted, and a ready reply 225 beside its own octets.
"""


class Generations(Generic[Value]):
    """`young` and `old` are read directly by the one loop that cannot afford a call: `young[hash(key) & MASK].get(key)`."""

    __slots__ = ("_aged", "_room", "_share", "old", "young")

    def __init__(self, most_bytes: int) -> None:
        self.young: list[dict[bytes, Value]] = [{} for _ in range(SHARDS)]
        self.old: list[dict[bytes, Value]] = [{} for _ in range(SHARDS)]
        self._share = most_bytes // (2 * SHARDS)
        self._room = [self._share] * SHARDS
        self._aged = [0] * SHARDS

    def get(self, key: bytes) -> Value | None:
        """The value, or None. A value of the old generation is young again."""
        value = self.young[hash(key) & MASK].get(key)
        return self.revive(key) if value is None else value

    def revive(self, key: bytes) -> Value | None:
        """The value if it is in the old generation, made young again; else None."""
        shard = hash(key) & MASK
        old = self.old[shard]
        if not old:
            return None
        value = old.pop(key, None)
        if value is not None:
            self._aged[shard] -= value.octets
            self._keep(shard, key, value)
        return value

    def put(self, key: bytes, value: Value, octets: int) -> None:
        """Keeps a value that holds `octets` of its own beside the key, replacing what was there; not one larger than a generation of its shard."""
        shard = hash(key) & MASK
        self.old[shard].pop(key, None)
        value.octets = len(key) + octets + OVERHEAD
        if value.octets > self._share:
            self.young[shard].pop(key, None)
            return
        self._keep(shard, key, value)

    def _keep(self, shard: int, key: bytes, value: Value) -> None:
        self._room[shard] -= value.octets
        if self._room[shard] < 0:
            self._aged[shard] = self._share - self._room[shard] - value.octets
            self.old[shard] = self.young[shard]
            self.old[shard].pop(key, None)
            self.young[shard] = {}
            self._room[shard] = self._share - value.octets
        self.young[shard][key] = value

    def drop(self, key: bytes) -> None:
        """Forgets a key, if it is there."""
        shard = hash(key) & MASK
        self.young[shard].pop(key, None)
        self.old[shard].pop(key, None)

    def octets(self) -> int:
        """What its entries count for: at least what they do, because a place given up is counted until its generation is dropped."""
        return self._share * SHARDS - sum(self._room) + sum(self._aged)

    def __len__(self) -> int:
        return sum(map(len, self.young)) + sum(map(len, self.old))
