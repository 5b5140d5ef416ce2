"""Verdicts follow the list and the time; chain matching holds back for what looks like shared infrastructure."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists import names
from blocklists.index import FOREVER, Index, Rule
from blocklists.sources import Basis
from blocklists.suffixes import registrable
from resolver.policy import MOST_WATCHED, Policy
from tests.resolver.rig import AS_OF, Rig, basis, index_of, key, question, records

NAMES = ("a.example", "www.a.example", "b.example", "x.b.example", "example", "other.test")
TIMES = st.sampled_from([0, 0, AS_OF - 50, AS_OF, AS_OF + 5, AS_OF + 10, AS_OF + 40])


@st.composite
def bases(draw: st.DrawFn) -> Basis:
    """A directive, an own list or a pass list, for ever or for a while."""
    kind = draw(st.sampled_from(["directive", "own", "pass"]))
    listed = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2))
    match = draw(st.sampled_from(["exact", "subtree"]))
    return basis(kind, draw(st.sampled_from(["r1", "r2"])), *listed, match=match, starts=draw(TIMES), ends=draw(TIMES))


LISTS = st.lists(bases(), max_size=4)


def verdicts(index: Index, now: int) -> list[Rule | None]:
    return [index.find(key(name), now) for name in (*NAMES, "y.other.test")]


@settings(max_examples=200)
@given(LISTS, st.lists(st.one_of(st.integers(0, 20), LISTS), max_size=10))
def test_the_generation_changes_whenever_a_verdict_does(first: list[Basis], steps: list[int | list[Basis]]) -> None:
    index = index_of(first)
    now = AS_OF
    policy = Policy(index, 1, now, 20)
    for step in steps:
        generation, before = policy.generation, verdicts(index, now)
        boundary = index.next_boundary(now)
        if isinstance(step, int):
            now += step
            policy.tick(now)
            # Not once more than there is reason for: each change has everything judged again.
            assert policy.generation == generation + (boundary <= now)
        else:
            index = index_of(step)
            policy.switch(index, policy.serial + 1, now)
            assert policy.generation == generation + 1
        assert [policy.judge(key(name)) for name in (*NAMES, "y.other.test")] == verdicts(index, now)
        if verdicts(index, now) != before:
            assert policy.generation != generation


def test_a_clock_set_back_is_followed() -> None:
    policy = Policy(index_of([basis("directive", "R", "a.example", starts=AS_OF)]), 1, AS_OF + 5, 20)
    assert policy.judge(key("a.example")) is not None
    generation = policy.generation
    policy.tick(AS_OF - 5)
    assert policy.judge(key("a.example")) is None
    assert policy.generation != generation
    policy.tick(AS_OF)
    assert policy.judge(key("a.example")) is not None


def test_a_start_and_an_end_are_met_to_the_second() -> None:
    rig = Rig([basis("directive", "R", "a.example", starts=AS_OF + 3, ends=AS_OF + 5)])
    asked = question("a.example.")
    said = []
    for _ in range(7):
        said.append(records(rig.resolve(asked, ["a.example. 300 A 192.0.2.1"]).answer)[0].rsplit(None, 1)[1])
        said.append(records(rig.resolve(asked).answer)[0].rsplit(None, 1)[1])
        rig.advance(1)
    assert said == ["192.0.2.1"] * 6 + ["192.0.2.80"] * 4 + ["192.0.2.1"] * 4


def test_a_version_is_judged_by_the_time_that_it_comes_in_force() -> None:
    """And not by that of the last turn, which may be nearly a second old."""
    rig = Rig()
    asked = question("a.example.")
    assert records(rig.resolve(asked, ["a.example. 300 A 192.0.2.1"]).answer)[0].endswith(" 192.0.2.1")
    rig.resolve(asked)
    rig.unix += 1  # the second of the monotonic clock has not turned
    rig.switch([basis("directive", "R", "a.example", starts=rig.unix), basis("directive", "S", "b.example", ends=rig.unix)])
    assert records(rig.cached(asked).answer)[0].endswith(" 192.0.2.80")
    assert records(rig.resolve(question("b.example."), ["b.example. 300 A 192.0.2.1"]).answer)[0].endswith(" 192.0.2.1")


def chain_blocked(policy: Policy, domain: str, target: str = "shared.example") -> bool:
    return policy.judge_chain(key(domain), [key(target)]) is not None


def test_a_hold_ends_with_the_entry_it_is_of() -> None:
    listed = index_of([basis("own", "list", "shared.example")])
    policy = Policy(listed, 1, AS_OF, 1)
    for domain in ("one.test", "two.test"):
        policy.judge_chain(key(domain), [key("shared.example")])
    assert policy.held == {key("shared.example")}
    policy.switch(listed, 2, AS_OF)
    assert policy.held == {key("shared.example")}
    policy.switch(index_of([basis("own", "list", "other.example")]), 3, AS_OF)
    assert policy.held == set()


def test_an_entry_that_blocks_many_unrelated_domains_by_alias_is_held() -> None:
    policy = Policy(index_of([basis("directive", "R", "shared.example"), basis("directive", "S", "other.example")]), 1, AS_OF, 3)
    generation = policy.generation
    assert all(chain_blocked(policy, f"www.customer{number}.test") for number in range(3))
    # Subdomains of one customer, and the listed name's own domain, are not unrelated.
    assert all(chain_blocked(policy, f"n{number}.customer0.test") for number in range(50))
    assert all(chain_blocked(policy, f"n{number}.shared.example") for number in range(50))
    assert (policy.generation, policy.held) == (generation, set())
    assert not chain_blocked(policy, "www.customer3.test")
    assert policy.generation == generation + 1
    assert policy.held == {key("shared.example")}
    # Held for everybody, those who were blocked before too; the name itself stays blocked, and so do chains to other names.
    assert not chain_blocked(policy, "www.customer0.test")
    assert not chain_blocked(policy, "www.customer0.test", "x.shared.example")
    assert policy.judge(key("shared.example")) is not None
    assert policy.judge(key("x.shared.example")) is not None
    assert chain_blocked(policy, "www.customer0.test", "other.example")
    assert policy.judge_chain(key("www.customer9.test"), [key("shared.example"), key("other.example")]) is not None


def test_a_hold_reaches_replies_already_cached() -> None:
    rig = Rig([basis("directive", "R", "shared.example")], chain_limit=1)
    answer = ["www.one.test1. 300 CNAME shared.example.", "shared.example. 300 A 192.0.2.1"]
    one = question("www.one.test1.")
    for _ in range(3):
        assert records(rig.resolve(one, answer).answer) == ["www.one.test1. 30 a 192.0.2.80"]
    two = question("www.two.test2.")
    other = ["www.two.test2. 300 CNAME shared.example.", "shared.example. 300 A 192.0.2.1"]
    assert records(rig.resolve(two, other).answer)[-1] == "shared.example. 300 a 192.0.2.1"
    assert records(rig.resolve(one, answer).answer)[-1] == "shared.example. 300 a 192.0.2.1"
    assert records(rig.resolve(question("shared.example.")).answer) == ["shared.example. 30 a 192.0.2.80"]


def test_counting_chains_takes_bounded_memory() -> None:
    """Whoever owns one domain can point it at every listed name in turn."""

    class Everything:
        """An index that lists each name by itself."""

        def find(self, found: bytes, now: int) -> Rule:
            return Rule("own", "redirect", "r", "exact", found, 0, 0, 0)

        def next_boundary(self, now: int) -> int:
            return FOREVER

    policy = Policy(Everything(), 1, AS_OF, 2)
    for number in range(3 * MOST_WATCHED):
        assert policy.judge_chain(key("a.attacker.test"), [key(f"n{number}.example")]) is not None
    assert len(policy._led_from) == MOST_WATCHED
    # What is counted now is still held when it is time to.
    assert all(policy.judge_chain(key(f"d{number}.test"), [key("late.example")]) is not None for number in range(2))
    assert policy.judge_chain(key("d2.test"), [key("late.example")]) is None


@settings(max_examples=300)
@given(st.lists(st.binary(min_size=1, max_size=9), max_size=5))
def test_any_name_has_a_registrable_domain(labels: list[bytes]) -> None:
    """Whatever octets a question has, counting its chain raises nothing."""
    found = b"".join(bytes((len(label),)) + label.lower() for label in [b"test", *labels])
    assert names.depth(registrable(found)) <= 1 + len(labels)
