"""Flush and dump over a real engine's caches: what must go goes and does not come back, what need not stays, and the loop never waits."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import time
from typing import Any

from blocklists import names
from resolver import caches
from resolver.caches import Kept
from resolver.generations import Generations
from resolver.groups import Group
from resolver.packetcache import Entry
from resolver.records import Answer
from tests.resolver.rig import Rig, basis, question, records, upstream_says

A, B = "192.0.2.1", "192.0.2.2"


def kept(rig: Rig) -> list[Kept]:
    """The rig's caches as a worker hands them over."""
    return [Kept(rig.group, rig.udp, rig.tcp)]


def flush(rig: Rig, name: str) -> int:
    """Entries that went."""
    return asyncio.run(caches.flush(names.parse(name), kept(rig)))


def warm(rig: Rig, name: str, *answer: str) -> None:
    """Has a name in the answer cache and, its query being met twice, in the packet caches of both transports."""
    rig.resolve(question(name), answer or [f"{name}. 300 A {A}"])
    for front in (rig.udp, rig.tcp, rig.tcp):
        rig.cached(question(name), front)


def dumped(rig: Rig) -> list[dict[str, Any]]:
    async def lines() -> list[dict[str, Any]]:
        return [json.loads(line) async for line in caches.dump("worker-1", kept(rig), rig.clock)]

    return asyncio.run(lines())


def names_in(rig: Rig) -> set[tuple[str, str]]:
    """Cache and name of every entry."""
    return {(entry["cache"], entry["name"]) for entry in dumped(rig)}


def test_a_name_and_all_under_it_go_from_every_cache_and_nothing_else() -> None:
    rig = Rig()
    for name in ("site.example", "WWW.Site.example", "a.b.site.example", "notsite.example", "example", "site.example.other.example"):
        warm(rig, name)
    assert ("udp", "www.site.example") in names_in(rig)
    assert flush(rig, "Site.EXAMPLE") == 9
    assert {name for _, name in names_in(rig)} == {"notsite.example", "example", "site.example.other.example"}
    assert rig.ask(question("www.site.example")) is None, "it is asked upstream again"
    assert flush(rig, ".") == 9
    assert names_in(rig) == set()


def test_an_answer_that_leads_there_by_alias_goes_too() -> None:
    rig = Rig()
    warm(rig, "www.shop.example", "www.shop.example. 300 CNAME edge.cdn.example.", f"edge.cdn.example. 300 A {A}")
    warm(rig, "cdn.example")
    assert flush(rig, "edge.cdn.example") == 3
    assert {name for _, name in names_in(rig)} == {"cdn.example"}


def test_an_answer_under_way_is_delivered_and_not_kept() -> None:
    rig = Rig()
    for name, answer in (("old.example", f"old.example. 300 A {A}"), ("www.example", "www.example. 300 CNAME old.example.")):
        assert rig.ask(question(name)) is None
        lookup = rig.lookups.pop()
        flush(rig, "old.example")
        rig.answered(lookup, upstream_says(lookup.question, [answer]))
        ((_, reply),) = rig.mailbox.take()
        assert reply[6:8] == b"\0\1", "who waits gets the answer"
        assert names_in(rig) == set()
        assert rig.ask(question(name)) is None, "the next one asks anew"
        rig.failed(rig.lookups.pop())
        rig.mailbox.take()
        rig.advance(60)


def test_a_lookup_that_was_under_way_for_another_name_is_kept() -> None:
    rig = Rig()
    assert rig.ask(question("other.example")) is None
    flush(rig, "old.example")
    lookup = rig.lookups.pop()
    rig.answered(lookup, upstream_says(lookup.question, [f"other.example. 300 A {A}"]))
    rig.cached(question("other.example"))


def test_what_was_flushed_does_not_come_back_as_stale() -> None:
    rig = Rig()
    warm(rig, "old.example")
    rig.advance(400)
    assert rig.ask(question("old.example")) is None
    lookup = rig.lookups.pop()
    flush(rig, "old.example")
    rig.failed(lookup)
    ((_, reply),) = rig.mailbox.take()
    assert reply[3] & 15 == 2, "SERVFAIL, not the answer of before"


def test_queries_and_answers_during_a_flush_leave_nothing_old() -> None:
    """Every kind of traffic for the name goes on while it is flushed; after it nobody is told the old address."""
    rig = Rig()
    for number in range(1500):
        warm(rig, f"host{number}.site.example")

    async def scenario() -> int:
        walking = asyncio.create_task(caches.flush(names.parse("site.example"), kept(rig)))
        number = 0
        while not walking.done():
            for _ in range(20):
                name = f"host{number % 1500}.site.example"
                number += 7
                if rig.ask(question(name), rig.udp if number % 2 else rig.tcp) is None and (lookup := rig.lookups.pop()):
                    rig.answered(lookup, upstream_says(lookup.question, [f"{name}. 300 A {B if not lookup.forgotten else A}"]))
            rig.mailbox.take()
            await asyncio.sleep(0)
        assert number > 1000, "there was traffic meanwhile"
        return await walking

    assert asyncio.run(scenario()) >= 1500
    for number in range(1500):
        name = f"host{number}.site.example"
        for front in (rig.udp, rig.tcp):
            assert records(rig.resolve(question(name), [f"{name}. 300 A {B}"], front=front).answer)[0].endswith(B)


