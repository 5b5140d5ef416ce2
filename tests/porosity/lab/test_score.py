"""Scores: what counts as right, found and false; and that a lab which contradicts itself scores nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from porosity.lab import dnstap, score
from porosity.lab.score import judge, right_or_wrong, wilson

KINDS = {"type-a": "data", "type-https": "data", "upgrade-canary": "signal"}


def _truth(state: str, vector: str = "type-a", *, covered: bool = True, kept: bool = False, leak: str = "") -> dict[str, Any]:
    return {"resolver": "r", "name": "one.example", "vector": vector, "state": state, "covered": covered, "kept": kept, "leak": leak}


@pytest.mark.parametrize(
    ("truth", "said", "right"),
    [
        (_truth("ok"), "ok", True),
        (_truth("ok"), "blocked", False),
        (_truth("ok"), "insufficient", None),
        (_truth("blocked", kept=True), "blocked", True),
        (_truth("blocked", kept=True), "ok", False),
        (_truth("blocked", kept=True), "down", False),
        (_truth("down"), "down", True),
        (_truth("down"), "blocked", False),
        (_truth("nothing", kept=True), "blocked", True),
        (_truth("nothing", kept=True), "ok", False),
        (_truth("nothing"), "blocked", False),
        (_truth("nothing"), "ok", None),
        (_truth("nothing"), "down", None),
        (_truth("nothing"), "insufficient", None),
    ],
)
def test_a_verdict_that_does_not_decide_is_never_false(truth: dict[str, Any], said: str, right: bool | None) -> None:
    assert right_or_wrong(truth, said) is right


def test_the_score_of_a_few_verdicts() -> None:
    truths = {
        1: _truth("ok", "type-https", leak="type-65"),
        2: _truth("ok", "type-https", leak="type-65"),
        3: _truth("blocked", kept=True),
        4: _truth("blocked", kept=True),
        5: _truth("blocked", covered=False, kept=True),
        6: _truth("down"),
        7: _truth("ok", "upgrade-canary"),
    }
    verdicts = [
        (1, "R06", "ok", False),
        (2, "R25", "insufficient", False),
        (3, "R08", "blocked", False),
        (4, "R06", "ok", False),
        (5, "R08", "blocked", False),
        (6, "R03", "blocked", False),
        (7, "R41", "ok", False),
        (99, "R06", "ok", False),  # a control's: not scored
    ]
    found = judge("red-hand-1", truths, verdicts, KINDS, {"r": ["type-65", "over-parent"]})
    assert found.trials == 7
    assert {(each.id, each.right, each.wrong) for each in found.by_rule} == {
        ("R06", 1, 1), ("R25", 0, 0), ("R08", 2, 0), ("R03", 0, 1), ("R41", 1, 0),
    }  # fmt: skip
    assert found.states["ok"] == {"were": 3, "told": 3, "right": 2, "precision": 2 / 3, "recall": 2 / 3}
    assert found.states["down"]["recall"] == 0
    assert (found.found, found.missed) == (2, 0)
    assert [each["vectors"] for each in found.planted] == [{"type-https": {"leaked": 2, "told": 1}}, {"type-a": {"leaked": 1, "told": 1}}]
    assert found.false_leaks == [{"resolver": "r", "vector": "type-a", "trials": 1}]
    assert [(each["was"], each["said"]) for each in found.wrong] == [("down", "blocked")]


def test_vectors_that_rules_are_not_meant_for_are_left_out() -> None:
    truths = {1: _truth("ok"), 2: _truth("ok", "upgrade-canary")}
    found = judge("ooni-0.4", truths, [(1, "W4-05", "ok", False), (2, "W4-00", "insufficient", False)], KINDS, {}, {"upgrade-canary"})
    assert (found.trials, found.states["ok"]["were"]) == (1, 1)


def test_a_stale_cache_is_told_by_a_watch_that_goes_on_reaching_the_target() -> None:
    began, ended = 10_000_000, 20_000_000
    prompt = [[5_000_000, 0, "ok"], [10_200_000, 20, "blocked"], [20_100_000, 60, "ok"], [24_000_000, 80, "end"]]
    stale = [[5_000_000, 0, "ok"], [13_000_000, 31, "blocked"], [20_100_000, 60, "ok"], [24_000_000, 80, "end"]]
    assert not score._late({"watch": prompt}, began, ended)
    assert score._late({"watch": stale}, began, ended)
    assert not score._late({}, began, ended)


@pytest.mark.parametrize(("right", "of", "low", "high"), [(126, 361, 0.302, 0.400), (0, 300, 0.0, 0.0126), (0, 3000, 0.0, 0.0013)])
def test_intervals_are_wilsons(right: int, of: int, low: float, high: float) -> None:
    # Sci-Hub in France, 2019: 126 of 361 probes, 30.2 to 40.0 %.
    found = wilson(right, of)
    assert found is not None
    assert found[1] == pytest.approx(low, abs=0.0005)
    assert found[2] == pytest.approx(high, abs=0.0005)


def test_what_servers_wrote_down_half_is_left_out(tmp_path: Path) -> None:
    whole = dnstap.Reached(1, "names", "192.0.2.1", "udp", "one.example", "A")
    (tmp_path / "log").write_text(json.dumps(whole) + "\n" + json.dumps(whole)[:20])
    assert dnstap.read(tmp_path / "log") == [whole]
    assert dnstap.read(tmp_path / "none") == []
