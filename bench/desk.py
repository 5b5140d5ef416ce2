"""The desk at 100,000 cases and 50,000 orders: `python -m bench.desk`. How long does each page, and each answer of the API, take at the server?

The desk is filled in bulk (`bench.cases`) and served as `redhand desk serve` serves it. Every GET route of the application is asked for, with what
may stand for each of its parameters (`bench.pages`): a route that is added is measured too, or its parameter is missed by name. Links of a list to
its other queues and next pages are followed. Each is asked for several times, by the first person who may see it, one request after the other over
one connection on loopback; the time is the client's, from the request until the answer is whole, so that it is the server's and a little more. Beside
it stands the processor's time of the server's process, which says what it costs on a machine that has other work.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import psutil
import typer

from authority import serve
from authority.desk import backup
from authority.desk.desk import Desk
from authority.desk.roles import SETUP
from authority.desk.store import Store
from bench import cases, machine, pages
from bench.machine import BenchError

CASES = 100_000
ORDERS = 50_000
ROUNDS = 9
MOST_SECONDS = 0.2
"""For every page."""
RECORD = Path(__file__).parent / "record"


class Took(NamedTuple):
    """One address."""

    route: str
    path: str
    who: str
    status: int
    median: float
    slowest: float
    processor: float
    octets: int


def run(
    cases_: Annotated[int, typer.Option("--cases", min=1000, help="Cases.")] = CASES,
    orders: Annotated[int, typer.Option(min=100, help="Orders, at most half as many.")] = ORDERS,
    database: Annotated[str, typer.Option(help="Address of an empty PostgreSQL database; by default SQLite.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-desk.")] = None,
) -> None:
    """Measure it and write a record; ends with status 1 when a promise is not kept. Takes some five minutes."""
    with tempfile.TemporaryDirectory(prefix="redhand-desk-") as scratch:
        desk, filled = cases.fill(Path(scratch), cases_, orders, database)
        if desk.store.is_postgresql:  # as its own housekeeper does within minutes
            with desk.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
        with _served(desk.settings.model_dump(mode="json"), Path(scratch)) as (port, process):
            found = _measured(port, process, desk, filled)
            keeping = _kept(desk, Path(scratch))
        desk.close()
    kept = all(each.median <= MOST_SECONDS for each in found)
    day = datetime.now(UTC).date().isoformat()
    kind = "PostgreSQL" if database else "SQLite"
    folder = out or RECORD / f"{day}-desk{'-postgresql' if database else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "date": day, "machine": machine.facts(), "database": kind, "cases": cases_, "orders": orders, "load": os.getloadavg()[0],
        "filled_seconds": filled.seconds, "keeping": keeping, "pages": [each._asdict() for each in found], "kept": kept,
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(_table(whole, found), encoding="utf-8")
    print(_table(whole, found))
    if not kept:
        raise typer.Exit(1)


@contextmanager
def _served(settings: dict[str, Any], base: Path) -> Iterator[tuple[int, psutil.Process]]:
    listening = serve.opened(f"127.0.0.1:{machine.free_port()}")
    with listening:
        job = {"settings": settings, "base": str(base), "sockets": [listening.fileno()]}
        child = serve.Child("authority.desk.server", job, [listening.fileno()], speaks=True)
        child.start()
        try:
            if not child.ready() or child.process is None:
                raise BenchError("the desk did not start; see what it said above")
            yield listening.getsockname()[1], psutil.Process(child.process.pid)
        finally:
            child.stop()


class _Client:
    """One person's, or one program's, connection."""

    def __init__(self, port: int, fields: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._fields = fields

    def get(self, path: str) -> tuple[int, bytes]:
        """Over a new connection when the server has closed the old one, which nobody used for a while."""
        for attempt in (1, 2):
            try:
                self._connection.request("GET", path, headers=self._fields)
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                self._connection.close()
                if attempt == 2:
                    raise
        raise AssertionError("not reached")


def _measured(port: int, process: psutil.Process, desk: Desk, filled: cases.Filled) -> list[Took]:
    clients: dict[str, pages.Client] = {role: _Client(port, {"Cookie": f"desk={token}"}) for role, token in filled.tokens.items()}
    clients |= {"nobody": _Client(port, {}), "program": _Client(port, {"Authorization": f"Bearer {filled.api}"})}
    return [_took(each, process) for each in pages.addresses(clients, pages.routes_of(desk), pages.samples_of(filled))]


def _kept(desk: Desk, scratch: Path) -> dict[str, float]:
    """A backup while it is served, and a restore into SQLite: seconds, and octets of the file."""
    path = scratch / "desk.backup"
    began = time.perf_counter()
    written = backup.write(desk.store, path, SETUP, desk.now())
    found: dict[str, float] = {"rows": sum(written.rows.values()), "backup": time.perf_counter() - began, "octets": path.stat().st_size}
    target = Store(f"sqlite:///{scratch / 'restored.db'}")
    began = time.perf_counter()
    if backup.restore(target, path, SETUP, desk.now()) != written:
        raise BenchError("what was restored is not what was backed up; see tests/authority/desk/storage/test_backup.py")
    found["restore"] = time.perf_counter() - began
    target.close()
    return found


def _took(asked: pages.Asked, process: psutil.Process) -> Took:
    times, status, body = [], 0, b""
    spent = sum(process.cpu_times()[:2])
    for _ in range(ROUNDS):
        began = time.perf_counter()
        status, body = asked.client.get(asked.path)
        times.append(time.perf_counter() - began)
    spent = (sum(process.cpu_times()[:2]) - spent) / ROUNDS
    return Took(asked.route, asked.path, asked.who, status, statistics.median(times), max(times), spent, len(body))


def _table(whole: dict[str, Any], found: list[Took]) -> str:
    facts = whole["machine"]
    routes: dict[str, list[Took]] = {}
    for each in found:
        routes.setdefault(each.route, []).append(each)
    rows = []
    for route, some in sorted(routes.items()):
        worst = max(some, key=lambda each: each.median)
        mean = statistics.mean(each.processor for each in some)
        slowest = max(each.slowest for each in some)
        cells = (f"`{route}`", str(len(some)), f"{1000 * statistics.median(e.median for e in some):.0f} ms", f"{1000 * worst.median:.0f} ms",
                 f"{1000 * slowest:.0f} ms", f"{1000 * mean:.0f} ms", f"`{worst.path[:70]}`")  # fmt: skip
        rows.append("| " + " | ".join(cells) + " |")
    filled = "; ".join(f"{what} {seconds:.0f} s" for what, seconds in whole["filled_seconds"].items())
    return "\n".join(
        [
            f"# The desk at {whole['cases']:,} cases and {whole['orders']:,} orders, {whole['database']}, {whole['date']}",
            "",
            f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}.",
            f"The first lines of `bench/desk.py` say how it is measured: {ROUNDS} times each. Load average of the machine at the end:"
            f" {whole['load']:.1f}. Filled in bulk: {filled}.",
            "",
            "| route | addresses | median of medians | slowest median | slowest of all | processor, mean | the slowest address |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"Backup of {whole['keeping']['rows']:,.0f} rows while it was served: {whole['keeping']['backup']:.0f} s,"
            f" {whole['keeping']['octets'] / 1e6:.0f} MB; restore into SQLite, with the audit chain checked: {whole['keeping']['restore']:.0f} s.",
            "",
            f"Every median is at most {1000 * MOST_SECONDS:.0f} ms: the promise is kept." if whole["kept"] else "THE PROMISE IS NOT KEPT.",
            "",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(run)