def test_a_dump_says_what_is_there_and_how_long() -> None:
    rig = Rig([basis("directive", "FR-1", "blocked.example")])
    warm(rig, "site.example")
    rig.resolve(question("none.example"), rcode="NXDOMAIN", authority=["example. 60 SOA ns.example. host.example. 1 2 3 4 60"])
    for _ in range(2):
        rig.cached(question("blocked.example"))
    rig.advance(100)
    found = {(entry["cache"], entry["name"]): entry for entry in dumped(rig)}
    assert found["answers", "site.example"] == {
        "worker": "worker-1", "group": "everyone", "cache": "answers", "name": "site.example", "type": 1, "rcode": 0, "seconds": 200,
    }  # fmt: skip
    assert found["answers", "none.example"]["rcode"] == 3
    assert found["answers", "none.example"]["seconds"] == -40, "kept for when no upstream answers"
    assert found["udp", "blocked.example"]["seconds"] is None, "until the list changes"
    rig.switch([])
    assert ("udp", "blocked.example") not in names_in(rig)


def filled(entries: int) -> list[Kept]:
    """Caches of a worker that has been busy."""
    rig = Rig()
    group: Group = rig.group
    for number in range(entries):
        key = b"\x06%06d\x05other\x04test\0\0\1\0" % number
        answer = Answer(0, b"", (0, 0), (), 300)
        answer.expires = 300
        group.answers.put(key, answer, 100)
        rig.udp.packets.map.put(b"\1\0\0\1\0\0\0\0\0\0" + key[:-1] + b"\0\1", Entry(b"\x81\x80" + bytes(30), answer, rig.clock.stamp, 300), 32)
    return [Kept(group, rig.udp, rig.tcp)]


def waits_of(work: Any) -> tuple[float, float]:
    """Runs the coroutine; processor seconds that one turn of the loop took: at the most, and in the middle.

    Not the time on the clock, which on a busy machine is also what others took.
    """

    async def scenario() -> list[float]:
        task = asyncio.ensure_future(work)
        waits = []
        while not task.done():
            begun = time.thread_time()
            await asyncio.sleep(0)
            waits.append(time.thread_time() - begun)
        await task
        return waits

    gc.collect()
    gc.disable()  # as workers do
    try:
        waits = [wait for wait in asyncio.run(scenario()) if wait > caches.SLICE_SECONDS / 2]
    finally:
        gc.enable()
    return max(waits), statistics.median(waits)


def test_a_walk_through_large_caches_never_holds_up_the_loop() -> None:
    large = filled(20_000)

    async def dump() -> None:
        async for _ in caches.dump("worker-1", large, Rig().clock):
            pass

    for work in (dump, lambda: caches.flush(names.parse("site.example"), large)):
        most, middle = min(waits_of(work()) for _ in range(3))
        print(f"a turn took {most * 1000:.2f} ms at most, {middle * 1000:.2f} ms in the middle")
        assert middle < 0.001
        assert most < 0.005, "0.8 ms at most on a quiet machine; coverage and neighbours have their share here"


def test_a_reader_who_stops_reading_holds_up_nobody_and_is_left(monkeypatch: Any) -> None:
    monkeypatch.setattr(caches, "READER_SECONDS", 0.3)
    large = filled(5_000)

    async def scenario() -> tuple[bool, int]:
        ours, theirs = os.pipe()
        beats = 0
        pouring = asyncio.create_task(caches.pour(caches.dump("worker-1", large, Rig().clock), theirs))
        while not pouring.done():
            beats += 1
            await asyncio.sleep(0.005)
        os.close(ours)
        return await pouring, beats

    whole, beats = asyncio.run(scenario())
    assert not whole
    assert beats > 20, "the loop went on"


def test_sizes_are_those_of_the_caches() -> None:
    rig = Rig()
    for number in range(100):
        warm(rig, f"host{number}.example")
    (udp, tcp, answers) = caches.sizes(kept(rig))
    assert (udp[0], tcp[0], answers[0]) == (100, 100, 100)

    def counted(cache: Generations[Any]) -> int:
        return sum(value.octets for shard in (*cache.young, *cache.old) for value in shard.values())

    assert udp[1] == counted(rig.udp.packets.map)
    assert answers[1] == counted(rig.group.answers)
