"""How long a file of 100,000 referrals takes to become cases: `python -m bench.imports`, on SQLite, or on an empty PostgreSQL database.

The file is read as the desk's worker reads it, with the real durability of either database. Of a hundred lines, 94 open a case; three join the case
of an earlier line, one came before (the sender's own key), one tells of a threat to life, and one has a fault. What came of them is checked. Beside
the whole stands the longest transaction, which is how long an import can hold up whoever else writes, and the first and the last tenth: it must not
grow slower.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from authority.desk import imports, migrations
from authority.desk.desk import Desk
from authority.desk.roles import Actor
from authority.desk.settings import DeskSettings
from authority.desk.tables import Grant, Import, Person
from bench import machine
from bench.machine import BenchError

LINES = 100_000
RECORD = Path(__file__).parent / "record"


def run(
    lines: Annotated[int, typer.Option(min=1000, help="Lines of the file.")] = LINES,
    database: Annotated[str, typer.Option(help="Address of an empty PostgreSQL database; by default SQLite.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-imports.")] = None,
) -> None:
    """Measure it and write a record. Takes some minutes."""
    with tempfile.TemporaryDirectory(prefix="redhand-imports-") as scratch:
        desk, clerk = _desk(Path(scratch), database)
        data, expected = _file(lines)
        marks: list[tuple[int, float]] = [(0, 0.0)]
        longest = _watched(desk)
        load = os.getloadavg()[0]
        began, used = time.perf_counter(), time.process_time()
        begun = imports.begin(desk, clerk, data, "bench", desk.now())
        row = imports.go_on(desk, begun.id, desk.now(), lambda row: marks.append((row.at_line, time.perf_counter() - began)))
        found = {"seconds": time.perf_counter() - began, "processor": time.process_time() - used, "longest": max(longest)}
        if _counts(row) != expected:
            raise BenchError(f"the import came to {_counts(row)}, and is to come to {expected}")
        desk.close()
    found |= {"first_tenth": _between(marks, 0, lines // 10), "last_tenth": _between(marks, lines - lines // 10, lines)}
    day, kind = datetime.now(UTC).date().isoformat(), "PostgreSQL" if database else "SQLite"
    whole = {
        "date": day, "machine": machine.facts(), "database": kind, "lines": lines, "octets": len(data), "counts": expected,
        "load": [load, os.getloadavg()[0]], **{name: round(seconds, 3) for name, seconds in found.items()},
    }  # fmt: skip
    folder = out or RECORD / f"{day}-imports{'-postgresql' if database else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(_table(whole), encoding="utf-8")
    print(_table(whole))


def _desk(scratch: Path, database: str) -> tuple[Desk, Actor]:
    (scratch / "authority").mkdir()
    desk = Desk(DeskSettings(database=database), scratch)
    migrations.upgrade(desk.store)
    with desk.store.writing() as session:
        person = Person(login="clerk", name="Clerk", made_at=desk.now())
        session.add(person)
        session.flush()
        session.add(Grant(person_id=person.id, role="clerk", given_at=desk.now()))
        return desk, Actor("clerk", frozenset({"clerk"}), person.id)


def _file(lines: int) -> tuple[bytes, dict[str, int]]:
    """The file, and what is to come of it."""
    written = ["names,location,category,words,threat,key"]
    counts = dict.fromkeys(("taken", "joined", "again", "bad"), 0)
    for number in range(lines):
        kind = number % 100
        name, key, threat = f"www.site-{number}.example", f"k-{number}", ""
        match kind:
            case 97 | 98 | 99:
                name, came = f"www.site-{number - 90}.example", "joined"
            case 96:
                name, key, came = f"www.site-{number - 90}.example", f"k-{number - 90}", "again"
            case 95:
                name, came = "no..name", "bad"
            case 94:
                threat, came = "yes", "taken"
            case _:
                came = "taken"
        place = number - 90 if came == "again" else number
        written.append(f"{name},https://{name}/page/{place},terrorism,What stands there calls to kill: passage {place}.,{threat},{key}")
        counts[came] += 1
    return "\n".join([*written, ""]).encode(), counts


def _counts(row: Import) -> dict[str, int]:
    return {"taken": row.taken, "joined": row.joined, "again": row.again, "bad": row.bad}


def _watched(desk: Desk) -> list[float]:
    """How long each transaction that writes took, commit and all."""
    times: list[float] = []
    writing = desk.store.writing

    @contextmanager
    def watched() -> Any:
        began = time.perf_counter()
        with writing() as session:
            yield session
        times.append(time.perf_counter() - began)

    desk.store.writing = watched  # type: ignore[method-assign]
    return times


def _between(marks: list[tuple[int, float]], first: int, last: int) -> float:
    """Seconds from the first piece at or after one line to that of another."""

    def at(line: int) -> float:
        return next((seconds for reached, seconds in marks if reached >= line), marks[-1][1])

    return at(last) - at(first)


def _table(whole: dict[str, Any]) -> str:
    facts = whole["machine"]
    counts = " / ".join(f"{whole['counts'][name]:,}" for name in ("taken", "joined", "again", "bad"))
    before, after = whole["load"]
    return "\n".join(
        [
            f"# {whole['lines']:,} lines of referrals, {whole['database']}, {whole['date']}",
            "",
            f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}.",
            f"The first lines of `bench/imports.py` say how it is measured. Load average before and after: {before:.1f}, {after:.1f}.",
            "",
            "| | |",
            "|---|---|",
            f"| whole, until the last line is committed | {whole['seconds']:.0f} s, {whole['lines'] / whole['seconds']:,.0f} lines a second |",
            f"| processor's time of it, without the database server's | {whole['processor']:.0f} s |",
            f"| first tenth, last tenth | {whole['first_tenth']:.1f} s, {whole['last_tenth']:.1f} s |",
            f"| longest transaction | {whole['longest']:.2f} s |",
            f"| opened a case / joined one / came before / had a fault | {counts} |",
            "",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(run)
