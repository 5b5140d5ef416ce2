"""The rate against the definition: of any hour and any day, what was counted in it, added up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.rate import DAY, HOUR, Rate

STEPS = st.lists(st.tuples(st.sampled_from([0, 1, 600, HOUR - 1, HOUR, HOUR + 1, DAY // 2, DAY]), st.integers(0, 9)), max_size=40)


@given(STEPS)
def test_no_hour_and_no_day_has_more_than_its_limit_and_nothing_else_is_held(steps: list[tuple[int, int]]) -> None:
    rate, counted, at = Rate(), list[tuple[int, int]](), 1_000_000
    for wait, amount in steps:
        at += wait
        fits = all(sum(n for then, n in counted if then > at - span) + amount <= most for span, most in ((HOUR, 10), (DAY, 20)))
        assert (rate.excess(at, amount, 10, 20) is None) == (fits or amount == 0)
        if fits:
            counted.append((at, amount))


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (11, "11 new names after 0 within the last hour are more than the 10 that the policy allows"),
        (5, None),
    ],
)
def test_what_is_too_much_is_said_in_figures(amount: int, words: str | None) -> None:
    assert Rate().excess(1, amount, 10, 20) == words
