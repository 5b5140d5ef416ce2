"""The page under a flood: `python -m bench.landing`. Does a visitor still get it, how soon, and at what cost, beside nginx serving the same octets?

Each server runs on one core; the visitors (`bench.visitors`), in a process of their own, on the other. They are paced in an open loop: 10,000 visits
a second, on connections kept open and on new ones; then as fast as answers come. Beside it the same pace with 20,000 connections that are silent, and
with slow and endless request heads, which ours alone is asked. What it holds is told by the memory of its process. Last, queries for blocked names
are asked of the resolver of the same house, on the same core, with the flood and without. nginx serves the page as a file, with the same fields.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bench import machine
from bench.latencies import quantile
from bench.machine import GENERATOR_CORE, BenchError
from bench.webservers import NAME, REQUEST, get, nginx, put_first, redhand, settle

RATE = 10_000
"""Visits a second."""
MOST_SECONDS = 0.02
"""For 99 visits of 100."""
CONNECTIONS = 500
IDLE = 20_000
SLOW = 5_000
PROBES = 2_000
"""Queries a second."""
RECORD = Path(__file__).parent / "record"


@dataclass(frozen=True)
class Figure:
    """One load on one server. Seconds; `late`: by how much the visitors themselves set out late, which the times contain."""

    server: str
    load: str
    visits: int
    rate: float
    p50: float
    p99: float
    p999: float
    slowest: float
    late: float
    errors: int
    busy: float
    """Share of the core."""
    cost: float
    """Processor time of a visit."""
    octets: int
    """Proportional set size of the server's processes afterwards."""


