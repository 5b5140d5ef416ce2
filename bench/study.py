"""What keeping a study costs: `python -m bench.study`. 10,000 names by 30 vectors at a resolver and two controls, 3 repeats: 2.7 million trials.

Each step is a program of its own, whose memory is looked at when it ends: the plan; every trial in its order, put on the disk 500 at a time and
synced, as a probe does, but with nobody asked; then the trials that are done, and all observations cell by cell, as the classifier reads them. An
answer is of 200 octets, half of them random. SQLite does the same writing beside it, one table with the trial as its key, a transaction a batch,
each synced.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import astuple
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import machine
from bench.machine import GENERATOR_CORE, BenchError
from porosity import database, journal, names, observations, order, plan, study
from porosity.words import Ask, Endpoint, Observation, Resolver, Vector, message

NAMES, VECTORS, REPEATS, BATCH = 10_000, 30, 3, 500
PROMISED = 500
"""MB."""
RECORD = Path(__file__).parent / "record"
STEPS = {
    "plan": "plan it",
    "write": "put every trial on the disk",
    "done": "find what is done",
    "cells": "read all, cell by cell",
    "sql": "count failures by resolver, in SQL",
    "sqlite": "SQLite: put every trial on the disk",
}


def run(out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-study.")] = None) -> None:
    """Measure it and write a record; ends with status 1 when the promise is not kept. Takes some minutes."""
    machine.check_cores()
    with tempfile.TemporaryDirectory(prefix="redhand-study-") as scratch:
        figures = [_measured(step, Path(scratch)) for step in STEPS]
    kept = all(figure["memory"] <= PROMISED for figure in figures[:-1])
    day = datetime.now(UTC).date().isoformat()
    whole = {"date": day, "machine": machine.facts(), "load": os.getloadavg()[0], "figures": figures, "kept": kept}
    folder = out or RECORD / f"{day}-study"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(_table(whole), encoding="utf-8")
    print(_table(whole))
    if not kept:
        raise typer.Exit(1)


def _measured(step: str, scratch: Path) -> dict[str, Any]:
    with machine.pinned(GENERATOR_CORE):
        process = subprocess.Popen([sys.executable, "-m", "bench.study", step, str(scratch)], stdout=subprocess.PIPE, text=True)
    said = process.stdout.read() if process.stdout else ""
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"the step {step} ended with status {process.returncode}; run it by hand: python -m bench.study {step} DIRECTORY")
    rows, seconds = json.loads(said)
    where = scratch / ("sqlite" if step == "sqlite" else "study")
    stored = sum(file.stat().st_size for file in where.rglob("*") if file.is_file())
    found = {
        "step": step, "rows": rows, "seconds": round(seconds, 1), "processor": round(used.ru_utime + used.ru_stime, 1),
        "memory": used.ru_maxrss // 1024, "stored": stored >> 20,
    }  # fmt: skip
    print(found, flush=True)
    return found


def step(called: str, scratch: Path) -> tuple[int, float]:
    """Rows, and the seconds that they took."""
    started = time.monotonic()
    directory = scratch / "study"
    if called == "plan":
        return _plan(directory), time.monotonic() - started
    of = study.open(directory)
    rows = 0
    if called == "write":
        with journal.Journal(of, "here") as kept:
            for batch in _observed(of):
                kept.append(batch)
                rows += len(batch)
            kept.seal()
    elif called == "done":
        rows = len(observations.done(of, "here"))
    elif called == "cells":
        rows = sum(len(found) for _, found in observations.cells(of, "here"))
    elif called == "sql":
        with database.connect(of) as asked:
            [(rows,)] = asked.sql("SELECT sum(n) FROM (SELECT resolver, failure, count(*) AS n FROM observations GROUP BY ALL)").fetchall()
    elif called == "sqlite":
        rows = _sqlite(of, scratch / "sqlite")
    return int(rows), time.monotonic() - started


def _vector(type: str) -> Vector:
    return Vector(type.lower(), "record type", "a question", "an answer", "none", lambda name, random: [Ask(message(name.name, type))])


def _plan(directory: Path) -> int:
    vectors = [_vector(f"TYPE{1000 + each}") for each in range(VECTORS)]
    resolvers = [Resolver(each, "control" if each[0] == "c" else "tested", (Endpoint("udp", "127.0.0.1", 53),)) for each in ("tested", "c1", "c2")]
    listed = [names.make(f"www.n{each}.test", match="subtree", list="orders") for each in range(NAMES)]
    made, arranged = plan.make([*listed, names.make("ok.example", "canary")], vectors, resolvers, seed=1, as_of=0, repeats=REPEATS)
    study.create(directory, made, arranged)
    return made.trials


def _observed(of: study.Study) -> Iterator[list[Observation]]:
    drawn = random.Random(1)
    question = message(of.names[0].name)
    trials = order.trials(of.plan)
    while some := list(islice(trials, BATCH)):
        batch = []
        for number in some:
            _, repeat, name, vector, resolver = of.plan.trial(number)
            text = of.names[name].name.to_text(omit_final_dot=True)
            answer = question + bytes(100 - len(question)) + drawn.randbytes(100)
            asked = of.plan.resolvers[resolver].id, text, of.plan.vectors[vector].id, repeat, "127.0.0.1:53"
            batch.append(Observation(number, 0, *asked, 1_800_000_000_000_000 + number, 1200, 1, "", question, answer))
        yield batch


def _sqlite(of: study.Study, directory: Path) -> int:
    directory.mkdir()
    rows = 0
    columns = ", ".join(observations.FIELDS)
    with sqlite3.connect(directory / "observations") as peer:
        peer.execute("PRAGMA journal_mode = WAL")
        peer.execute("PRAGMA synchronous = FULL")
        peer.execute(f"CREATE TABLE observations ({columns}, PRIMARY KEY (trial, ask)) WITHOUT ROWID")
        for batch in _observed(of):
            peer.executemany(f"INSERT INTO observations VALUES ({', '.join('?' * len(observations.FIELDS))})", map(astuple, batch))
            peer.commit()
            rows += len(batch)
    return rows


def _table(whole: dict[str, Any]) -> str:
    facts = whole["machine"]
    lines = [
        f"# What keeping a study costs, {whole['date']}",
        "",
        f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']};"
        f" SQLite {sqlite3.sqlite_version}.",
        f"The first lines of `bench/study.py` say how it is measured. Load average of the machine at the end: {whole['load']:.1f}.",
        "",
        "| step | trials | seconds | processor µs a trial | memory | on disk after it |",
        "|---|---|---|---|---|---|",
    ]
    for each in whole["figures"]:
        cost = each["processor"] / each["rows"] * 1e6
        lines.append(f"| {STEPS[each['step']]} | {each['rows']:,} | {each['seconds']} | {cost:.1f} | {each['memory']} MB | {each['stored']} MB |")
    promise = f"Promised of every step but SQLite's: at most {PROMISED} MB of memory. " + ("Kept." if whole["kept"] else "NOT KEPT.")
    return "\n".join([*lines, "", promise]) + "\n"


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in STEPS:
        print(json.dumps(step(sys.argv[1], Path(sys.argv[2]))))
    else:
        typer.run(run)
