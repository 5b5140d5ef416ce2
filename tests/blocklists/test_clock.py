"""The agreed clock: a table of cases, and what holds for any history of readings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.clock import TOLERANCE, AgreedClock

NOON = 1_800_000_000

STEPS = st.lists(
    st.tuples(
        st.floats(0, 5000),  # seconds that really pass
        st.sampled_from([0.0, 0.0, 0.0, 1.0, -1.0, 250.0, -250.0, 299.0, 301.0, -301.0, 86400.0, -86400.0]),  # by which somebody sets the wall clock
    ),
    max_size=30,
)


def history(steps: list[tuple[float, float]]) -> list[tuple[float, float, float]]:
    """Readings as (true time, wall, monotonic)."""
    true, offset, readings = float(NOON), 0.0, []
    for passed, setting in steps:
        true += passed
        offset += setting
        readings.append((true, true + offset, true - NOON + 77))
    return readings


def test_it_follows_a_clock_that_is_left_alone() -> None:
    clock = AgreedClock()
    assert [clock.reading(NOON + passed, 5 + passed) for passed in (0, 0.9, 1, 3600, 864000)] == [NOON, NOON, NOON + 1, NOON + 3600, NOON + 864000]
    assert not clock.jumped


@pytest.mark.parametrize("step", [TOLERANCE + 1, -TOLERANCE - 1, 86400 * 365, -86400 * 365, float("nan"), float("inf")])
def test_a_jump_freezes_until_the_clocks_agree_again(step: float) -> None:
    clock = AgreedClock()
    clock.reading(NOON, 0)
    assert clock.reading(NOON + 60 + step, 60) == NOON
    assert clock.jumped
    assert clock.expected(60) == NOON + 60
    assert clock.reading(NOON + 120 + step, 120) == NOON
    assert clock.reading(NOON + 180, 180) == NOON + 180
    assert not clock.jumped


@pytest.mark.parametrize("step", [TOLERANCE, -TOLERANCE, 1])
def test_a_correction_passes(step: int) -> None:
    clock = AgreedClock()
    clock.reading(NOON, 0)
    assert clock.reading(NOON + 1000 + step, 1000) == NOON + 1000 + step
    assert not clock.jumped


def test_a_small_step_back_waits_and_is_no_jump() -> None:
    clock = AgreedClock()
    clock.reading(NOON, 0)
    assert clock.reading(NOON - 100, 1) == NOON
    assert not clock.jumped
    assert clock.reading(NOON + 50, 151) == NOON + 50


def test_the_floor_holds_across_a_restart() -> None:
    clock = AgreedClock(floor=NOON)
    assert clock.expected(10) == NOON
    assert clock.reading(NOON - 86400, 10) == NOON
    assert clock.jumped
    assert clock.reading(NOON + 5, 20) == NOON + 5
    assert not clock.jumped
    assert AgreedClock(floor=NOON).reading(NOON + 86400, 10) == NOON + 86400


def test_a_person_can_say_that_the_jump_was_the_cure() -> None:
    clock = AgreedClock()
    clock.reading(1000, 0)
    assert clock.reading(NOON, 10) == 1000
    assert clock.accept(NOON, 11) == NOON
    assert not clock.jumped
    assert clock.reading(NOON + 9, 20) == NOON + 9


@given(STEPS, st.integers(0, 2 * NOON))
def test_it_never_goes_back_nor_below_its_floor(steps: list[tuple[float, float]], floor: int) -> None:
    clock, last = AgreedClock(floor), floor
    for _, wall, monotonic in history(steps):
        now = clock.reading(wall, monotonic)
        assert now >= last
        if clock.jumped:
            assert now == last
        last = now


@given(STEPS)
def test_one_setting_moves_it_by_no_more_than_the_tolerance(steps: list[tuple[float, float]]) -> None:
    """Between two readings agreed time gains at most the time that passed since it last agreed, plus the tolerance."""
    clock = AgreedClock()
    agreed_at, last = None, None
    for true, wall, monotonic in history(steps):
        now = clock.reading(wall, monotonic)
        if agreed_at is not None and last is not None:
            assert now - last <= true - agreed_at + TOLERANCE + 1
        if not clock.jumped:
            agreed_at = true
            assert now >= int(wall)
        last = now


@given(STEPS)
def test_it_jumps_exactly_when_the_wall_leaves_the_monotonic_clock(steps: list[tuple[float, float]]) -> None:
    clock = AgreedClock()
    offset = None
    for _, wall, monotonic in history(steps):
        clock.reading(wall, monotonic)
        apart = 0.0 if offset is None else abs(wall - monotonic - offset)
        if not TOLERANCE - 0.01 < apart < TOLERANCE + 0.01:  # sums of fractions are not exact at the edge itself
            assert clock.jumped == (apart > TOLERANCE)
        if not clock.jumped:
            offset = wall - monotonic
