"""The statistics, held against statsmodels and against themselves, on cases that are drawn. Seeds: hypothesis prints what it fails on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats import contingency_tables, multitest, proportion

from porosity.statistics import bootstrap, budget, holm, mcnemar, survival, wilson


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson(counts: tuple[int, int], confidence: float) -> None:
    hits, cases = counts
    low, high = wilson.interval(hits / cases, cases, confidence)
    assert (float(low), float(high)) == pytest.approx(proportion.proportion_confint(hits, cases, 1 - confidence, method="wilson"), abs=1e-9)
    assert low <= hits / cases <= high


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar(more: int, fewer: int) -> None:
    theirs = contingency_tables.mcnemar([[3, more], [fewer, 5]], exact=True).pvalue if more + fewer else 1.0
    assert mcnemar.exact(more, fewer) == pytest.approx(theirs, rel=1e-6, abs=1e-300)


@settings(deadline=None, max_examples=10)  # theirs collects garbage each time
@given(st.lists(st.integers(0, 1000).map(lambda each: each / 1000), min_size=1, max_size=30))
def test_holm(values: list[float]) -> None:
    assert holm.adjust(values) == pytest.approx(multitest.multipletests(values, method="holm")[1], abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=2, max_size=60).filter(lambda waits: any(ended for _, ended in waits)))
def test_survival(waits: list[tuple[int, bool]]) -> None:
    durations, ended = [float(each) + 1 for each, _ in waits], [each for _, each in waits]
    ours = survival.curve(durations, ended)
    theirs = SurvfuncRight(durations, [int(each) for each in ended])
    assert ours.times.tolist() == theirs.surv_times.tolist()
    assert ours.survival == pytest.approx(theirs.surv_prob)
    # Theirs wants fewer than the rest left, ours at most as many: where they are exactly as many, the two differ.
    for share in (0.2503, 0.5003, 0.9003):
        value = theirs.quantile(share)
        assert survival.percentile(ours, share).value == (None if np.isnan(value) else value)
    assert np.all(np.diff(ours.survival) < 0)
    assert np.all((ours.low <= ours.survival) & (ours.survival <= ours.high))


def test_the_interval_of_a_percentile_is_theirs() -> None:
    random = np.random.default_rng(7)
    durations, ended = random.exponential(10, 200).round(3), random.random(200) < 0.8
    ours, theirs = survival.curve(durations, ended), SurvfuncRight(durations, ended.astype(int))
    for share in (0.25, 0.5, 0.75):
        low, high = theirs.quantile_ci(share, alpha=0.05, method="cloglog")
        found = survival.percentile(ours, share)
        # Theirs takes the times strictly within the band, ours those at which the band reaches the level: at most one time of waiting apart.
        places = np.searchsorted(ours.times, [found.low or np.nan, low, found.high or np.nan, high])
        assert abs(places[0] - places[1]) <= 1
        assert abs(places[2] - places[3]) <= 1


def test_the_bootstrap_keeps_to_its_promise() -> None:
    """Of studies with unlike clusters, 95 in a hundred intervals hold the truth; of those that take each name for a case of its own, far fewer."""
    seed = 20261122
    print("seed", seed)
    random = np.random.default_rng(seed)
    truth, clusters = 0.3, 80
    held, naive = 0, 0
    resampler = bootstrap.Resampler(clusters, 1)
    for _ in range(300):
        sizes = random.integers(1, 12, clusters)
        each = random.binomial(sizes, random.beta(0.3, 0.7, clusters))
        low, high = resampler.interval(each[:, None], sizes[:, None])
        held += bool(low[0] <= truth <= high[0])
        below, above = wilson.interval(each.sum() / sizes.sum(), sizes.sum())
        naive += bool(below <= truth <= above)
    assert 0.90 <= held / 300 <= 0.98
    assert naive / 300 < 0.80


def test_the_same_seed_draws_the_same_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    hits = random.integers(0, 4, (50, 3))
    cases = np.full((50, 3), 3)
    whole = bootstrap.Resampler(50, 9, 200).shares(hits, cases)
    monkeypatch.setattr(bootstrap, "_KEPT_OCTETS", 0)
    assert np.array_equal(bootstrap.Resampler(50, 9, 200).shares(hits, cases), whole)
    assert not np.array_equal(bootstrap.Resampler(50, 10, 200).shares(hits, cases), whole)
    none = bootstrap.Resampler(50, 9, 200).interval(np.zeros((50, 2)), np.c_[np.ones(50), np.zeros(50)])
    assert none[0][0] == none[1][0] == 0
    assert np.isnan([none[0][1], none[1][1]]).all()


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.frozensets(st.sampled_from("abcdef"), max_size=6), st.integers(1, 9), max_size=12), st.integers(0, 20))
def test_the_parts_of_a_budget_make_the_whole(found: dict[frozenset[str], int], kept: int) -> None:
    cases = sum(found.values()) + kept
    lines = budget.lines({**found, frozenset[str](): kept}, cases) if cases else []
    leaking = sum(count for ways, count in found.items() if ways)
    assert sum(each.part for each in lines) == pytest.approx(leaking / cases if cases else 0)
    assert [each.step for each in lines] == list(range(1, len(lines) + 1))
    assert not lines or lines[-1].left == 0
    assert all(each.alone <= each.part + 1e-12 <= each.leaks + 2e-12 for each in lines)
