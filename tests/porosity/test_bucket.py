"""A server is asked at its rate, whatever the pauses between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from porosity.bucket import Bucket


@given(st.sampled_from([1, 5, 40, 1_000, 20_000]), st.lists(st.floats(0, 3), max_size=200))
def test_never_more_than_the_rate_in_any_time(rate: int, pauses: list[float]) -> None:
    """In every stretch of t seconds at most rate·t + burst questions go out."""
    bucket, now, gone = Bucket(rate), 100.0, []
    for pause in pauses:
        now += pause / rate
        gone.append(now + bucket.reserve(now))
    assert gone == sorted(gone)
    for first in range(len(gone)):
        for last in range(first, len(gone)):
            assert last - first + 1 <= rate * (gone[last] - gone[first]) + bucket.burst + 1e-6


def test_the_usual_rate_goes_evenly() -> None:
    bucket = Bucket(5)
    assert [round(bucket.reserve(7.0), 6) for _ in range(4)] == [0.0, 0.2, 0.4, 0.6]


def test_a_place_is_lost_when_nobody_asks() -> None:
    """A pause does not save up a flood."""
    bucket = Bucket(5)
    bucket.reserve(0.0)
    assert [round(bucket.reserve(1000.0), 6) for _ in range(3)] == [0.0, 0.2, 0.4]
