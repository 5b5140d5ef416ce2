"""How right classifiers were: verdicts held against the truth of a lab, by rule, by state and by planted leak.

A verdict that does not decide is a miss and never a false one. Only trials of tested resolvers count: the controls are what is compared with.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from porosity import observations, parts
from porosity.lab import dnstap
from porosity.lab.lab import CLOCK
from porosity.lab.places import LabError
from porosity.lab.planted import LEAKS
from porosity.lab.scenario import Scenario
from porosity.lab.truth import Deeds, Judge, Truth
from porosity.lab.world import World
from porosity.study import Study

FOLDER, TRUTH, SCORE = "lab", "truth.parquet", "score.json"
BESIDE_ABOUT = {
    "second-resolver": "A second resolver that clients are given does not block.",
    "other-resolver": "A resolver that clients can reach does not block.",
    "over-parent": "All below an ordered name's parent is blocked, too.",
    "over-letters": "Names that end in the same letters are blocked, too.",
}
"""What is planted beside leaks."""
LATE = 1_000_000
"""Microseconds after an order began from which on an answer with the target's data is late, and not only under way."""
NOT_OONIS = ("failover", "other resolvers", "time")
"""Families that OONI's rules are not meant for: they judge one answer of one resolver, asked once. Signals are not theirs either."""
Z = 1.959963984540054
"""Of the normal distribution, for 95 % (Wilson, 1927)."""

SCHEMA = pa.schema(
    [
        ("trial", pa.int64()),
        ("resolver", pa.string()),
        ("name", pa.string()),
        ("vector", pa.string()),
        ("state", pa.string()),
        ("covered", pa.bool_()),
        ("kept", pa.bool_()),
        ("leak", pa.string()),
    ]
)


@dataclass
class Rule:
    """What came of one rule's verdicts."""

    id: str
    state: str
    decided: int = 0
    right: int = 0
    wrong: int = 0
    precision: tuple[float, float, float] | None = None
    """Right among right and wrong, and its 95 % interval; None: it decided nothing that can be judged."""
    recall: float | None = None
    """Of all trials that were so, the share that this rule told."""


@dataclass
class Score:
    """What came of one classifier."""

    rules: str
    trials: int = 0
    by_rule: list[Rule] = field(default_factory=list)
    states: dict[str, dict[str, float | int | None]] = field(default_factory=dict)
    """By state: how many trials were so, were told so, and rightly; precision and recall."""
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    """Trials by what was so, then by what was said."""
    planted: list[dict[str, Any]] = field(default_factory=list)
    """Each planted leak at each resolver, the vectors that it opened, and which of them were told."""
    found: int = 0
    missed: int = 0
    """Vectors opened at a resolver by planted leaks, that were told and not."""
    false_leaks: list[dict[str, Any]] = field(default_factory=list)
    """Where a leak was told and none was, by resolver and vector."""
    wrong: list[dict[str, Any]] = field(default_factory=list)
    """Other verdicts that were not so, by resolver, vector, rule and states."""


def tell(study: Study, world: World, directory: Path, vantages: Sequence[str] | None = None, rough: Collection[str] = ()) -> Path:
    """Writes what was so of each trial into the study. `directory`: the lab's; `rough`: resolvers whose line loses answers.

    Raises LabError when deeds and zones contradict each other.
    """
    plan = study.plan
    log = directory / dnstap.REACHED
    reached = {each.name for each in dnstap.read(log)} if log.exists() else None
    judge = Judge(world, plan, Deeds(sorted(directory.glob("*/deeds.jsonl"))), (study.directory / CLOCK).exists(), reached, rough)
    truths: list[Truth] = []
    for vantage in study.vantages() if vantages is None else vantages:
        for _, rows in observations.cells(study, vantage):
            truths += judge.cell(rows)
    if doubtful := [each for each in truths if not each.agree]:
        first = plan.trial(doubtful[0].trial)
        raise LabError(
            f"in {len(doubtful)} of {len(truths)} trials the lab contradicts itself, first in trial {first.number}"
            f" ({plan.resolvers[first.resolver].id}, {plan.vectors[first.vector].id}); nothing is scored by it"
        )
    return write(study, truths)


