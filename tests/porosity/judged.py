"""Studies with verdicts that say what they are, so that what is made of them is known beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from porosity import classify, names, parts, plan, study
from porosity.plan import Trial
from porosity.study import Study
from porosity.words import Resolver
from tests.porosity import studies

HOSTILE = '<script>alert("order")</script>'
"""Somebody else's text, in a page of ours."""

State = Callable[[Study, Trial], str]


def leaky(of: Study, trial: Trial) -> str:
    """HTTPS reaches every name of an even number; the rest is blocked, neighbours too."""
    name = of.names[trial.name]
    if of.plan.resolvers[trial.resolver].role == "control" or name.group == "canary":
        return "ok"
    if of.plan.vectors[trial.vector].id == "type-https" and name.group == "listed" and trial.name % 2 == 0:
        return "ok"
    return "blocked"


def tight(of: Study, trial: Trial) -> str:
    """All ordered names are blocked, and no others."""
    tested = of.plan.resolvers[trial.resolver].role == "tested"
    return "blocked" if tested and of.names[trial.name].group == "listed" else "ok"


def made(
    directory: Path, state: State = leaky, listed: int = 20, seed: int = 7, called: str = "blocked", resolvers: Sequence[Resolver] = studies.RESOLVERS
) -> Study:
    """A study of so many listed names and three neighbours, judged so."""
    given = [names.make(f"n{number}.{called}{number}.test", match="subtree", list="orders", directive=HOSTILE) for number in range(listed)]
    given += [names.make(f"beside{number}.test", "neighbour", list="orders", directive=HOSTILE) for number in range(3)]
    given += [names.make("ok.example", "canary")]
    lists = [plan.Listing("orders", "orders.txt", "ab" * 32, listed)]
    planned, known = plan.make(given, studies.VECTORS, resolvers, seed=seed, as_of=studies.AS_OF, repeats=3, lists=lists)
    opened = study.create(directory, planned, known)
    rows = []
    for number in range(planned.trials):
        trial = planned.trial(number)
        of = opened.names[trial.name]
        said = state(opened, trial)
        told = said == "blocked" or None
        rows.append(
            {
                "trial": number,
                "rule": "R06",
                "state": said,
                "evidence": "{}",
                "landing": told,
                "ede": told,
                "name": of.name.to_text(omit_final_dot=True),
                "vector": planned.vectors[trial.vector].id,
                "resolver": planned.resolvers[trial.resolver].id,
                "repeat": trial.repeat,
                "vantage": "local",
                "covered": of.group == "listed",
            }
        )
    folder = opened.classification("red-hand-1")
    parts.write(folder / parts.name(1), pa.Table.from_pylist(rows, schema=classify.SCHEMA), {"plan": planned.id, "rules": "red-hand-1"})
    about = {"rules": "red-hand-1", "given": {}, "list": [{"id": "R06", "state": "ok", "says": HOSTILE, "decided": len(rows)}]}
    parts.replace(folder / classify.ABOUT, json.dumps(about).encode())
    return opened
