"""How right verdicts are, where the truth is known: `python -m bench.lab`. Every scenario of the lab, three seeds each, all sets of rules.

Scenarios among namespaces need root, NSD, Unbound and nginx, and are left out without. Writes the scores, and a table of them. It ends with status 1
unless our rules find every planted way in every run and tell no leak that is none.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import machine
from porosity.lab import run, scenario
from porosity.lab.score import Score, wilson
from porosity.rules import ours

SEEDS = (1, 2, 3)
OURS = ours.VERSION
RECORD = Path(__file__).parent / "record"


def main(out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-lab.")] = None) -> None:
    """Run them all, and write the record. Takes ten minutes."""
    runs = []
    for id in scenario.known():
        found = scenario.find(id)
        if found.form == "internet" and os.geteuid() != 0:
            print(f"{id}: left out, only root can have it")
            continue
        for seed in SEEDS:
            with tempfile.TemporaryDirectory(prefix="redhand-bench-lab-") as scratch:
                began = time.monotonic()
                study = run.measure(found, seed, Path(scratch) / "study")
                scores = run.judge(found, study)
                runs.append(
                    {
                        "scenario": id,
                        "seed": seed,
                        "trials": study.plan.made,
                        "seconds": round(time.monotonic() - began, 1),
                        "plan": study.plan.id,
                        "scores": [_kept(each) for each in scores],
                    }
                )
                print(_line(id, seed, scores))
    kept = all(_sound(each) for each in runs)
    day = datetime.now(UTC).date().isoformat()
    whole = {"date": day, "machine": machine.facts(), "runs": runs, "kept": kept}
    folder = out or RECORD / f"{day}-lab"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(_table(whole), encoding="utf-8")
    if not kept:
        raise typer.Exit(1)


def _kept(each: Score) -> dict[str, Any]:
    """Of comparison rules, how many verdicts were wrong, and not each of them."""
    found = asdict(each)
    return found if each.rules == OURS else {**found, "planted": [], "wrong": len(each.wrong), "false_leaks": len(each.false_leaks)}


def _line(id: str, seed: int, scores: Sequence[Score]) -> str:
    ours = next(each for each in scores if each.rules == OURS)
    ways = f"{ours.found} of {ours.found + ours.missed} ways"
    return f"{id}, seed {seed}: {ways}, {len(ours.false_leaks)} leaks that are none, {len(ours.wrong)} other wrong"


def _sound(each: dict[str, Any]) -> bool:
    ours = next(score for score in each["scores"] if score["rules"] == OURS)
    return not (ours["missed"] or ours["false_leaks"])


def _table(whole: dict[str, Any]) -> str:
    facts = whole["machine"]
    lines = [
        f"# How right verdicts are, where the truth is known, {whole['date']}",
        "",
        f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}.",
        f"`bench/lab.py` says what was run; seeds {', '.join(map(str, SEEDS))}. What the lab has not: middleboxes, sites that answer"
        " differently in different places.",
        "",
        "| scenario | trials a run | s | planted ways found | leaks told that are none | other wrong verdicts |",
        "|---|---|---|---|---|---|",
    ]
    by_scenario: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in whole["runs"]:
        by_scenario[each["scenario"]].append(each)
    for id, runs in by_scenario.items():
        ours = [next(score for score in each["scores"] if score["rules"] == OURS) for each in runs]
        found, missed = sum(each["found"] for each in ours), sum(each["missed"] for each in ours)
        false, wrong = sum(len(each["false_leaks"]) for each in ours), sum(len(each["wrong"]) for each in ours)
        seconds = max(each["seconds"] for each in runs)
        lines.append(f"| {id} | {runs[0]['trials']:,} | {seconds:.0f} | {found} of {found + missed} | {false} | {wrong} |")
    lines += [
        "",
        "All runs together. A verdict that does not decide is a miss and never wrong; OONI's rules are held to what they are meant for.",
        "",
    ]
    lines += ["| rules | state | so | told rightly | precision (95 %) | recall |", "|---|---|---|---|---|---|"]
    lines += _states(whole["runs"])
    lines += ["", "By rule of ours.", "", "| rule | state | decided | right | wrong | precision (95 %) |", "|---|---|---|---|---|---|"]
    lines += _rules(whole["runs"])
    lines += ["", "Kept: every planted way found, no leak told that is none." if whole["kept"] else "Not kept.", ""]
    return "\n".join(lines)


def _states(runs: Sequence[dict[str, Any]]) -> list[str]:
    lines = []
    for rules in dict.fromkeys(score["rules"] for each in runs for score in each["scores"]):
        scores = [score for each in runs for score in each["scores"] if score["rules"] == rules]
        for state in ("ok", "blocked", "down"):
            were = sum(each["states"][state]["were"] for each in scores)
            right = sum(each["states"][state]["right"] for each in scores)
            judged = [rule for each in scores for rule in each["by_rule"] if rule["state"] == state]
            good, bad = sum(rule["right"] for rule in judged), sum(rule["wrong"] for rule in judged)
            recall = f"{100 * right / were:.1f} %" if were else "-"
            lines.append(f"| {rules} | {state} | {were:,} | {right:,} | {_interval(good, good + bad)} | {recall} |")
    return lines


def _rules(runs: Sequence[dict[str, Any]]) -> list[str]:
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for each in runs:
        for rule in next(score for score in each["scores"] if score["rules"] == OURS)["by_rule"]:
            counts = sums[rule["id"], rule["state"]]
            for place, key in enumerate(("decided", "right", "wrong")):
                counts[place] += rule[key]
    return [
        f"| {id} | {state} | {decided:,} | {right:,} | {wrong} | {_interval(right, right + wrong)} |"
        for (id, state), (decided, right, wrong) in sorted(sums.items())
    ]


def _interval(right: int, of: int) -> str:
    found = wilson(right, of)
    return "-" if found is None else f"{100 * found[0]:.1f} % ({100 * found[1]:.1f} to {100 * found[2]:.1f})"


if __name__ == "__main__":
    typer.run(main)