def write(study: Study, truths: Iterable[Truth]) -> Path:
    """Writes truths into the study, where `score` reads them."""
    plan = study.plan
    rows = []
    for each in truths:
        trial = plan.trial(each.trial)
        name = study.names[trial.name].name.to_text(omit_final_dot=True)
        rows.append(
            (each.trial, plan.resolvers[trial.resolver].id, name, plan.vectors[trial.vector].id, each.state, each.covered, each.kept, each.leak)
        )
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(SCHEMA)
    table = pa.Table.from_arrays([pa.array(column, kind.type) for column, kind in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
    path = study.directory / FOLDER / TRUTH
    path.parent.mkdir(exist_ok=True)
    parts.write(path, table, {"plan": plan.id})
    return path


def score(study: Study, rules: str, scenario: Scenario) -> Score:
    """Holds the verdicts of one set of rules against the truth that `tell` wrote. Raises LabError when either is missing."""
    path = study.directory / FOLDER / TRUTH
    files = sorted(study.classification(rules).glob("part-*.parquet"))
    if not path.exists() or not files:
        raise LabError(f"{study.directory} has no {'verdicts of ' + rules if path.exists() else 'truth of a lab'}; run the lab, then classify")
    tested = {each.id for each in study.plan.resolvers if each.role == "tested"}
    kinds = {each.id: each.kind for each in study.plan.vectors}
    truths = {row["trial"]: row for row in pq.read_table(path, schema=SCHEMA).to_pylist() if row["resolver"] in tested}
    verdicts = _verdicts(files, _in_force(study.directory / CLOCK), {each.id for each in study.plan.vectors if each.family == "time"})
    outside: set[str] = set()
    if rules.startswith("ooni"):
        outside = {each.id for each in study.plan.vectors if each.kind == "signal" or each.family in NOT_OONIS}
    return judge(rules, truths, verdicts, kinds, planted(scenario), outside)


def planted(scenario: Scenario) -> dict[str, list[str]]:
    """What is planted at each tested resolver: leaks, resolvers beside it that do not block, over-blocking."""
    roles = {each.role for each in scenario.resolvers.values() if each.block is None and not each.dead and each.program != "red-hand"}
    beside = [id for role, id in (("secondary", "second-resolver"), ("other", "other-resolver")) if role in roles]
    return {
        id: [*each.leaks, *beside, *([f"over-{each.over}"] if each.over else [])] for id, each in scenario.resolvers.items() if each.role == "tested"
    }


def judge(
    rules: str,
    truths: Mapping[int, Mapping[str, Any]],
    verdicts: Iterable[tuple[int, str, str, bool]],
    kinds: Mapping[str, str],
    plants: Mapping[str, Sequence[str]],
    outside: Collection[str] = (),
) -> Score:
    """The score. `truths`: rows of SCHEMA by trial; `verdicts`: trial, rule, state, and whether a watch showed a leak while the order was in force;
    `plants`: what is planted, by resolver; `outside`: vectors that the rules are not meant for. Pure.
    """
    found = Score(rules)
    truths = {trial: row for trial, row in truths.items() if row["vector"] not in outside}
    by_rule: dict[tuple[str, str], Rule] = {}
    told: Counter[str] = Counter()
    right: Counter[str] = Counter()
    were = Counter(row["state"] for row in truths.values())
    opened: dict[tuple[str, str], dict[str, list[int]]] = {}
    """By resolver and leak: of each vector, how many trials leaked and how many of these were told."""
    false: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str, str, str, str]] = Counter()
    for trial, rule, state, late in verdicts:
        row = truths.get(trial)
        if row is None:
            continue
        found.trials += 1
        entry = by_rule.setdefault((rule, state), Rule(rule, state))
        entry.decided += 1
        told[state] += 1
        found.confusion.setdefault(row["state"], {}).setdefault(state, 0)
        found.confusion[row["state"]][state] += 1
        so = right_or_wrong(row, state)
        if so:
            entry.right += 1
            right[state] += state == row["state"]
        elif so is False:
            entry.wrong += 1
            if state == "ok" and row["covered"] and kinds.get(row["vector"]) == "data":
                false[row["resolver"], row["vector"]] += 1
            else:
                wrong[row["resolver"], row["vector"], rule, row["state"], state] += 1
        over = next((each for each in plants.get(row["resolver"], ()) if each.startswith("over-")), "")
        over = over if row["state"] == "blocked" and row["kept"] and not row["covered"] and kinds.get(row["vector"]) == "data" else ""
        if plant := row["leak"] or over:
            counts = opened.setdefault((row["resolver"], plant), {}).setdefault(row["vector"], [0, 0])
            counts[0] += 1
            counts[1] += late or state == ("blocked" if over else "ok")
    for each in by_rule.values():
        each.precision = wilson(each.right, each.right + each.wrong)
        each.recall = each.right / were[each.state] if were[each.state] and each.state in ("ok", "blocked", "down") else None
    found.by_rule = sorted(by_rule.values(), key=lambda each: (each.id, each.state))
    for state in ("ok", "blocked", "down"):
        judged = sum(each.right + each.wrong for each in found.by_rule if each.state == state)
        good = sum(each.right for each in found.by_rule if each.state == state)
        found.states[state] = {
            "were": were[state], "told": told[state], "right": right[state],
            "precision": good / judged if judged else None, "recall": right[state] / were[state] if were[state] else None,
        }  # fmt: skip
    for resolver, leaks in plants.items():
        for leak in leaks:
            vectors = opened.get((resolver, leak), {})
            ways = {vector: {"leaked": n, "told": m} for vector, (n, m) in sorted(vectors.items())}
            about = BESIDE_ABOUT.get(leak) or LEAKS[leak].about
            found.planted.append({"resolver": resolver, "leak": leak, "about": about, "vectors": ways})
            found.found += sum(m > 0 for _, m in vectors.values())
            found.missed += sum(m == 0 for _, m in vectors.values())
    found.false_leaks = [{"resolver": one, "vector": other, "trials": count} for (one, other), count in sorted(false.items())]
    keys = ("resolver", "vector", "rule", "was", "said")
    found.wrong = [dict(zip(keys, key, strict=True)) | {"trials": count} for key, count in sorted(wrong.items())]
    return found


