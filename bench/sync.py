"""The first look at a feed of 50,000 orders with two signatures each: `python -m bench.sync`. How long until all is in force, and in how much memory?

An authority with real keys signs the orders and logs them; a web server of its own process gives out what a mirror does; `redhand sync --once` with
an empty state directory fetches, proves, verifies, judges and puts in force. Then the same command is started again with nothing new, which is what a
restart costs; then one more order is signed. What crossed the wire is counted at the server. Every run is checked: all the names, and no other, are
in force afterwards.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import machine
from bench.machine import BenchError
from blocklists import store
from tests.blocklists.feed.authority import Authority, order
from tests.blocklists.feed.mirror import TOKEN, Mirror

ORDERS = 50_000
SECONDS, MEGABYTES, ONE_ORDER, NOTHING_NEW = 60.0, 300.0, 20_000, 1_000
"""What was promised for 50,000: seconds and memory of a first look; octets of a look with one new order, and of a poll without news."""
RECORD = Path(__file__).parent / "record"
_SETTINGS = """
state_dir: var
blocklists: {{sources: []}}
feed: {{urls: ["{url}"], root: root.json, token_file: token}}
"""
_POLL = """
import sys
from pathlib import Path
from blocklists.agreed import Timekeeper
from redhand.assembly import feed_job
from redhand.config import load
from blocklists.orders import OrderLines
from blocklists.sync import Sync
job = feed_job(load(Path(sys.argv[1]), {}))
sync = Sync(job, Timekeeper(job.state_dir), OrderLines(job.state_dir, 10).put_in_force)
sync.look()
for line in sys.stdin:
    assert not sync.look().faults
    print("looked", flush=True)
"""


@dataclass(frozen=True)
class Look:
    """One run of the command."""

    title: str
    seconds: float
    cpu_seconds: float
    megabytes: float
    """Most memory resident at once."""
    octets: int
    """On the wire, both ways, HTTP's own included."""


def run(
    orders: Annotated[int, typer.Option(min=100, help="Orders in the log.")] = ORDERS,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-sync.")] = None,
) -> None:
    """Sign a log of orders, fetch it for the first time, again, and with one more; ends with status 1 when a promise is not kept. Some 2 minutes."""
    scratch = Path(tempfile.mkdtemp(prefix="redhand-sync-"))
    try:
        found, poll, news = _measure(scratch, orders)
    finally:
        shutil.rmtree(scratch)
    first = found[0]
    kept = {
        f"a first look within {SECONDS:g} s": first.seconds <= SECONDS,
        f"in at most {MEGABYTES:g} MB": first.megabytes <= MEGABYTES,
        f"a poll without news in at most {NOTHING_NEW:,} octets": poll <= NOTHING_NEW,
        f"one new order in at most {ONE_ORDER:,} octets": news <= ONE_ORDER,
    }
    day = datetime.now(UTC).date().isoformat()
    folder = out or RECORD / f"{day}-sync"
    folder.mkdir(parents=True, exist_ok=True)
    facts = machine.facts()
    whole = {
        "date": day,
        "machine": facts,
        "orders": orders,
        "looks": [asdict(look) for look in found],
        "poll": poll,
        "one_order": news,
        "kept": kept,
    }
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    table = _table(day, facts, orders, found, poll, news, kept)
    (folder / "table.md").write_text(table, encoding="utf-8")
    print(table)
    if not all(kept.values()):
        raise typer.Exit(1)


def _measure(scratch: Path, orders: int) -> tuple[list[Look], int, int]:
    authority = Authority()
    began = time.perf_counter()
    for number in range(orders):
        authority.log(order(f"XX-{number}", f".n{number}.test"))
    authority.publish()
    print(f"signed {orders:,} orders in {time.perf_counter() - began:.0f} s", flush=True)
    names = {f".n{number}.test" for number in range(orders)}
    with _served(authority.files) as served:
        (scratch / "root.json").write_bytes(authority.root_json())
        (scratch / "token").write_text(TOKEN)
        (scratch / "config.yaml").write_text(_SETTINGS.format(url=served.url))
        found = [_look("first look", scratch, served, names), _look("started again, nothing new", scratch, served, names)]
        command = [sys.executable, "-c", _POLL, str(scratch / "config.yaml")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            _ask(client)
            before = served.octets()
            _ask(client)
            poll = served.octets() - before
            authority.log(order("XX-new", ".new.test"))
            authority.publish()
            served.give(authority.files)
            _ask(client)
            news = served.octets() - before - poll
            assert client.stdin is not None
            client.stdin.close()
        _check(scratch, names | {".new.test"})
    return found, poll, news


def _ask(client: subprocess.Popen[str]) -> None:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write("\n")
    client.stdin.flush()
    if client.stdout.readline() != "looked\n":
        raise BenchError("a look by a client that goes on failed; run it by hand: redhand sync --once")


def _look(title: str, scratch: Path, served: Served, names: set[str]) -> Look:
    before = served.octets()
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "redhand", "sync", "--once", "-c", str(scratch / "config.yaml")], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"{title}: redhand sync --once ended with {process.returncode}; run it by hand")
    _check(scratch, names)
    return Look(title, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6, served.octets() - before)


def _check(scratch: Path, names: set[str]) -> None:
    version = store.open_current(scratch / "var")
    found = {name for line in version.lines() for name in json.loads(line)["names"]}
    if found != names:
        raise BenchError(f"{len(found ^ names)} names are in force that were not ordered, or not; see tests/blocklists/feed")


class Served:
    """A mirror in a process of its own."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url: str = pipe.recv()

    def octets(self) -> int:
        self._pipe.send(None)
        found: int = self._pipe.recv()
        return found

    def give(self, files: dict[str, bytes]) -> None:
        self._pipe.send(files)
        self._pipe.recv()


@contextmanager
def _served(files: dict[str, bytes]) -> Iterator[Served]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(theirs, files), daemon=True)
    process.start()
    try:
        yield Served(ours)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, files: dict[str, bytes]) -> None:
    serving = [files]
    mirror = Mirror(lambda: serving[0])
    pipe.send(mirror.url)
    while True:
        asked: Any = pipe.recv()
        if asked is not None:
            serving[0] = asked
        pipe.send(mirror.octets)


def _table(day: str, facts: dict[str, str | int], orders: int, found: list[Look], poll: int, news: int, kept: dict[str, bool]) -> str:
    lines = [
        f"# The feed of {orders:,} orders, {day}",
        "",
        ", ".join(f"{name}: {value}" for name, value in facts.items()),
        "",
        "| `redhand sync --once` | seconds | CPU seconds | most memory, MB | octets on the wire |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {each.title} | {each.seconds:.1f} | {each.cpu_seconds:.1f} | {each.megabytes:.0f} | {each.octets:,} |" for each in found]
    lines += ["", f"A poll without news: {poll:,} octets. One new order: {news:,} octets.", ""]
    lines += [f"- {promise}: {'kept' if met else 'NOT KEPT'}" for promise, met in kept.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(run)
