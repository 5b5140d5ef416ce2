"""The order of trials: all of them, once, at random, and the same wherever the plan is read."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from porosity import order, plan, vectors
from porosity.observations import Done
from tests.porosity.studies import planned, resolver, vector


@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
def test_a_permutation_takes_every_place_once(size: int, key: int) -> None:
    """Invariant: all places of any size go to all places, whatever the key."""
    found = order.permuted(np.arange(size, dtype=np.uint64), size, key)
    assert sorted(found.tolist()) == list(range(size))


def test_any_place_of_a_permutation_can_be_had_alone() -> None:
    whole = order.permuted(np.arange(1000, dtype=np.uint64), 1000, 5).tolist()
    assert [order.permuted(np.array([place], dtype=np.uint64), 1000, 5)[0] for place in range(1000)] == whole


@example(43, 3, 3, 1, 0)
@example(300, 1, 66, 1, 0)
@example(20, 1, 67, 1, 0)
@given(st.integers(1, 300), st.integers(1, 4), st.integers(1, 5), st.integers(1, 2), st.integers(-3, 2**70))
def test_a_repeat_is_every_trial_once_in_batches_that_have_a_canary_at_every_resolver(
    listed: int, vectors: int, resolvers: int, repeats: int, seed: int
) -> None:
    """Invariant: batches share out all trials, none is larger than BATCH, each has a canary at each resolver, and cells are not torn apart."""
    placed = [resolver("tested", "tested"), *(resolver(f"r{each}") for each in range(1, resolvers))]
    made, _ = planned(listed, [vector(f"TYPE{each + 1000}") for each in range(vectors)], placed, repeats=repeats, seed=seed)
    seen: Counter[int] = Counter()
    for repeat in range(repeats):
        for number in range(order.batches(made)):
            batch = order.batch(made, repeat, number)
            assert len(batch) <= (plan.BATCH if resolvers <= 66 else 3 * resolvers)
            found = [made.trial(each) for each in batch]
            assert {each.resolver for each in found if each.name < made.canaries} == set(range(resolvers))
            for at in range(0, len(batch), resolvers):
                assert len({each // resolvers for each in batch[at : at + resolvers]}) == 1
            seen.update(each.number for each in found if each.repeat == repeat)
    assert seen == Counter(range(made.trials))


def test_the_order_is_known_from_the_plan_alone_for_good() -> None:
    """A study begun with one release goes on with the next: these numbers never change while the order is called cells-1."""
    made, _ = planned(listed=5, seed=1)
    assert made.order == order.RULE == "cells-1"
    assert list(order.trials(made))[:18] == FIRST
    assert list(order.trials(planned(listed=5, seed=2)[0]))[:18] != FIRST


FIRST = [36, 37, 38, 1, 2, 0, 4, 5, 3, 43, 44, 42, 53, 51, 52, 23, 21, 22]


def test_what_asks_nothing_of_a_name_is_tried_on_canaries_alone() -> None:
    made, _ = planned(listed=150, vectors=[vector("A"), vectors.by_id("upgrade-canary"), vector("HTTPS")], repeats=2)
    asked = list(map(made.trial, order.trials(made)))
    assert len(asked) == len(set(asked)) == made.made < made.trials
    by_vector = Counter(each.vector for each in asked)
    assert by_vector[0] == by_vector[2] == made.names * made.measured * 2
    assert by_vector[1] == made.canaries * made.measured * 2
    assert all(each.name < made.canaries for each in asked if each.vector == 1)


def test_the_order_says_nothing_of_names_vectors_and_resolvers() -> None:
    """Each third of a repeat has about its third of every vector, and each resolver is first about as often."""
    made, _ = planned(listed=600)
    numbers = [made.trial(each) for each in list(order.trials(made))[: made.cells * made.measured]]
    third = len(numbers) // 3
    for start in range(0, third * 3, third):
        vectors = Counter(each.vector for each in numbers[start : start + third])
        assert all(abs(count - third / 3) < third * 0.05 for count in vectors.values())
        assert abs(sum(each.name for each in numbers[start : start + third]) / third - made.names / 2) < made.names * 0.05
    first = Counter(each.resolver for each in numbers[:: made.measured])
    assert all(abs(count - made.cells / 3) < made.cells * 0.05 for count in first.values())


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_is_done_is_not_made_again(share: float) -> None:
    made, _ = planned()
    whole = list(order.trials(made))
    done = Done(made.trials)
    done.add(whole[: int(len(whole) * share)])
    assert list(order.trials(made, done)) == whole[int(len(whole) * share) :]


@given(st.lists(st.lists(st.integers(0, 999), max_size=30), max_size=10))
def test_a_set_of_trials_is_a_set(batches: list[list[int]]) -> None:
    """Invariant: as Python's own set."""
    done, oracle = Done(1000), set[int]()
    for batch in batches:
        done.add(batch)
        oracle.update(batch)
    assert len(done) == len(oracle)
    assert [each for each in range(1000) if each in done] == sorted(oracle)
