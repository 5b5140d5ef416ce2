"""The log at a million entries: `python -m bench.log`. How long an append takes until it is on the disk, a proof from the tiles, its verification?

Entries are random octets: small ones up to the last whole bundle, then, and in all that is appended, as large as an order with two signatures. Every
proof is asked of a log just opened, with no tile in its memory (the kernel has the files in its own), for entries and sizes anywhere. Each is made
and verified three times, of which the quickest counts, so that a program that took the core meanwhile does not; of all of them the slowest is judged.
A forged one must be refused. Beside it stand the floors: what one file written and flushed, and one hash, cost here.
"""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from bench import machine
from bench.machine import BenchError
from blocklists import durable
from blocklists.log import merkle
from blocklists.log.merkle import leaf_hash, node_hash, verify_consistency, verify_inclusion
from blocklists.log.tiles import WIDTH
from blocklists.log.tree import Tree

LEAVES = 1_000_000
BATCH = 50_000
APPENDED = 1_000
ROUNDS = 20
PROOFS = 300
TRIES = 3
READ = 100_000
SMALL, LARGE = 100, 1_500
"""Octets of an entry."""
RECORD = Path(__file__).parent / "record"

Seconds = list[float]


@dataclass(frozen=True)
class Figure:
    """One thing measured, in milliseconds. `most`: what the slowest may take; None where nothing was promised."""

    title: str
    median_ms: float
    slowest_ms: float
    times: int
    most: float | None

    @property
    def met(self) -> bool | None:
        """Whether the slowest was quick enough."""
        return None if self.most is None else self.slowest_ms <= self.most


