"""The map says what a dictionary says of all it still holds, keeps within its bound, and keeps what is used."""

from __future__ import annotations

import gc
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from resolver.engine import footprint
from resolver.generations import OVERHEAD, SHARDS, Generations
from resolver.packetcache import Clock, PacketCache
from resolver.records import Answer, Limits, read_answer
from tests.resolver.rig import question, upstream_says

BOUND = SHARDS * 2 * 4 * (OVERHEAD + 100)
"""Room for four entries of 100 octets in each generation of each shard."""


class Value:
    """Anything with a weight."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.octets = 0


def weight(found: Generations[Value]) -> int:
    """What the map holds, counted anew."""
    return sum(value.octets for shards in (found.young, found.old) for shard in shards for value in shard.values())


class AsADictionary(RuleBasedStateMachine):
    """Any sequence of operations, beside a plain dictionary that forgets nothing."""

    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.map: Generations[Value] = Generations(BOUND)
        self.model: dict[bytes, int] = {}

    @rule(target=keys, key=st.integers(0, 40))
    def key(self, key: int) -> bytes:
        return b"%d" % key

    @rule(key=keys, number=st.integers(), octets=st.sampled_from([0, 50, 100, 1000, 2000, 10**6]))
    def put(self, key: bytes, number: int, octets: int) -> None:
        self.map.put(key, Value(number), octets)
        self.model[key] = number
        if len(key) + octets + OVERHEAD <= BOUND // (2 * SHARDS):
            found = self.map.get(key)
            assert found is not None
            assert found.number == number
        else:
            assert self.map.get(key) is None

    @rule(key=keys)
    def get(self, key: bytes) -> None:
        found = self.map.get(key)
        assert found is None or found.number == self.model[key]

    @rule(key=keys)
    def drop(self, key: bytes) -> None:
        self.map.drop(key)
        self.model.pop(key, None)
        assert self.map.get(key) is None

    @invariant()
    def nothing_is_old_and_young_and_all_is_within_the_bound(self) -> None:
        assert all(not young.keys() & old.keys() for young, old in zip(self.map.young, self.map.old, strict=True))
        assert weight(self.map) <= BOUND
        assert len(self.map) <= len(self.model)


TestAsADictionary = AsADictionary.TestCase
TestAsADictionary.settings = settings(max_examples=40, stateful_step_count=40)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 1500)), min_size=500, max_size=3000))
@settings(max_examples=20)
def test_never_above_its_bound(puts: list[tuple[int, int]]) -> None:
    found: Generations[Value] = Generations(BOUND)
    for number, octets in puts:
        found.put(b"%d" % number, Value(number), octets)
        found.get(b"%d" % (number // 2))
    assert weight(found) <= BOUND


def test_what_is_used_survives_what_is_not() -> None:
    found: Generations[Value] = Generations(BOUND)
    used = [b"used%d" % number for number in range(32)]
    for number, key in enumerate(used):
        found.put(key, Value(number), 100 - len(key))
    lost = set()
    for number in range(20_000):
        found.put(b"%d" % number, Value(number), 80)
        key = used[number % len(used)]
        if found.get(key) is None:
            lost.add(key)
    # Between two uses of a key 32 others are put, an eighth of an entry a shard: only a shard that many of them share by chance loses it.
    assert len(lost) <= 3
    assert found.get(b"0") is None
    assert weight(found) <= BOUND


def test_a_value_too_large_is_not_kept_nor_is_what_it_replaces() -> None:
    found: Generations[Value] = Generations(BOUND)
    found.put(b"a", Value(1), 10)
    found.put(b"a", Value(2), BOUND)
    assert found.get(b"a") is None
    assert len(found) == 0


def test_a_value_that_is_young_again_counts_for_all_it_is() -> None:
    """It once counted for its key alone, so that a few large answers, used now and then, outgrew the bound many times."""
    found: Generations[Value] = Generations(BOUND)
    share = BOUND // (2 * SHARDS)
    for number in range(50_000):
        found.put(b"%d" % number, Value(number), share - OVERHEAD - 8)
        found.get(b"%d" % (number - 300))
        found.get(b"%d" % (number - 100))
    assert weight(found) <= BOUND


def test_answers_in_memory_are_within_the_bound() -> None:
    """What the overhead is said to be, is what Python takes."""
    bound = 2 << 20
    data = question("www.example.", "A")
    message = upstream_says(data[12:], ["www.example. 300 CNAME a.other.example.", "a.other.example. 300 A 192.0.2.1"])
    tracemalloc.start()
    try:
        found: Generations[Answer] = Generations(bound)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(8_000):
            answer = read_answer(message, data[12:], False, Limits())
            answer.stored = answer.aged = 3000 + number
            answer.expires = 9000 + number
            found.put(b"%d-a-question-of-the-usual-length" % number, answer, footprint(answer))
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(found) < 8_000
    assert held < 1.25 * bound


def test_packets_in_memory_are_within_the_bound() -> None:
    bound = 2 << 20
    clock = Clock()
    clock.set(1000, 3000)
    tracemalloc.start()
    try:
        cache = PacketCache(bound, clock)
        before = tracemalloc.get_traced_memory()[0]
        for number in range(8_000):
            answer = Answer(0, bytes(40), (1, 0), ((30 + number % 50, 3600 + number),), 3600)
            answer.stored = 500 + number
            key = b"%d-a-question-of-the-usual-length" % number
            for _ in range(2):
                cache.put(key, bytes(100 + number % 7), answer, 5000 + number)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(cache.map) < 8_000
    assert held < 1.25 * bound