def right_or_wrong(truth: Mapping[str, Any], said: str) -> bool | None:
    """Whether a verdict is so; None: it can be neither, because it does not decide, or there was nothing to decide on."""
    if said == "insufficient":
        return None
    if truth["state"] != "nothing":
        return bool(said == truth["state"])
    # Nothing was there to be had. Who says that it was reached is wrong where it was kept; who says that it was kept, where it was not.
    if said == "down":
        return None  # such a question is turned away, and nothing was to be had by it
    if said == "ok":
        return False if truth["kept"] else None
    return bool(said == "blocked" and truth["kept"])


def wilson(right: int, of: int) -> tuple[float, float, float] | None:
    """A share with its 95 % interval (Wilson, 1927); None of nothing."""
    if not of:
        return None
    share, square = right / of, Z * Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = Z / (1 + square / of) * sqrt(share * (1 - share) / of + square / (4 * of * of))
    return share, max(0.0, middle - half), min(1.0, middle + half)


def save(study: Study, scores: Sequence[Score]) -> Path:
    """Writes scores into the study, for people and machines."""
    path = study.directory / FOLDER / SCORE
    parts.replace(path, (json.dumps([asdict(each) for each in scores], indent=1) + "\n").encode())
    return path


def _in_force(path: Path) -> tuple[int, int] | None:
    """When orders began and ended, in microseconds since 1970, if they did so while it was measured."""
    if not path.exists():
        return None
    at = {each["what"]: int(each["at"]) for each in json.loads(path.read_text(encoding="utf-8"))["events"]}
    return (at["enforced"], at["withdrawn"]) if len(at) == 2 else None


def _verdicts(files: Sequence[Path], in_force: tuple[int, int] | None, watches: Collection[str]) -> Iterator[tuple[int, str, str, bool]]:
    names = ("trial", "rule", "state", "vector", "evidence")
    for batch in ds.dataset([str(each) for each in files], format="parquet").scanner(columns=list(names)).to_batches():
        for trial, rule, state, vector, evidence in zip(*(batch.column(each).to_pylist() for each in names), strict=True):
            yield trial, rule, state, in_force is not None and vector in watches and _late(json.loads(evidence), *in_force)


def _late(evidence: dict[str, Any], began: int, ended: int) -> bool:
    """Whether a watch shows that the target was reached a while after an order began."""
    changes = evidence.get("watch", [])
    return any(state == "ok" and since < ended and min(until, ended) > began + LATE for (since, _, state), (until, _, _) in pairwise(changes))