def run(
    leaves: Annotated[int, typer.Option(min=10_000, help="Entries in the log before anything is measured.")] = LEAVES,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-log.")] = None,
) -> None:
    """Build a log, then time appends, proofs and their verification; ends with status 1 when a promise is not kept. Takes about a minute."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    scratch = Path(tempfile.mkdtemp(prefix="redhand-log-"))
    try:
        built, figures = _measure(scratch / "log", leaves, random.Random(seed))
        floors = _floors(scratch)
    finally:
        shutil.rmtree(scratch)
    day = datetime.now(UTC).date()
    folder = out or RECORD / f"{day.isoformat()}-log"
    folder.mkdir(parents=True, exist_ok=True)
    facts = machine.facts()
    whole = {
        "date": day.isoformat(),
        "machine": facts,
        "seed": seed,
        "leaves": leaves,
        "built": built,
        "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
        "floors_ms": floors,
    }
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    table = _table(day.isoformat(), facts, leaves, built, figures, floors)
    (folder / "table.md").write_text(table, encoding="utf-8")
    print(table)
    if any(figure.met is False for figure in figures):
        raise typer.Exit(1)


def _measure(directory: Path, leaves: int, seeded: random.Random) -> tuple[dict[str, Any], list[Figure]]:
    whole = leaves // WIDTH * WIDTH
    tree = Tree(directory)
    hashes: list[bytes] = []
    began = time.perf_counter()
    while tree.size < leaves:
        stop = min(leaves, tree.size + BATCH)
        batch = [seeded.randbytes(SMALL if index < whole else LARGE) for index in range(tree.size, stop)]
        hashes += map(leaf_hash, batch)
        tree.append(batch)
    seconds = time.perf_counter() - began
    if tree.root != merkle.root_of(hashes):
        raise BenchError("the log has another root than its entries; do not use it, and see tests/blocklists/log")
    built = {"seconds": seconds, "octets": sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())}
    gc.collect()
    figures = [
        _figure("open the log", [_timed(Tree, directory)[0] for _ in range(PROOFS)], None),
        *_proofs(directory, hashes, seeded),
        _appends(directory, 1, seeded, "append 1 entry", None),
        _appends(directory, APPENDED, seeded, f"append {APPENDED:,} entries", 1_000),
        _reads(directory),
    ]
    return built, figures


def _proofs(directory: Path, hashes: list[bytes], seeded: random.Random) -> list[Figure]:
    """Inclusion and consistency: made by a log just opened, and verified."""
    made: dict[str, Seconds] = {"inclusion": [], "consistency": []}
    verified: dict[str, Seconds] = {"inclusion": [], "consistency": []}
    roots = Tree(directory)
    for number in range(PROOFS):
        # Half of them in the log as it stands, half in one of its earlier states.
        size = roots.size if number % 2 else seeded.randint(2, roots.size)
        index, old = seeded.randrange(size), seeded.randint(1, size - 1)
        root, old_root, leaf = roots.root_at(size), roots.root_at(old), hashes[index]
        seconds, inclusion = _quickest(lambda: Tree(directory).inclusion, index, size)
        made["inclusion"].append(seconds)
        seconds, consistency = _quickest(lambda: Tree(directory).consistency, old, size)
        made["consistency"].append(seconds)
        seconds, included = _quickest(lambda: verify_inclusion, leaf, index, size, inclusion, root)
        verified["inclusion"].append(seconds)
        seconds, consistent = _quickest(lambda: verify_consistency, old, old_root, size, root, consistency)
        verified["consistency"].append(seconds)
        forged = verify_inclusion(hashes[index - 1], index, size, inclusion, root) or verify_consistency(old, leaf, size, root, consistency)
        if not included or not consistent or forged:
            raise BenchError(f"a proof for entry {index} or size {old} in {size} is wrong; see tests/blocklists/log")
    return [
        *(_figure(f"{kind} proof", times, 5) for kind, times in made.items()),
        *(_figure(f"verify {kind}", times, 1) for kind, times in verified.items()),
    ]


def _appends(directory: Path, count: int, seeded: random.Random, title: str, most: float | None) -> Figure:
    tree = Tree(directory)
    times = []
    for _ in range(ROUNDS):
        batch = [seeded.randbytes(LARGE) for _ in range(count)]
        foreseen = tree.preview(batch)
        times.append(_timed(tree.append, batch)[0])
        if (tree.size, tree.root) != foreseen:
            raise BenchError(f"an append to {tree.size} gave another root than foreseen; see tests/blocklists/log")
    return _figure(title, times, most)


def _reads(directory: Path) -> Figure:
    tree = Tree(directory)
    count = min(READ, tree.size)
    seconds, found = _timed(lambda: sum(1 for _ in tree.entries(0, count)))
    if found != count:
        raise BenchError(f"{found} entries were read of {count}; see tests/blocklists/log")
    return _figure(f"read {count:,} entries, each checked", [seconds], None)


def _floors(scratch: Path) -> dict[str, float]:
    """What the machine asks for the least of it, in milliseconds."""
    bundle = os.urandom(WIDTH * LARGE)
    flushed = [_timed(durable.write_new, scratch / f"floor-{number}", (bundle,))[0] for number in range(ROUNDS)]
    left, right = os.urandom(32), os.urandom(32)
    hashed = _timed(lambda: [node_hash(left, right) for _ in range(10_000)])[0] / 10_000
    return {f"one file of {len(bundle):,} octets written and flushed": median(flushed) * 1e3, "one hash of two": hashed * 1e3}


def _timed(act: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    found = act(*arguments)
    return time.perf_counter() - began, found


def _quickest(ready: Callable[[], Callable[..., Any]], *arguments: Any) -> tuple[float, Any]:
    """Of several tries; what `ready` does before each is not timed."""
    tries = [_timed(ready(), *arguments) for _ in range(TRIES)]
    return min(seconds for seconds, _ in tries), tries[0][1]


def _figure(title: str, times: Seconds, most: float | None) -> Figure:
    return Figure(title, median(times) * 1e3, max(times) * 1e3, len(times), most)


def _table(day: str, facts: dict[str, str | int], leaves: int, built: dict[str, Any], figures: list[Figure], floors: dict[str, float]) -> str:
    lines = [
        f"# The log at {leaves:,} entries, {day}",
        "",
        f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}.",
        f"Built in {built['seconds']:.1f} s by batches of {BATCH:,}; {built['octets'] / 1e6:.0f} MB.",
        "The first lines of `bench/log.py` say how it is measured.",
        "",
        "| | median | slowest | times | at most | kept |",
        "|---|---|---|---|---|---|",
    ]
    for figure in figures:
        most = "" if figure.most is None else f"{figure.most:g} ms"
        kept = {None: "", True: "yes", False: "**no**"}[figure.met]
        lines.append(f"| {figure.title} | {figure.median_ms:.3g} ms | {figure.slowest_ms:.3g} ms | {figure.times} | {most} | {kept} |")
    lines += ["", "Floors in the same run: " + "; ".join(f"{title} {ms:.3g} ms" for title, ms in floors.items()) + ".", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(run)
