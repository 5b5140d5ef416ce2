"""From a million observations to a report: `python -m bench.porosity`. How long do `redhand porosity estimate` and `report` take, in how much memory?

The study is made here: names, vectors and resolvers of a real plan, verdicts drawn by a seed, in parts on disk as `probe` and `classify` leave them.
Each command is a process of its own, measured from its start to its end; what it then says is held against what was drawn. Beside them, as the floor:
reading every verdict once with DuckDB.

`python -m bench.porosity make DIRECTORY` only makes the study, to look at what is made of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer

from bench import machine
from bench.machine import BenchError
from porosity import classify, names, observations, parts, plan, study
from porosity.study import Study
from porosity.vectors import ALL
from porosity.words import Endpoint, Resolver

OBSERVATIONS = 1_000_000
VECTORS, REPEATS, SEED = 30, 3, 20261122
MOST_SECONDS, MOST_ESTIMATE_SECONDS, MOST_MEGABYTES = 20.0, 10.0, 500.0
LEAKING = ("type-https", "type-mx", "spelling-case")
LEAKS = 0.15
"""Share of domains that leak by these."""
RULES = "red-hand-2"
RECORD = Path(__file__).parent / "record"
_PART = 100_000

app = typer.Typer(add_completion=False)


@app.command()
def run(
    rows: Annotated[int, typer.Option("--observations", min=20_000, help="Observations in the study.")] = OBSERVATIONS,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-porosity.")] = None,
) -> None:
    """Make the study, estimate, report, and write a record; ends with status 1 when a promise is not kept. Takes about two minutes."""
    with tempfile.TemporaryDirectory(prefix="redhand-porosity-") as scratch:
        # In a process of its own: what a child's memory peaks at counts from its parent's.
        _measured([sys.executable, "-m", "bench.porosity", "make", str(directory := Path(scratch) / "study"), "--observations", str(rows)])
        of = study.open(directory)
        floor = _measured([sys.executable, "-c", _FLOOR, str(of.directory)])
        steps = {name: _measured([sys.executable, "-m", "redhand", "porosity", name, str(of.directory)]) for name in ("estimate", "report")}
        leaks = _check(of)
    whole = sum(each["seconds"] for each in steps.values())
    kept = (
        whole <= MOST_SECONDS * max(1.0, rows / OBSERVATIONS)
        and steps["estimate"]["seconds"] <= MOST_ESTIMATE_SECONDS * max(1.0, rows / OBSERVATIONS)
        and all(each["peak_megabytes"] <= MOST_MEGABYTES for each in steps.values())
    )
    day = datetime.now(UTC).date().isoformat()
    folder = out or RECORD / f"{day}-porosity"
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        "date": day, "machine": machine.facts(), "observations": of.plan.trials, "names": of.plan.names, "vectors": len(of.plan.vectors),
        "resolvers": len(of.plan.resolvers), "repeats": REPEATS, "floor": floor, **steps, "seconds": whole, "leaks": leaks, "kept": kept,
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(table := _table(found), encoding="utf-8")
    print(table)
    if not kept:
        raise typer.Exit(1)


@app.command()
def make(directory: Path, rows: Annotated[int, typer.Option("--observations", min=20_000)] = OBSERVATIONS) -> None:
    """Only make the study."""
    print(f"{build(directory, rows).plan.trials:,} observations in {directory}")


def build(directory: Path, rows: int) -> Study:
    """The study, with observations and verdicts."""
    chosen = [each for each in ALL if each.kind == "data" and each.family not in ("time", "failover", "other resolvers") and each.needs <= {"udp"}]
    chosen = chosen[: VECTORS - 1] + [each for each in ALL if each.id == "upgrade-canary"]
    resolvers = [Resolver(id, "tested" if id.startswith("t") else "control", (Endpoint("udp", f"127.0.0.{place}", 53),)) for place, id in
                 enumerate(("tested-1", "tested-2", "control-1", "control-2"), 1)]  # fmt: skip
    count = -(-rows // (len(chosen) * len(resolvers) * REPEATS))
    near = count // 10
    listed = [
        names.make(f"n{number}.d{number * 4 // 5}.test", match="subtree", list="first" if number % 3 else "second", directive=f"FR-2026-{number}")
        for number in range(count - near - count // 60)
    ]
    beside = [names.make(f"www.near{number}.test", "neighbour", list="first", directive=f"FR-2026-{number * 5}") for number in range(near)]
    made, arranged = plan.make(
        [names.make("ok.example", "canary"), *listed, *beside], chosen, resolvers, seed=SEED, as_of=1_790_000_000, repeats=REPEATS
    )
    of = study.create(directory, made, arranged)
    _fill(of, np.random.default_rng(SEED))
    return of


def _fill(of: Study, random: np.random.Generator) -> None:
    plan_, table = of.plan, of.names.table
    texts, groups = np.array(table["name"].to_pylist()), np.array(table["group"].to_pylist())
    domains = np.unique(np.array(table["domain"].to_pylist()), return_inverse=True)[1]
    ids, resolver_ids = np.array([each.id for each in plan_.vectors]), np.array([each.id for each in plan_.resolvers])
    open_domains, careless = random.random(domains.max() + 1) < LEAKS, random.random(plan_.names) < 0.05
    wire = np.array([f"{number:036x}" for number in range(1000)])
    for part, first in enumerate(range(0, plan_.trials, _PART), 1):
        trial = np.arange(first, min(first + _PART, plan_.trials))
        cell, resolver = np.divmod(trial, plan_.measured)
        rest, vector = np.divmod(cell, len(plan_.vectors))
        repeat, name = np.divmod(rest, plan_.names)
        tested, group = resolver < 2, groups[name]
        leaks = np.isin(ids[vector], LEAKING) & open_domains[domains[name]] & (resolver == 0)
        blocks = tested & (group == "listed") & ~leaks | (tested & (group == "neighbour") & careless[name])
        state = np.where(blocks, "blocked", "ok")
        state = np.where(random.random(trial.size) < 0.1, "insufficient", state)
        state = np.where(random.random(trial.size) < 0.01, "down", state)
        said = np.where(state == "blocked", 1, 0).astype(bool)
        common = {
            "resolver": resolver_ids[resolver],
            "name": texts[name],
            "vector": ids[vector],
            "repeat": repeat,
            "vantage": np.full(trial.size, "local"),
        }
        evidence = np.char.add('{"ask":0,"got":{"rcode":"NOERROR","has":["192.0.2.80"],"ede":[16]},"controls":{"control-1":[', trial.astype(str))
        judged = {
            "trial": trial, "rule": np.where(said, "R08", "R06"), "state": state, "evidence": np.char.add(evidence, ',0]},"said":["NOERROR"]}'),
            "landing": pa.array(np.ones(trial.size, bool), mask=~said), "ede": pa.array(random.random(trial.size) < 0.9, mask=~said),
            "covered": group == "listed", **common,
        }  # fmt: skip
        octets = np.char.add(wire[trial % 1000], texts[name]).astype("S").astype(object)
        seen = {
            "trial": trial, "ask": np.zeros(trial.size, np.int16), "endpoint": np.full(trial.size, "127.0.0.1:53"),
            "failure": np.full(trial.size, ""),
            "sent_at": 1_790_000_000_000_000 + trial * 5000, "took": random.integers(200, 9000, trial.size), "tries": np.ones(trial.size, np.int16),
            "query": octets, "answer": octets, **common,
        }  # fmt: skip
        for folder, schema, columns in (
            (of.classification(RULES), classify.SCHEMA, judged), (of.observations("local"), observations.SCHEMA, seen),
        ):  # fmt: skip
            arrays = [pa.array(columns[field.name], field.type) for field in schema]
            parts.write(folder / parts.name(part), pa.Table.from_arrays(arrays, schema=schema), {"plan": plan_.id, "rules": RULES})


_FLOOR = """
import sys
from pathlib import Path
from porosity import database, study
with database.connect(study.open(Path(sys.argv[1]))) as base:
    base.sql("SELECT resolver, vector, state, count(*), max(length(evidence)) FROM classification GROUP BY ALL").fetchall()
