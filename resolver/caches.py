"""What a worker's caches hold, forgotten by name or shown, a slice at a time between queries.

A walk never holds up the loop: after each SLICE_SECONDS it rests and lets it serve. Entries that come, go or move while it rests are met or not, but
after `flush` none is left that came from before it: answers first, then the ready replies that were made of them; what is on its way from
an upstream meanwhile is given to who waits for it, and not kept. Nothing here knows a client.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from time import perf_counter
from typing import NamedTuple

from blocklists import names
from resolver.generations import SHARDS, Generations, Value
from resolver.groups import Front, Group
from resolver.packetcache import GENERATION_SHIFT, Clock

SLICE_SECONDS = 0.0003
REST_SECONDS = 0.001
"""How long a walk works at a time, and rests."""
READER_SECONDS = 30.0
"""How long a dump waits for whoever reads it to read on."""
_QUESTION = 10
"""Where the question starts in a packet cache's key: after a header without its ID."""
_ANSWER_SUFFIX = 3
"""Octets after the name in an answer cache's key: type and flags."""


class Kept(NamedTuple):
    """The caches of one client group."""

    group: Group
    udp: Front
    tcp: Front


class Pace:
    """When to rest, and for how long."""

    def __init__(self) -> None:
        self.until = perf_counter() + SLICE_SECONDS

    async def rest(self) -> None:
        """Lets the loop serve."""
        await asyncio.sleep(REST_SECONDS)
        self.until = perf_counter() + SLICE_SECONDS


async def _walk(cache: Generations[Value], pace: Pace) -> AsyncIterator[tuple[bytes, Value]]:
    """Every entry that was there when its shard was reached and still is when its turn comes. Reading moves none between generations."""
    for shard in range(SHARDS):
        for key in [*cache.young[shard], *cache.old[shard]]:
            value = cache.young[shard].get(key) or cache.old[shard].get(key)
            if value is not None:
                yield key, value
            if perf_counter() >= pace.until:
                await pace.rest()


async def flush(zone: bytes, caches: Sequence[Kept]) -> int:
    """Forgets a name (wire form) and all under it, in every cache, with every answer that leads there by alias. How many entries went.

    A lookup of such a name that is under way is not waited for: its answer reaches who waits and is not kept, and it falls back to nothing stale.
    """
    under = names.key(zone)
    pace = Pace()
    await _forget_lookups(under, caches, pace)
    gone = 0
    led_there: set[tuple[str, bytes]] = set()
    for kept in caches:
        async for key, answer in _walk(kept.group.answers, pace):
            owner = names.key(key)
            by_alias = any(link.startswith(under) for link in answer.chain)
            if by_alias or owner.startswith(under):
                kept.group.answers.drop(key)
                gone += 1
            if by_alias:
                led_there.add((kept.group.name, owner))
    await _forget_lookups(under, caches, pace)  # those begun meanwhile may hold as stale what has gone
    for kept in caches:
        for front in (kept.udp, kept.tcp):
            async for key, _ in _walk(front.packets.map, pace):
                owner = names.key(key[_QUESTION:].lower())
                if owner.startswith(under) or (kept.group.name, owner) in led_there:
                    front.packets.map.drop(key)
                    gone += 1
    return gone


async def _forget_lookups(under: bytes, caches: Sequence[Kept], pace: Pace) -> None:
    for kept in caches:
        for lookup in list(kept.group.in_flight.values()):
            lookup.forgotten += (under,)
            if lookup.stale is not None and any(name.startswith(under) for name in (lookup.name_key, *lookup.stale.chain)):
                lookup.stale = None
            if perf_counter() >= pace.until:
                await pace.rest()


async def dump(worker: str, caches: Sequence[Kept], clock: Clock) -> AsyncIterator[bytes]:
    """What is cached, one JSON object a line: worker, group, cache, name, type and rcode as numbers, seconds left.

    Negative seconds say how long ago an answer expired: it serves only while no upstream answers. None says that it holds until the list changes.
    Replies that a change of the list has outdated are left out.
    """
    pace = Pace()
    for kept in caches:
        async for key, answer in _walk(kept.group.answers, pace):
            name, kind = key[:-_ANSWER_SUFFIX], key[-_ANSWER_SUFFIX:-1]
            left = answer.expires - clock.second
            yield _line(worker, kept.group.name, "answers", name, kind, answer.rcode, left)
        for cache, front in (("udp", kept.udp), ("tcp", kept.tcp)):
            async for key, entry in _walk(front.packets.map, pace):
                authored = entry.stamp < 0
                current = entry.stamp == clock.authored if authored else entry.stamp >> GENERATION_SHIFT == clock.stamp >> GENERATION_SHIFT
                if current:
                    question = key[_QUESTION:]
                    end = sum(len(label) + 1 for label in names.labels(question)) + 1
                    left_or_none = None if authored else entry.until - clock.second
                    yield _line(worker, kept.group.name, cache, question[:end].lower(), question[end : end + 2], entry.reply[1] & 15, left_or_none)


def _line(worker: str, group: str, cache: str, name: bytes, kind: bytes, rcode: int, seconds: int | None) -> bytes:
    found = {
        "worker": worker,
        "group": group,
        "cache": cache,
        "name": names.to_text(name),
        "type": int.from_bytes(kind, "big"),
        "rcode": rcode,
        "seconds": seconds,
    }
    return json.dumps(found).encode() + b"\n"


async def pour(lines: AsyncIterator[bytes], file: int) -> bool:
    """Writes the lines to a pipe as fast as its reader takes them, and closes it. False when the reader went away or stopped reading."""
    os.set_blocking(file, False)
    loop = asyncio.get_running_loop()
    try:
        async for line in lines:
            rest = memoryview(line)
            while rest:
                try:
                    rest = rest[os.write(file, rest) :]
                except BlockingIOError:
                    await _writable(loop, file)
    except (OSError, TimeoutError):
        return False
    finally:
        os.close(file)
    return True


async def _writable(loop: asyncio.AbstractEventLoop, file: int) -> None:
    """Waits until the pipe takes more. Raises TimeoutError when its reader does not read on."""
    free = asyncio.Event()
    loop.add_writer(file, free.set)
    try:
        await asyncio.wait_for(free.wait(), READER_SECONDS)
    finally:
        loop.remove_writer(file)


def sizes(caches: Sequence[Kept]) -> Iterator[tuple[int, int]]:
    """Entries and octets of each cache in the board's order; one cache a step, because counting the entries of all could take milliseconds."""
    for kept in caches:
        for cache in (kept.udp.packets.map, kept.tcp.packets.map, kept.group.answers):
            yield len(cache), cache.octets()