def run(
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of each load.")] = 6,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-landing.")] = None,
) -> None:
    """Measure it and write a record; ends with status 1 when a promise is not kept. Takes some two minutes."""
    machine.check_cores()
    idle = _most_idle()
    with tempfile.TemporaryDirectory(prefix="redhand-landing-") as scratch:
        folder = Path(scratch)
        figures: list[Figure] = []
        with redhand(folder, "landing") as (pid, port, _):
            answer = get(port)
            held = _visited("Red Hand", folder, pid, port, seconds, idle, figures)
            figures.append(_beside_slow_heads(folder, pid, port, seconds))
        with nginx(folder, answer) as (pid, port):
            if get(port).partition(b"\r\n\r\n")[2] != answer.partition(b"\r\n\r\n")[2]:
                raise BenchError("nginx does not serve the same octets; see bench/configs/nginx.conf")
            nginx_held = _visited("nginx", folder, pid, port, seconds, idle, figures)
        with redhand(folder, "run") as (pid, port, dns):
            settle(pid)
            queries = {
                "alone": _asked(folder, dns, seconds),
                f"beside {RATE:,} visits a second": _asked(folder, dns, seconds, flood=port, rate=RATE),
                "beside all visits that are answered": _asked(folder, dns, seconds, flood=port),
            }
    ours = [figure for figure in figures if figure.server == "Red Hand" and figure.load != "peak"]
    kept = all(figure.p99 < MOST_SECONDS and not figure.errors for figure in ours) and not any(each["lost"] for each in queries.values())
    whole = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine.facts(),
        "load_of_the_machine": os.getloadavg()[0],
        "seconds": seconds,
        "page_octets": len(answer),
        "nginx": machine.output(["nginx", "-v"]).strip().rpartition("/")[2],
        "figures": [asdict(each) for each in figures],
        "idle": {"connections": idle, "Red Hand": held, "nginx": nginx_held},
        "queries": queries,
        "kept": kept,
    }
    target = out or RECORD / f"{whole['date']}-landing"
    target.mkdir(parents=True, exist_ok=True)
    (target / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (target / "table.md").write_text(_table(whole, figures), encoding="utf-8")
    print(_table(whole, figures))
    if not kept:
        raise typer.Exit(1)


def _most_idle() -> int:
    """How many silent connections a process may hold here, at most IDLE; this one's limit of open files is raised for them."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(IDLE, hard - 1_000) if hard != resource.RLIM_INFINITY else IDLE


# The loads


def _visited(name: str, folder: Path, pid: int, port: int, seconds: float, idle: int, figures: list[Figure]) -> int:
    """Every load that both servers bear. Octets that `idle` connections cost when each was answered once and is silent since."""
    before = machine.pss_bytes(pid)
    with _idle(port, idle, REQUEST.encode()):
        held = machine.pss_bytes(pid) - before
        beside = _load(name, f"beside {idle:,} kept and silent", folder, pid, port, seconds, RATE)
    figures.append(_load(name, "kept connections", folder, pid, port, seconds, RATE))
    figures.append(_load(name, "a new connection each", folder, pid, port, seconds, RATE, fresh=True))
    figures.append(_load(name, "peak", folder, pid, port, seconds, 0))
    figures.append(beside)
    return held


def _beside_slow_heads(folder: Path, pid: int, port: int, seconds: float) -> Figure:
    """Beside connections that send an octet of a head now and then, and others that send a million."""
    endless = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1_000_000

    def attack(slow: list[socket.socket]) -> None:
        for client in slow[:: SLOW // 100]:
            with contextlib.suppress(OSError):
                client.send(b"x")
        with socket.socket() as client:
            client.connect(("127.0.0.1", port))
            client.setblocking(False)
            with contextlib.suppress(OSError):
                client.send(endless)
            time.sleep(0.01)

    with _idle(port, SLOW, b"GET / HTTP/1.1\r\nHost: a\r\nX: ") as slow:
        return _load("Red Hand", "beside slow and endless heads", folder, pid, port, seconds, RATE, meanwhile=lambda: attack(slow))


def _load(
    name: str, load: str, folder: Path, pid: int, port: int, seconds: float, rate: int, *, fresh: bool = False, meanwhile: Any = None
) -> Figure:
    job, out = folder / "job.json", folder / "seen.json"
    asked = {"port": port, "request": REQUEST, "rate": rate, "seconds": seconds, "connections": CONNECTIONS, "fresh": fresh, "out": str(out)}
    job.write_text(json.dumps(asked), encoding="utf-8")
    used, began = machine.cpu_seconds(pid), time.monotonic()
    process = _visitors(job)
    while meanwhile is not None and process.poll() is None:
        meanwhile()
    if process.wait(seconds + 60):
        raise BenchError(f"the visitors ended with status {process.returncode}: {(folder / 'visitors.txt').read_text(encoding='utf-8')[-2000:]}")
    used, lasted = machine.cpu_seconds(pid) - used, time.monotonic() - began
    seen = json.loads(out.read_text(encoding="utf-8"))
    times = sorted(seen["seconds"])
    errors = seen["lost"] + seen["wrong"] + seen["broken"]
    figure = Figure(
        name, load, len(times), len(times) / seen["lasted"], quantile(times, 0.5), quantile(times, 0.99), quantile(times, 0.999), times[-1],
        quantile(sorted(seen["late"]), 0.99), errors, used / lasted, used / len(times), machine.pss_bytes(pid),
    )  # fmt: skip
    print(f"  {name:10} {load:40} {figure.rate:8,.0f}/s  p99 {1000 * figure.p99:6.2f} ms  errors {errors}", flush=True)
    return figure


def _visitors(job: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.visitors", str(job)]
    process = machine.start(command, core=GENERATOR_CORE, cwd=Path(__file__).resolve().parent.parent, log=job.with_name("visitors.txt"))
    put_first(process.pid)
    return process


@contextmanager
def _idle(port: int, count: int, octets: bytes) -> Iterator[list[socket.socket]]:
    """Connections that say this and no more; what they are answered is read."""
    with contextlib.ExitStack() as held:
        clients = []
        for number in range(count):
            client = held.enter_context(socket.socket())
            client.bind((f"127.0.2.{1 + number % 16}", 0))
            client.connect(("127.0.0.1", port))
            if octets:
                client.sendall(octets)
            if octets.endswith(b"\r\n\r\n"):
                client.settimeout(10)
                while not client.recv(262_144).rstrip().endswith(b"</html>"):
                    pass
            clients.append(client)
        yield clients


def _asked(folder: Path, dns: int, seconds: float, *, flood: int = 0, rate: int = 0) -> dict[str, float]:
    """Times until blocked names are answered by the resolver; `flood`: beside visits to this port, `rate` a second or as fast as answers come."""
    names, out, job = folder / "names.txt", folder / "probes.json", folder / "flood.json"
    names.write_text("".join(f"n{number}.{NAME} A\n" for number in range(1000)), encoding="ascii")
    asked = {
        "port": flood,
        "request": REQUEST,
        "rate": RATE,
        "seconds": seconds + 2,
        "connections": CONNECTIONS,
        "fresh": False,
        "out": str(out) + ".f",
    }
    job.write_text(json.dumps(asked), encoding="utf-8")
    visitors = _visitors(job) if flood else None
    time.sleep(1)
    command = [sys.executable, "-m", "bench.prober", str(dns), str(names), str(PROBES), str(seconds), str(out)]
    probing = machine.start(command, core=GENERATOR_CORE, cwd=Path(__file__).resolve().parent.parent, log=folder / "prober.txt")
    put_first(probing.pid)
    if probing.wait(seconds + 60):
        raise BenchError(f"the prober failed: {(folder / 'prober.txt').read_text(encoding='utf-8')[-2000:]}")
    if visitors is not None and visitors.wait(60):
        raise BenchError("the visitors failed while queries were asked")
    probes = json.loads(out.read_text(encoding="utf-8"))["probes"]
    times = sorted(probe["seconds"] for probe in probes if probe["seconds"] is not None)
    wrong = sum(probe["wrong"] for probe in probes)
    found = {"p50": quantile(times, 0.5), "p99": quantile(times, 0.99), "p999": quantile(times, 0.999), "lost": len(probes) - len(times) + wrong}
    told = f"beside {rate or 'all'} visits" if flood else "alone"
    print(f"  queries {told:40} p99 {1000 * found['p99']:6.2f} ms  lost {found['lost']}", flush=True)
    return found


COLUMNS = (
    "server", "load", "visits a second", "p50", "p99", "p99.9", "slowest", "visitors late by (p99)", "errors", "of the core", "CPU a visit", "memory",
)  # fmt: skip


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _cells(each: Figure) -> Iterator[object]:
    yield from (each.server, each.load, f"{each.rate:,.0f}")
    yield from map(_milliseconds, (each.p50, each.p99, each.p999, each.slowest))
    yield _milliseconds(each.late) if each.late else ""
    yield from (each.errors, f"{each.busy:.0%}", f"{1e6 * each.cost:.0f} µs", f"{each.octets / 1e6:.0f} MB")


def _table(whole: dict[str, Any], figures: list[Figure]) -> str:
    facts, idle = whole["machine"], whole["idle"]

    def row(*cells: object) -> str:
        return "| " + " | ".join(map(str, cells)) + " |"

    return "\n".join(
        [
            f"# The page under a flood, {whole['date']}",
            "",
            f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; nginx {whole['nginx']};"
            f" revision {facts['revision']}.",
            f"The first lines of `bench/landing.py` say how it is measured: each load {whole['seconds']:g} s, on one core, an answer of"
            f" {whole['page_octets']:,} octets. Load average of the machine at the end: {whole['load_of_the_machine']:.1f}.",
            "",
            row(*COLUMNS),
            row(*["---"] * len(COLUMNS)),
            *(row(*_cells(each)) for each in figures),
            "",
            f"{idle['connections']:,} connections kept open after an answer take {idle['Red Hand'] / 1e6:.1f} MB in Red Hand"
            f" ({idle['Red Hand'] / idle['connections']:.0f} octets each), {idle['nginx'] / 1e6:.1f} MB in nginx.",
            "",
            row("queries for blocked names, the resolver on the same core", "p50", "p99", "p99.9", "lost"),
            row(*["---"] * 5),
            *(row(name, *map(_milliseconds, (each["p50"], each["p99"], each["p999"])), each["lost"]) for name, each in whole["queries"].items()),
            "",
            f"99 visits of 100 within {1000 * MOST_SECONDS:.0f} ms at {RATE:,} a second, no errors: "
            + ("the promise is kept." if whole["kept"] else "THE PROMISE IS NOT KEPT."),
            "",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(run)