"""


def _measured(command: list[str]) -> dict[str, Any]:
    """Seconds, processor seconds and peak memory of a command, which must succeed."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=RECORD.parent.parent, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if process.returncode:
            said.seek(0)
            raise BenchError(
                f"{' '.join(command[:5])} ended with status {process.returncode}. It said:\n{said.read().decode(errors='replace')[-2000:]}"
            )
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_megabytes": round(used.ru_maxrss / 1024, 1),
    }


def _check(of: Study) -> dict[str, Any]:
    """The estimate of the first resolver's leaks, which must be what was drawn."""
    said = json.loads((of.estimates / "estimates.json").read_text(encoding="utf-8"))
    head = said["headline"][0]
    if sorted(head["leaking"]) != sorted(LEAKING) or not head["technical"]["low"] <= LEAKS <= head["technical"]["high"]:
        raise BenchError(f"the estimate is {head}, though {LEAKS:.0%} of domains leak by {', '.join(LEAKING)}")
    if said["headline"][1]["leaking"]:
        raise BenchError(f"the second resolver has leaks that nobody drew: {said['headline'][1]['leaking']}")
    return {"drawn": LEAKS, **{key: head["technical"][key] for key in ("share", "low", "high", "names")}}


def _table(found: dict[str, Any]) -> str:
    facts = found["machine"]
    lines = [
        f"From {found['observations']:,} observations to a report, {found['date']}",
        "",
        f"{facts['processor']}, {facts['cores']} cores, {facts['kernel']}, Python {facts['python']}, revision {facts['revision']}.",
        f"{found['names']:,} names, {found['vectors']} vectors, {found['resolvers']} resolvers, {found['repeats']} repeats.",
        "",
        "| step | seconds | processor seconds | peak memory |",
        "| --- | ---: | ---: | ---: |",
    ]
    for key, says in (("floor", "every verdict read once (DuckDB)"), ("estimate", "`porosity estimate`"), ("report", "`porosity report`")):
        each = found[key]
        lines.append(f"| {says} | {each['seconds']:.1f} | {each['processor_seconds']:.1f} | {each['peak_megabytes']:.0f} MB |")
    leaks = found["leaks"]
    lines += [
        "",
        f"Estimate and report together: {found['seconds']:.1f} s. Promised: at most {MOST_SECONDS:.0f} s, of it {MOST_ESTIMATE_SECONDS:.0f} s for "
        f"the estimate, and {MOST_MEGABYTES:.0f} MB each. {'Kept.' if found['kept'] else 'Not kept.'}",
        "",
        f"Drawn: {leaks['drawn']:.0%} of domains leak. Estimated: {leaks['share']:.1%} of {leaks['names']:,} names "
        f"({leaks['low']:.1%} to {leaks['high']:.1%}).",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    app() if sys.argv[1:2] == ["make"] else typer.run(run)
