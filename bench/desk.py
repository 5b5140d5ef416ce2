"""The desk at 100,000 cases and 50,000 orders: `python -m bench.desk`. How long does each page, and each answer of the API, take at the server?

The desk is filled in bulk (`bench.cases`) and served as `redhand desk serve` serves it. Every GET route of the application is asked for, with what
stands for each of its parameters in SAMPLES: a route that is added is measured too, or its parameter is missed here by name. Links of a list to its
other queues and next pages are followed. Each is asked for several times, by the first person who may see it, one request after the other over one
connection on loopback; the time is the client's, from the request until the answer is whole, so that it is the server's and a little more. Beside it
stands the processor's time of the server's process, which says what it costs on a machine that has other work.
"""

from __future__ import annotations

import html
import http.client
import importlib
import importlib.util
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import psutil
import typer
from fastapi.routing import APIRoute

from authority import serve
from authority.desk import queues
from authority.desk.desk import Desk
from authority.desk.roles import ROLES, Role
from authority.desk.web import app
from bench import cases, machine
from bench.machine import BenchError

CASES = 100_000
ORDERS = 50_000
ROUNDS = 9
MOST_SECONDS = 0.2
"""For every page."""
FEWEST = 25
"""Routes, so that a change elsewhere does not leave nothing to measure."""
MOST_LINKS = 14
"""Of each page, followed; two deep."""
RECORD = Path(__file__).parent / "record"
NO_PAGE = re.compile(r"export|/sign-in/house|/packet$|/text$|/content$|openapi|\.css$|robots")
"""Files, of the size that is asked for; and ways through somebody else's server."""
QUEUE = "/api/v1/cases"
SEARCHES = ("www.site-000100.example", "site-000100.example", "site-0001", "example", "nothing.test", "XX-2026-000100", "R00000100", "a b c")


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
        samples = _samples(filled)
        routes = _routes(desk)
        with _served(desk.settings.model_dump(mode="json"), Path(scratch)) as (port, process):
            found = _measured(port, process, routes, samples, filled)
        desk.close()
    kept = all(each.median <= MOST_SECONDS for each in found)
    day = datetime.now(UTC).date().isoformat()
    kind = "PostgreSQL" if database else "SQLite"
    folder = out or RECORD / f"{day}-desk{'-postgresql' if database else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "date": day, "machine": machine.facts(), "database": kind, "cases": cases_, "orders": orders, "load": os.getloadavg()[0],
        "filled_seconds": filled.seconds, "pages": [each._asdict() for each in found], "kept": kept,
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(_table(whole, found), encoding="utf-8")
    print(_table(whole, found))
    if not kept:
        raise typer.Exit(1)


def _routes(desk: Desk) -> list[str]:
    """Paths of every page, and of everything in the API's own description, that GET asks for."""
    pages = [
        route.path
        for name in app.ROUTERS
        if importlib.util.find_spec(f"{app.__package__}.{name}") is not None
        for route in importlib.import_module(f"{app.__package__}.{name}").router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    ]
    described = app.create_app(desk).openapi()["paths"]
    found = list(dict.fromkeys([*pages, *(path for path, methods in described.items() if "get" in methods)]))
    if len(found) < FEWEST:
        raise BenchError(f"the desk has only {len(found)} pages, and had {FEWEST}: they are no more found as bench/desk.py looks for them")
    return found


def _samples(filled: cases.Filled) -> dict[str, list[str]]:
    """What may stand for each parameter of a path."""
    return {
        "number": filled.numbers,
        "digest": [quote(each, safe=":") for each in filled.digests],
        "index": [str(each) for each in filled.indices],
        "operator": ["op-00", "op-07", "op-19"],
        "login": ["p1", "p60"],
        "kind": ["procedure", "protected"],
        "reference": ["R00000100"],
        "form": ["csv"],
        "id": ["1"],
        "order_id": ["XX-2026-000100"],
    }


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
        self._connection.request("GET", path, headers=self._fields)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def _measured(port: int, process: psutil.Process, routes: list[str], samples: dict[str, list[str]], filled: cases.Filled) -> list[Took]:
    order: tuple[Role, ...] = ("officer", "reviewer", "auditor", "administrator", "clerk", "operator")
    if set(order) != set(ROLES):
        raise BenchError("there is a role that nobody measures for")
    clients: dict[str, _Client] = {role: _Client(port, {"Cookie": f"desk={filled.tokens[role]}"}) for role in order}
    clients |= {"nobody": _Client(port, {}), "program": _Client(port, {"Authorization": f"Bearer {filled.api}"})}
    waiting = [(route, path, 0) for route in routes if not NO_PAGE.search(route) for path in _paths(route, samples)]
    waiting += [(path, f"{path}?q={quote(text)}", 2) for path in ("/search", "/api/v1/search") for text in SEARCHES if path in routes]
    waiting += [(QUEUE, f"{QUEUE}?queue={queue}", 2) for queue in queues.QUEUES if QUEUE in routes]
    found, seen = list[Took](), {path for _, path, _ in waiting}
    for route, path, depth in waiting:
        if route.endswith("search") and "?" not in path:
            continue
        able = ("program",) if path.startswith("/api/") else (*order, "nobody")
        for who in able:
            status, body = clients[who].get(path)
            if status == 200:
                found.append(_took(clients[who], process, route, path, who))
                break
        else:
            print(f"nobody gets {path} ({status}): not measured")
            continue
        if depth < 2:
            for link in _links(body)[:MOST_LINKS]:
                if link not in seen and any(_fits(link, known) for known in routes):
                    seen.add(link)
                    waiting.append((route, link, depth + 1))
    return found


def _paths(route: str, samples: dict[str, list[str]]) -> list[str]:
    paths = [route]
    for name in re.findall(r"{(\w+)(?::\w+)?}", route):
        values = [str(n) for n in (1, 1990)] if route.startswith(("/proposals", "/api/v1/proposals")) else samples.get(name)
        if values is None:
            raise BenchError(f"{route}: nothing stands for {name}; say in bench/desk.py, SAMPLES, what may")
        paths = [re.sub(rf"{{{name}(:\w+)?}}", value, path) for path in paths for value in values]
    return paths


def _links(body: bytes) -> list[str]:
    """Of a page to lists: those with a question mark, in their order, each once."""
    return list(dict.fromkeys(html.unescape(each) for each in re.findall(r'href="(/[^"#]*\?[^"#]*)"', body.decode(errors="replace"))))


def _fits(link: str, route: str) -> bool:
    return not NO_PAGE.search(link) and re.fullmatch(re.sub(r"{[^}]*}", "[^/]+", route), link.partition("?")[0]) is not None


def _took(client: _Client, process: psutil.Process, route: str, path: str, who: str) -> Took:
    times, status, body = [], 0, b""
    spent = sum(process.cpu_times()[:2])
    for _ in range(ROUNDS):
        began = time.perf_counter()
        status, body = client.get(path)
        times.append(time.perf_counter() - began)
    spent = (sum(process.cpu_times()[:2]) - spent) / ROUNDS
    return Took(route, path, who, status, statistics.median(times), max(times), spent, len(body))


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
            f"Every median is at most {1000 * MOST_SECONDS:.0f} ms: the promise is kept." if whole["kept"] else "THE PROMISE IS NOT KEPT.",
            "",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(run)
