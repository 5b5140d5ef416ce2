"""Two studies beside one another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from porosity import estimates
from porosity.cli import app
from porosity.plan import Trial
from porosity.report import compare
from porosity.report.found import Found, Row, read
from porosity.statistics import differences, wilson
from porosity.statistics.differences import Ends
from porosity.study import Study
from tests.porosity import judged


def _rate(hits: int, names: int) -> Row:
    low, high = wilson.interval(hits / names, names)
    return {"share": hits / names, "low": float(low), "high": float(high)}


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table II, method 10.
    [
        ((48, 80), (56, 70), (0.2000, 0.0524, 0.3339)),
        ((3, 10), (9, 10), (0.6000, 0.1705, 0.8090)),
        ((0, 10), (0, 10), (0.0, -0.2775, 0.2775)),
        ((0, 10), (10, 10), (1.0, 0.6075, 1.0)),
    ],
)
def test_the_interval_of_a_difference_is_the_published_one(one: tuple[int, int], other: tuple[int, int], wanted: tuple[float, float, float]) -> None:
    assert compare.difference(_rate(*one), _rate(*other)) == pytest.approx(wanted, abs=5e-5)


_RATES = st.integers(1, 400).flatmap(lambda names: st.tuples(st.integers(0, names), st.just(names)))


@given(_RATES, _RATES)
def test_turned_round_the_difference_is_the_same_with_the_other_sign(one: tuple[int, int], other: tuple[int, int]) -> None:
    gap, low, high = compare.difference(_rate(*one), _rate(*other))
    assert -1 <= low <= gap <= high <= 1
    assert compare.difference(_rate(*other), _rate(*one)) == pytest.approx((-gap, -high, -low))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A study of a resolver that leaks HTTPS records, and one of the same names once it does not."""
    folder = tmp_path_factory.mktemp("compare")
    for name, state in (("before", judged.leaky), ("after", judged.tight)):
        estimates.make(judged.made(folder / name, state, listed=60))
    return folder / "before", folder / "after"


def test_a_leak_that_was_closed_is_less_and_the_rest_is_not_told_apart(both: tuple[Path, Path]) -> None:
    shown = CliRunner().invoke(app, ["compare", *map(str, both), "--json"], catch_exceptions=False).stdout
    found = json.loads(shown)
    says = {each["what"]: each["says"] for each in found["changes"]}
    assert says == {
        "own ways": "leaks less", "any way": "leaks less", "type-a": "not told apart", "type-aaaa": "not told apart", "type-https": "leaks less",
    }  # fmt: skip
    assert found["notes"] == []
    turned = json.loads(CliRunner().invoke(app, ["compare", str(both[1]), str(both[0]), "--json"], catch_exceptions=False).stdout)
    assert {each["what"] for each in turned["changes"] if each["says"] == "leaks more"} == {"own ways", "any way", "type-https"}


def test_the_command_shows_what_changed(both: tuple[Path, Path]) -> None:
    shown = CliRunner().invoke(app, ["compare", *map(str, both)], catch_exceptions=False, env={"COLUMNS": "200"}).stdout
    assert "50.0 %" in shown
    assert "leaks less" in shown
    assert "2 vectors leak alike in both" in shown
    assert "each name is compared with itself" in shown


def test_a_name_is_its_own_control_where_both_asked_it(tmp_path: Path) -> None:
    def few(of: Study, trial: Trial) -> str:
        return judged.leaky(of, trial) if trial.name < 16 else judged.tight(of, trial)

    for name, state, called in (("before", few, "blocked"), ("after", judged.tight, "blocked"), ("others", judged.tight, "kept")):
        estimates.make(judged.made(tmp_path / name, state, listed=60, called=called))
    before, after, others = (read(judged.study.open(tmp_path / name)) for name in ("before", "after", "others"))
    same, apart = ({each.what: each for each in compare.compare(before, other).changes} for other in (after, others))
    leaking = round(same["type-https"].first["share"] * 60)
    assert leaking >= 6
    assert (same["type-https"].paired, apart["type-https"].paired) == (True, False)
    assert same["type-https"].p == pytest.approx(2 * 0.5**leaking), "McNemar's, of names that all went one way"
    assert same["type-https"].difference == pytest.approx(apart["type-https"].difference)
    assert same["type-a"].p == 1
    gone = compare.compare(before, _without_verdicts(after))
    assert not any(each.paired for each in gone.changes)
    assert "verdicts of one are not there" in gone.notes[0]


def _without_verdicts(found: Found) -> Found:
    shutil.rmtree(found.study.classification(found.said["rules"]))
    return found


# R. G. Newcombe, Statistics in Medicine 17 (1998), pages 2635 to 2650; M. W. Fagerland, S. Lydersen and P. Laake, Statistics in Medicine 33 (2014).
@pytest.mark.parametrize(("cases", "wanted"), [((36, 12, 2, 0), (0.2000, 0.0569, 0.3404)), ((1, 1, 7, 12), (-0.2857, -0.507, -0.026))])
def test_the_interval_of_a_paired_difference_is_the_published_one(cases: tuple[int, int, int, int], wanted: tuple[float, float, float]) -> None:
    both, one, other, none = cases
    first, second = [1] * (both + one) + [0] * (other + none), [1] * both + [0] * one + [1] * other + [0] * none
    ends = [Ends(**{key: rate[key] for key in ("share", "low", "high")}) for rate in (_rate(sum(each), len(each)) for each in (second, first))]
    assert differences.interval(*ends, differences.correlation(first, second)) == pytest.approx(wanted, abs=5e-4)


def test_other_names_are_told(both: tuple[Path, Path], tmp_path: Path) -> None:
    fewer, others = judged.made(tmp_path / "fewer", listed=5), judged.made(tmp_path / "others", listed=5, called="kept")
    for each in (fewer, others):
        estimates.make(each)
    first = read(judged.study.open(both[0]))
    assert "5 names are in both (60; 5), and only those are compared" in compare.compare(first, read(fewer)).notes
    assert any("the names are not the same" in each for each in compare.compare(first, read(others)).notes)
