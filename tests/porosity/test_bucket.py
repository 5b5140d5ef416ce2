"""A server is asked at its rate, whatever the pauses between, and whoever was held up meanwhile."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from porosity.bucket import Bucket


@given(st.sampled_from([0.25, 1, 5, 40, 1_000, 20_000]), st.lists(st.tuples(st.floats(0, 3), st.floats(0, 30)), max_size=150))
def test_never_more_than_the_rate_in_any_time(rate: float, pauses: list[tuple[float, float]]) -> None:
    """In every stretch of t seconds at most rate·t + burst questions go out, however late those who wait are woken; none with the start."""
    bucket, now, gone = Bucket(rate, 100.0), 100.0, []
    for pause, late in pauses:
        now += pause / rate
        while seconds := bucket.take(now):
            now += seconds * 1.000001 + late / rate
        gone.append(now)
    assert all(each >= 100.0 + 1 / rate for each in gone)
    for first in range(len(gone)):
        for last in range(first, len(gone)):
            assert last - first + 1 <= rate * (gone[last] - gone[first]) + bucket.burst + 1e-6


def taken(bucket: Bucket, now: float, count: int) -> list[float]:
    """When so many went, by somebody who waits as told."""
    found = []
    for _ in range(count):
        while seconds := bucket.take(now):
            now += seconds
        found.append(round(now, 6))
    return found


def test_the_usual_rate_goes_evenly() -> None:
    assert taken(Bucket(5, 7.0), 7.0, 4) == [7.2, 7.4, 7.6, 7.8]


def test_a_place_is_lost_when_nobody_asks() -> None:
    """A pause does not save up a flood."""
    bucket = Bucket(5, 0.0)
    taken(bucket, 0.0, 2)
    assert taken(bucket, 1000.0, 3) == [1000.0, 1000.2, 1000.4]
