"""Clients treated alike, where their queries enter, and what they wait for. Pure: what the engine decides with, no decisions.

A group shares block answers, an answer cache and its lookups in flight with no other group.
"""

from __future__ import annotations

from collections.abc import Sequence

from resolver.authored import BlockAnswers
from resolver.generations import Generations
from resolver.packetcache import Clock, PacketCache
from resolver.records import Answer
from resolver.wire import CD, Query


class Lookup:
    """A question on its way upstream, and who waits for it. `key` is unique among those in flight of one group (name, type, DO, CD).

    `generation` is the policy's at which the question was judged; `domain` whose share of the lookups in flight it takes up; `forgotten` the index
    keys under which nothing that is on its way may be kept, because they were flushed meanwhile (`caches`).
    """

    __slots__ = ("cd", "do", "domain", "done", "forgotten", "generation", "group", "key", "name_key", "question", "stale", "state", "waiters", "zone")

    def __init__(self, group: Group, query: Query, key: bytes, zone: bytes, stale: Answer | None, domain: bytes) -> None:
        self.group = group
        self.domain = domain
        self.key = key
        self.name_key = query.key
        self.question = query.name + query.question[-4:]
        self.do = query.do
        self.cd = query.flags & CD != 0
        self.zone = zone
        self.stale = stale
        self.waiters: list[Query] = []
        self.done = False
        self.forgotten: tuple[bytes, ...] = ()
        self.generation = 0
        self.state: object = None

    def was_flushed(self, chain: Sequence[bytes] = ()) -> bool:
        """Whether its name, or one that its answer leads to, was flushed while it was on its way."""
        return bool(self.forgotten) and any(name.startswith(self.forgotten) for name in (self.name_key, *chain))


class Group:
    """Clients treated alike: their block answers, their answer cache, their questions in flight."""

    __slots__ = ("access_until", "answers", "blocks", "in_flight", "name")

    def __init__(self, name: str, landing_addresses: Sequence[str], block_ttl: int, most_bytes: int) -> None:
        self.name = name
        self.access_until = 0
        """Before this time (agreed, unix seconds) they hear what listed names resolve to (`resolver.access`)."""
        self.blocks = BlockAnswers(landing_addresses, block_ttl)
        self.answers: Generations[Answer] = Generations(most_bytes)
        self.in_flight: dict[bytes, Lookup] = {}


class Front:
    """Where a client's query enters: its group, and the packet cache of that group and transport.

    `most_octets` is the largest message of the transport where that is not for the client to say (TCP), else 0; `young` is the cache's innermost
    part, for the one loop that cannot afford a call.
    """

    __slots__ = ("group", "most_octets", "packets", "young")

    def __init__(self, group: Group, most_bytes: int, clock: Clock, most_octets: int = 0) -> None:
        self.group = group
        self.packets = PacketCache(most_bytes, clock)
        self.young = self.packets.map.young
        self.most_octets = most_octets


def footprint(answer: Answer) -> int:
    """Octets an answer takes in memory beside what every value of a cache takes, measured on CPython 3.11."""
    return len(answer.tail) + 128 * len(answer.ttls) + (40 + sum(map(len, answer.chain)) + 40 * len(answer.chain) if answer.chain else 0)
