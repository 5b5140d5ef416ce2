"""The packet cache changes no reply: over any trace it says what the engine says without it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import dns.edns
from hypothesis import event, given, settings
from hypothesis import strategies as st

from blocklists.sources import Basis
from resolver.groups import Lookup
from resolver.packetcache import Clock, PacketCache
from resolver.records import Answer
from tests.resolver.rig import AS_OF, Rig, basis, question, upstream_says

NAMES = ("www.a.test1.", "WWW.A.test1.", "b.test1.", "c.b.test1.", "d.test2.", "localhost.", "x.invalid.", "e.f.test3.")
OPTIONS = (None, dns.edns.GenericOption(10, bytes(8)), dns.edns.GenericOption(3, b""), dns.edns.GenericOption(65001, b"x"))
LISTED = ("a.test1", "www.a.test1", "b.test1", "test2", "d.test2", "f.test3")


class Trace:
    """Two engines live through the same: one behind its packet caches, one without any. The second is the slow twin."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        limit = self.random.choice([1, 20])
        listed = self.sources()
        self.fast, self.slow = (Rig(listed, chain_limit=limit, packet_cache=cached, zones=["f.test3"]) for cached in (True, False))
        self.asked: list[tuple[bytes, bool]] = []

    def sources(self) -> list[Basis]:
        choose = self.random.choice
        return [
            basis(
                choose(["directive", "own", "pass"]), choose("rs"), *self.random.sample(LISTED, choose([1, 2])),
                mode=choose(["redirect", "nxdomain", "nodata", "refused"]), match=choose(["exact", "subtree"]),
                starts=choose([0, 0, self.now() + 3, self.now() + 40]), ends=choose([0, 0, self.now() + 5, self.now() + 90]),
            )
            for _ in range(choose([0, 0, 1, 2]))
        ]  # fmt: skip

    def now(self) -> int:
        return self.slow.unix if hasattr(self, "slow") else AS_OF

    def question(self) -> bytes:
        choose = self.random.choice
        option = choose(OPTIONS)
        return question(
            choose(NAMES), choose(["A", "A", "A", "A", "HTTPS", "ANY", "AXFR"]), edns=choose([True, False]), do=choose([False, False, False, True]),
            cd=choose([False, False, False, True]), ad=choose([False, False, True]), rd=choose([True, True, True, False]),
            size=choose([512, 1232, 1232]), options=[] if option is None else [option], identifier=self.random.randrange(4),
        )  # fmt: skip

    def both(self, data: bytes, tcp: bool) -> None:
        fast, slow = (rig.ask(data, rig.tcp if tcp else rig.udp) for rig in (self.fast, self.slow))
        assert fast == slow, "the packet cache says something else"

    def same(self) -> None:
        assert [each.key for each in self.fast.lookups] == [each.key for each in self.slow.lookups]
        assert self.fast.mailbox.take() == self.slow.mailbox.take()
        assert self.fast.policy.held == self.slow.policy.held
        assert self.fast.engine.in_flight == self.slow.engine.in_flight

    def ask(self) -> None:
        self.asked.append((self.question(), self.random.random() < 0.2))
        self.ask_again()

    def ask_again(self) -> None:
        """One of the latest questions, with another ID, a few times: what caches are for."""
        data, tcp = self.random.choice(self.asked[-6:])
        for _ in range(self.random.choice([1, 2, 4])):
            self.both(self.random.randbytes(2) + data[2:], tcp)

    def time_goes_by(self) -> None:
        seconds = self.random.choice([1, 1, 1, 1, 2, 3, 5, 30, 97, 300, 1000])
        for rig in (self.fast, self.slow):
            rig.advance(seconds)

    def another_list(self) -> None:
        listed = self.sources()
        for rig in (self.fast, self.slow):
            rig.switch(listed)

    def take(self) -> list[tuple[Rig, Lookup]]:
        at = self.random.randrange(len(self.slow.lookups))
        return [(rig, rig.lookups.pop(at)) for rig in (self.fast, self.slow)]

    def an_answer_arrives(self) -> None:
        found = self.take()
        message = self.message(found[0][1].question)
        trusted = self.random.random() < 0.5
        for rig, lookup in found:
            rig.answered(lookup, message, trusted=trusted)

    def message(self, asked: bytes) -> bytes:
        """Addresses, aliases to what may be listed, nothing; long-lived and short-lived, small and large."""
        name = ".".join(label.decode() for label in _labels(asked)) + "."
        ttl = self.random.choice([0, 3, 25, 100, 300])
        answer: list[str] = []
        rcode = "NOERROR"
        match self.random.choice(["plain", "plain", "alias", "large", "nothing", "absent"]):
            case "plain" if asked[-3] == 1:
                answer = [f"{name} {ttl} A 198.51.100.1"]
            case "plain":
                answer = [f"{name} {ttl} HTTPS 1 d.test2. alpn=h2"]
            case "alias":
                target = self.random.choice(["d.test2.", "e.f.test3.", "c.b.test1."])
                answer = [f"{name} {ttl} CNAME {target}", f"{target} {ttl + 10} A 198.51.100.2"]
            case "large" if asked[-3] == 1:
                answer = [f"{name} {ttl} A 198.51.100.{number}" for number in range(40)]
            case "absent":
                rcode = "NXDOMAIN"
        return upstream_says(asked, answer, [] if answer else [f"test1. {ttl} SOA ns.test1. h.test1. 1 2 3 4 60"], rcode, ad=True)

    def nobody_answers(self) -> None:
        late = self.random.random() < 0.5
        for rig, lookup in self.take():
            if late:
                rig.overdue(lookup)
            rig.failed(lookup)

    def step(self) -> None:
        steps: list[Callable[[], None]] = [self.ask, self.ask, self.ask_again, self.ask_again, self.ask_again, self.time_goes_by, self.time_goes_by]
        if self.random.random() < 0.1:
            steps = [self.another_list]
        elif self.slow.lookups and self.random.random() < 0.5:
            steps = [self.an_answer_arrives, self.an_answer_arrives, self.an_answer_arrives, self.nobody_answers]
        chosen = self.random.choice(steps) if self.asked else self.ask
        chosen()
        self.same()


