"""One order more and one order less among a million names: from judged to written, and from written to in force in every worker.

    python -m bench.orders [--names 1000000] [--orders 1000] [--rounds 200] [--record FOLDER]

Real workers run (`redhand run`, two of them); this process does what the feed's does once it has judged an entry. Each round puts one order of as
many names as the others have in force, and withdraws it again. Beside it stands the processor time that writing took, which other work on the machine
changes little, and how busy the machine was. What is timed ends when a worker has said on disk which version it has in force.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import machine
from blocklists import names, readers
from blocklists.orders import OrderLines
from blocklists.sources import Basis

ENDS = 4_000_000_000
AS_OF = 1_800_000_000
WORKERS = 2
WITHIN = 30.0
"""Seconds after which a version that is not in force everywhere is a failure."""


@dataclass
class Log:
    """Orders as a docket would give them: by id, with the ids that changed since it was last asked."""

    of_id: dict[str, list[Basis]] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    withdrawn: list[str] = field(default_factory=list)
    as_of: int = AS_OF

    @property
    def docket(self) -> object:
        """The fold, always the same."""
        return self.of_id

    def of(self, identity: str) -> list[Basis]:
        """As `docket.Orders.of`."""
        return self.of_id.get(identity, [])

    def order(self, identity: str, listed: list[str]) -> None:
        """One more order."""
        document: dict[str, Any] = {
            "source": "feed",
            "layer": "orders",
            "type": "directive",
            "version": 1,
            "id": identity,
            "action": "block",
            "issuer": {"authority": "Authority of the example", "contact": "orders@authority.example"},
            "category": "terrorism",
            "legal_basis": "Example act, section 1",
            "reasons": {"en": "An example. " * 20},
            "issued_at": "2026-01-02T10:00:00Z",
            "effective_at": "2026-01-03T00:00:00Z",
            "expires_at": "2098-06-01T00:00:00Z",
            "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Court of the example"},
            "digest": "sha256:" + "0" * 64,
            "verified": True,
        }
        keys = [(names.key(names.parse(name)), False) for name in listed]
        self.of_id[identity] = [Basis("directive", "redirect", identity, 0, ENDS, "orders", document, keys)]
        self.changed = {identity}

    def withdraw(self, identity: str) -> None:
        """One less."""
        del self.of_id[identity]
        self.withdrawn.append(identity)
        self.changed = {identity}


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Median, 99th percentile and largest, in milliseconds."""
    found = sorted(seconds)
    return {
        "p50": round(found[len(found) // 2] * 1e3, 1),
        "p99": round(found[min(len(found) - 1, len(found) * 99 // 100)] * 1e3, 1),
        "max": round(found[-1] * 1e3, 1),
    }


def everywhere(state_dir: Path, serial: int) -> None:
    """Returns when every worker has the version in force."""
    deadline = time.monotonic() + WITHIN
    while True:
        found = {name: each for name, each in readers.live(state_dir).items() if name.startswith("worker")}
        if len(found) == WORKERS and all(each >= serial for each in found.values()):
            return
        if time.monotonic() > deadline:
            raise machine.BenchError(f"version {serial} is not in force everywhere: {found}")
        time.sleep(0.001)


def measure(folder: Path, count: int, orders: int, rounds: int) -> dict[str, Any]:
    """The figures of one list."""
    state = folder / "var"
    settings = {
        "state_dir": str(state),
        "resolver": {
            "listen": [f"127.0.0.1:{machine.free_port()}"],
            "workers": WORKERS,
            "upstreams": [{"address": f"127.0.0.1:{machine.free_port()}"}],
        },
        "landing": {"listen": [f"127.0.0.1:{machine.free_port()}"]},
        "blocklists": {"sources": [{"id": "house", "path": "house.txt", "format": "domains"}]},
    }
    (folder / "config.yaml").write_text(json.dumps(settings))
    (folder / "house.txt").write_text("".join(f"house{number}.example\n" for number in range(100)))
    each = count // orders
    log = Log()
    for number in range(orders):
        log.order(f"XX-2026-{number:06}", [f"n{number * each + at}.of{number % 997}.example" for at in range(each)])
    log.changed = set(log.of_id)
    lines = OrderLines(state, 10)
    begun = time.monotonic()
    lines.take(log)
    log.changed = set()
    taken = time.monotonic()
    lines.put_in_force({"size": 0}, log)
    first = time.monotonic()
    found: dict[str, Any] = {
        "names": count,
        "orders": orders,
        "rounds": rounds,
        "load_average_before": round(os.getloadavg()[0], 1),
        "first_lines_seconds": round(taken - begun, 2),
        "first_version_seconds": round(first - taken, 2),
    }
    with (folder / "run.log").open("w") as run_log:
        run = subprocess.Popen(
            [sys.executable, "-P", "-m", "redhand", "run"],
            cwd=folder,
            stdout=run_log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            deadline = time.monotonic() + 60
            while "Ctrl-C stops it." not in (folder / "run.log").read_text():
                if run.poll() is not None or time.monotonic() > deadline:
                    raise machine.BenchError((folder / "run.log").read_text()[-2000:])
                time.sleep(0.1)
            # As a process that keeps many orders for long does: to look at them all for cycles, now and then, takes half a second.
            gc.collect()
            gc.freeze()
            found |= _rounds(state, lines, log, orders, each, rounds)
        finally:
            run.send_signal(signal.SIGTERM)
            run.wait(30)
    found["load_average_after"] = round(os.getloadavg()[0], 1)
    return found


def _rounds(state: Path, lines: OrderLines, log: Log, orders: int, each: int, rounds: int) -> dict[str, Any]:
    written: dict[str, list[float]] = {"order": [], "withdrawal": []}
    processor: dict[str, list[float]] = {"order": [], "withdrawal": []}
    in_force: dict[str, list[float]] = {"order": [], "withdrawal": []}
    total: dict[str, list[float]] = {"order": [], "withdrawal": []}
    for number in range(rounds):
        # In the middle of the others, so that every number after it moves.
        identity = f"XX-2026-{(number * 7919) % orders:06}-{number}"
        for kind in ("order", "withdrawal"):
            if kind == "order":
                log.order(identity, [f"new{at}.round{number}.example" for at in range(each)])
            else:
                log.withdraw(identity)
            begun, used = time.monotonic(), time.process_time()
            built = lines.put_in_force({"size": number}, log)
            done = time.monotonic()
            processor[kind].append(time.process_time() - used)
            everywhere(state, built.serial)
            end = time.monotonic()
            written[kind].append(done - begun)
            in_force[kind].append(end - done)
            total[kind].append(end - begun)
    return {
        kind: {
            "written_ms": percentiles(written[kind]),
            "written_processor_ms": percentiles(processor[kind]),
            "in_force_ms": percentiles(in_force[kind]),
            "total_ms": percentiles(total[kind]),
        }
        for kind in written
    }


def main() -> int:
    """Measures, prints, and records if a folder is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--record", type=Path)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started ends with us
    results = []
    for orders in given.orders or [1_000, 50_000]:
        folder = Path(tempfile.mkdtemp(prefix="redhand-orders-"))
        try:
            results.append(measure(folder, given.names, orders, given.rounds))
            print(json.dumps(results[-1], indent=1), flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if given.record:
        given.record.mkdir(parents=True, exist_ok=True)
        (given.record / "orders.json").write_text(json.dumps({"machine": machine.facts(), "results": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
