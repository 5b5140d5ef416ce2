"""The statistics, held against values that others have published. Each case names its source."""

from __future__ import annotations

import numpy as np
import pytest

from porosity.statistics import budget, holm, mcnemar, reach, survival, wilson


@pytest.mark.parametrize(
    ("hits", "cases", "low", "high", "digits"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662, 4),
        (15, 148, 0.0624, 0.1605, 4),
        (0, 20, 0.0, 0.1611, 4),
        (1, 29, 0.0061, 0.1718, 4),
        # Sci-Hub at providers in France, 2019, and what no leak of 300 and of 3,000 still allows.
        (126, 361, 0.302, 0.400, 3),
        (0, 300, 0.0, 0.013, 3),
        (0, 3000, 0.0, 0.0013, 4),
    ],
)
def test_wilson(hits: int, cases: int, low: float, high: float, digits: int) -> None:
    found = wilson.interval(hits / cases, cases)
    assert [round(float(each), digits) for each in found] == [low, high]


def test_wilson_without_cases_says_nothing() -> None:
    low, high = wilson.interval([0.0, 0.5], [0, 10])
    assert (low[0], high[0]) == (0.0, 1.0)
    assert 0 < low[1] < 0.5 < high[1] < 1


@pytest.mark.parametrize(
    ("more", "fewer", "p"),
    [
        # Airway hyper-responsiveness before and after a transplant: Fagerland, Lydersen and Laake (2013).
        (1, 7, 0.070),
        # Binomial coefficients by hand: 2 (1 + 5) / 2^5 = 0.375, and two that can say nothing.
        (1, 4, 0.375),
        (0, 0, 1.0),
        (3, 3, 1.0),
        (0, 10, 0.00195),
    ],
)
def test_mcnemar(more: int, fewer: int, p: float) -> None:
    assert mcnemar.exact(more, fewer) == pytest.approx(p, abs=0.0005)


def test_mcnemar_of_many_comes_to_the_chi_square_of_the_textbook() -> None:
    # Approval of a prime minister in two surveys: Agresti, Categorical Data Analysis, 2nd edition, table 10.1: z = -4.17, p below 0.0001.
    assert mcnemar.exact(150, 86) == pytest.approx(3.7e-5, rel=0.05)
    assert mcnemar.exact(500_000, 501_000) == pytest.approx(0.318, abs=0.001), "z is 1.0: as many as the plan of a large study has"


def test_a_cluster_is_one_case() -> None:
    # Five names of one domain that all differ are one domain that differs.
    assert mcnemar.paired([5, 1, 0], [0, 1, 0]) == mcnemar.Paired(1, 0, 2, 1.0)


def test_holm() -> None:
    # By the definition: 4 x 0.005, 3 x 0.01, 2 x 0.03, and never less than the one before.
    assert holm.adjust([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm.adjust([]) == []


# Remission of leukaemia under 6-mercaptopurine, in weeks: Freireich and others, Blood 21 (1963); the curve as in Kleinbaum and Klein, Survival
# Analysis, 3rd edition (2012), chapter 2.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_kaplan_and_meier() -> None:
    found = survival.curve(WEEKS, ENDED)
    assert found.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert found.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert np.round(found.survival, 3).tolist() == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    assert survival.percentile(found, 0.5).value == 23
    assert survival.percentile(found, 0.95).value is None
    assert found.watched == 35


def test_the_others_of_that_trial_all_ended() -> None:
    # The placebo's group: no wait was censored, and the median is 8 weeks (the same source).
    weeks = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    found = survival.curve(weeks, [True] * 21)
    assert survival.percentile(found, 0.5).value == 8
    assert (found.survival[-1], found.low[-1], found.high[-1]) == (0, 0, found.high[-2])


def test_waits_that_never_ended_are_longer_than_was_watched() -> None:
    found = survival.curve([5.0, 7.0], [False, False])
    assert found.times.size == 0
    assert survival.percentile(found, 0.5) == (None, None, None)
    for waits, ended in (([], []), ([1.0], [True, True]), ([-1.0], [True]), ([float("nan")], [True])):
        with pytest.raises(ValueError, match="wait"):
            survival.curve(waits, ended)


def test_reach_is_the_sum_over_paths() -> None:
    assert reach.effective([0.717, 0.283], [0.1, 1.0]) == pytest.approx(0.3547)
    for shares in ([0.7, 0.2], [0.7, 0.4], [1.2, -0.2]):
        with pytest.raises(ValueError, match="make"):
            reach.effective(shares, [0.5, 0.5])


def test_a_budget() -> None:
    # 10 names: two leak by HTTPS alone, three by HTTPS and TXT, one by all three.
    found = {frozenset({"https"}): 2, frozenset({"https", "txt"}): 3, frozenset({"https", "txt", "dot"}): 1, frozenset[str](): 4}
    lines = {each.way: each for each in budget.lines(found, 10)}
    assert (lines["https"].step, lines["https"].alone, lines["https"].left) == (1, 0.2, 0.4)
    assert (lines["txt"].step, lines["txt"].alone, lines["txt"].left) == (2, 0.0, 0.1)
    assert (lines["dot"].step, lines["dot"].left) == (3, 0.0)
    assert lines["https"].part == pytest.approx((2 + 1.5 + 1 / 3) / 10)
    assert sum(each.part for each in lines.values()) == pytest.approx(0.6), "the parts make the whole"
    assert budget.lines({frozenset[str](): 3}, 3) == []