@settings(max_examples=80)
@given(st.integers(0, 2**64 - 1), st.integers(1, 250))
def test_the_packet_cache_says_what_the_engine_says(seed: int, steps: int) -> None:
    trace = Trace(seed)
    for _ in range(steps):
        trace.step()
    assert trace.slow.hits == 0
    event(f"hits: {min(trace.fast.hits, 20) // 5 * 5} or more")


def test_a_long_trace_meets_the_packet_cache_often() -> None:
    """The property above would hold of a cache that is never met."""
    trace = Trace(20_260_101)
    for _ in range(1500):
        trace.step()
    assert trace.fast.hits > 200


def _labels(asked: bytes) -> list[bytes]:
    found = []
    position = 0
    while length := asked[position]:
        found.append(asked[position + 1 : position + 1 + length])
        position += length + 1
    return found


def test_a_reply_is_taken_when_its_query_is_met_again() -> None:
    """Random subdomains, each asked once, push nothing out."""
    rig = Rig()
    data = question("www.example.")
    for _ in range(5):
        rig.resolve(data, ["www.example. 300 A 198.51.100.1"])
    assert rig.hits in (3, 4), "the second meeting puts it there; the first, once in 256 times"
    before = len(rig.udp.packets.map)
    for number in range(2000):
        name = f"n{number}.example."
        rig.resolve(question(name), [f"{name} 300 A 198.51.100.1"])
    assert len(rig.udp.packets.map) < before + 40, "one in 256 is mistaken for one met before"


def test_no_entry_outlives_its_generation_or_its_time() -> None:
    clock = Clock()
    clock.set(10, 1)
    cache = PacketCache(1 << 20, clock)
    answer = Answer(0, b"", (1, 0), ((12, 100),), 100)
    answer.stored = 10
    reply = bytes(10) + (100).to_bytes(4, "big") + b"end"
    for key, made_of, until in ((b"authored", None, 0), (b"answered", answer, 20)):
        for _ in range(2):
            cache.put(key, reply, made_of, until)
    assert cache.get(b"authored") == cache.get(b"answered") == reply
    clock.set(19, 1)
    assert cache.get(b"authored") == reply, "what we author does not age"
    assert cache.get(b"answered") == bytes(10) + (91).to_bytes(4, "big") + b"end"
    clock.set(20, 1)
    assert (cache.get(b"authored"), cache.get(b"answered")) == (reply, None)
    clock.set(19, 2)
    assert (cache.get(b"authored"), cache.get(b"answered")) == (None, None)


@given(st.integers(0, 2**40), st.integers(0, 2**31), st.integers(0, 2**40), st.integers(0, 2**31))
def test_stamps_are_equal_only_for_the_same_moment(generation: int, second: int, other_generation: int, other_second: int) -> None:
    one, other = Clock(), Clock()
    one.set(second, generation)
    other.set(other_second, other_generation)
    assert (one.stamp == other.stamp) == ((generation, second) == (other_generation, other_second))
    assert (one.authored == other.authored) == (generation == other_generation)
    assert one.stamp != other.authored
