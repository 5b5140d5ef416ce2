"""What each rule makes of what was said: golden/rules.yaml, a row a case."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from porosity.names import make
from porosity.networks import Networks
from porosity.plan import Plan
from porosity.rules import drawn, faults, ooni, signals, trials
from porosity.rules.canaries import Canaries
from porosity.rules.facts import Known, Learned, Orders, packed
from porosity.rules.faults import Faults
from porosity.rules.scene import Scene
from porosity.words import Observation, Verdict
from tests.porosity import said

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "golden" / "rules.yaml").read_text("utf-8"))
KNOWN = Known(
    landing=packed(["192.0.2.80"]),
    block_pages={next(iter(packed(["203.0.113.77"]))): "another_page"},
    networks=Networks({"198.51.100.0/24": (64497, "Example Hosting"), "203.0.113.0/24": (64498, "Example Services")}),
)
OTHERS = [make("also-ordered.example", "listed", match="subtree")]
"""Ordered in the same study."""
LEARNED = Learned({said.TESTED: packed(["203.0.113.99"])})


def judged(case: dict[str, Any], known: Known = KNOWN) -> tuple[Verdict, bool, dict[str, str]]:
    """The verdict on ours, whether the order covers it, and OONI's rules."""
    name = said.NAMES[case.get("name", "listed")]
    text = name.name.to_text(omit_final_dot=True)
    chosen = [case["vector"], *case.get("also", {})]
    says: dict[tuple[str, str, str], list[str]] = {}
    for resolver in (said.TESTED, *said.CONTROLS):
        says[text, case["vector"], resolver] = case[resolver]
        for vector, of in case.get("also", {}).items():
            says[text, vector, resolver] = of.get(resolver, ["not sent"])
    if "canary" in case:
        says["free.example", case["vector"], said.TESTED] = case["canary"]
    listed = [name, said.NAMES["listed"]] if name.group == "canary" else [name]
    plan, names, rows = said.study_of(chosen, listed, says, repeats=case.get("repeats", 1))
    if "at_times" in case:
        last = plan.number(plan.repeats - 1, names.index(name), 0, 0)
        rows[last] = said.trial(plan, names, [said.vector(each) for each in chosen], last, case["at_times"], said.START)
    learned = replace(LEARNED, faults=gathered(plan, [row for each in rows.values() for row in each]))
    canaries, place, orders = Canaries(), names.index(name), Orders([*names, *OTHERS])
    scenes = []
    for number, each in enumerate(names):
        of_name = [row for trial, found in rows.items() if plan.trial(trial)[1:3] == (0, number) for row in found]
        scene = Scene(plan, each, 0, of_name, known, learned, orders)
        scenes.append(scene)
        if each.group == "canary":
            for trial in scene.trials:
                for seen in trial.asks:
                    row = seen.observation
                    has = any(control.items for control in scene.controls(trial, row.ask))
                    lacks = not seen.items if has else None
                    canaries.add(trial.resolver.id, trial.vector.id, row.ask, row.endpoint, row.sent_at, seen.reading, lacks)
    wanted = plan.number(0, place, 0, 0)
    verdict, covered = next((verdict, covered) for trial, verdict, covered in trials.verdicts(scenes[place], canaries) if trial.number == wanted)
    theirs = {
        each.version: next(verdict.rule for trial, verdict, _ in each.verdicts(scenes[place], canaries) if trial.number == wanted)
        for each in ooni.ALL
    }
    return verdict, covered, theirs


def gathered(plan: Plan, rows: list[Observation]) -> Faults:
    """What the asks of a study show of faults."""
    gathering = faults.Gathering(plan)
    numbers = [np.array([getattr(row, field) for row in rows], dtype=np.int64) for field in ("trial", "ask")]
    kinds = faults.kinds([row.failure for row in rows], [row.answer for row in rows])
    gathering.add(numbers[0], numbers[1], [row.endpoint for row in rows], kinds)
    return gathering.faults()


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{each['rule']}-{each['vector']}" for number, each in enumerate(CASES)])
def test_a_case_is_judged_as_the_table_says(case: dict[str, Any]) -> None:
    verdict, covered, theirs = judged(case)
    assert (verdict.rule, verdict.state) == (case["rule"], case["state"]), verdict.evidence
    assert (verdict.landing, verdict.ede) == (case.get("landing"), case.get("ede")), verdict.evidence
    assert covered == case.get("covered", True)
    assert json.loads(verdict.evidence)["got"]
    if "ooni" in case:
        assert list(theirs.values()) == case["ooni"]


def test_every_rule_has_a_case_and_an_id_of_its_own() -> None:
    ids = [each.id for each in signals.RULES]
    assert len(set(ids)) == len(ids)
    assert {each["rule"] for each in CASES} == set(ids)
    stated = {each.id: each.state for each in signals.RULES}
    assert all(stated[each["rule"]] == each["state"] for each in CASES)


def test_a_name_proved_by_tls_is_ok_to_those_who_look() -> None:
    case = next(each for each in CASES if each["rule"] == "R24" and each["vector"] == "type-a")
    (elsewhere,) = packed(["203.0.113.50"])
    proved = Known(networks=KNOWN.networks, certified=frozenset({("blocked.example", elsewhere)}))
    assert judged(case, proved)[2] == {"ooni-0.4": "W4-09", "ooni-0.5": "W5-07", "ooni-backend": "B-02"}
    refuted = Known(networks=KNOWN.networks, certified=frozenset())
    assert judged(case, refuted)[2]["ooni-backend"] == "B-04"


def test_a_watch_tells_when_its_state_changed() -> None:
    case = next(each for each in CASES if each["vector"] == "time-restore")
    watch = json.loads(judged(case)[0].evidence)["watch"]
    assert [state for _, _, state in watch] == ["blocked", "ok", "end"]
    assert [ask for _, ask, _ in watch] == [0, 2, 58]
    assert watch[1][0] - watch[0][0] == 2_000_000


def test_the_guide_has_the_rules_as_they_are() -> None:
    guide = Path(__file__).parents[2] / "docs" / "rules.md"
    assert guide.read_text("utf-8") == drawn.document(), "python -m porosity.rules.drawn > docs/rules.md"
