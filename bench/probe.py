"""How fast a study asks: `python -m bench.probe`. Questions a second on one core, and what each costs, beside other tools, against the same server.

The server is Unbound on one core, which answers every name under one zone from its configuration, over UDP, TCP, TLS and HTTPS; whoever asks runs on
the other core, alone. Each asks as many questions as it can, with at most 200 under way where it can be told so. `redhand porosity probe` is measured
as its user runs it: a plan of names, vectors, a resolver and two controls, every answer kept on disk and synced; its seconds are from the first
question to the last part on disk, its processor time is the whole process's, start included. The rows `transport` are its sockets alone, without a
plan or a record. dnsperf is what C can do, and keeps nothing; dnspython is its own asynchronous client, which has one question on a socket.

Every answer is counted, and each that is missing said.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from bench import machine
from bench.ask import ask
from bench.certificates import Authority
from bench.machine import GENERATOR_CORE, SERVER_CORE, BenchError
from bench.servers import version_in
from bench.ways import HOST, NAMES, ZONE
from porosity.transports.ways import UNDER_WAY
from porosity.vectors import ALL

VECTORS = ("type-a", "type-aaaa", "type-https", "type-mx", "type-txt")
QUESTIONS = 30_000
SLOWER = {"doh": 10_000, "dnspython": 10_000}
OURS = "redhand porosity probe"
PROMISED = 5_000
LARGE = 10_000, 30, 3
"""Names, vectors and repeats that a study has room for."""
UNANSWERED = (
    "class-any",
    "class-ch",
    "edns-version-1",
    "name-search-suffix",
    "spelling-compressed",
    "spelling-trailing-dot",
    "spelling-two-questions",
)
"""Unbound here answers these with errors, and of errors 100 a second at most: what would be measured is the waiting for the rest."""
MOST_MEGABYTES = 500
LARGEST = f"{OURS}, {LARGE[0]:,} names, {LARGE[1]} vectors, {LARGE[2]} repeats, one resolver, two controls"
RECORD = Path(__file__).parent / "record"


class Figure(NamedTuple):
    """What one tool did."""

    who: str
    questions: int
    missing: int
    seconds: float
    processor: float
    """Seconds of the asking process, start and all."""
    megabytes: int
    """Resident at most; 0: not looked at."""

    @property
    def rate(self) -> float:
        """Answered questions a second."""
        return (self.questions - self.missing) / self.seconds

    @property
    def cost(self) -> float:
        """Processor time of a question, in microseconds."""
        return self.processor / self.questions * 1e6


def run(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; each figure is of the round that is the median by processor time.")] = 3,
    large: Annotated[bool, typer.Option("--large", help="And a study of 10,000 names, 30 vectors and 3 repeats: five minutes more.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-probe.")] = None,
) -> None:
    """Measure it and write a record; ends with status 1 when the promise is not kept. Takes a minute or two."""
    machine.check_cores()
    with tempfile.TemporaryDirectory(prefix="redhand-probe-") as scratch, _server(Path(scratch)) as (ports, ca):
        found: dict[str, list[Figure]] = {}
        for number in range(rounds):
            for figure in _round(Path(scratch), ports, ca, number):
                found.setdefault(figure.who, []).append(figure)
                print(_row(figure), flush=True)
        if large:
            names, vectors, repeats = LARGE
            some = [
                each.id
                for each in ALL
                if each.family in ("record type", "name", "edns and flags", "spelling") and "zone" not in each.needs and each.id not in UNANSWERED
            ]
            found[LARGEST] = [_study(Path(scratch) / "large", ports["udp"], names, some[:vectors], repeats, LARGEST)]
    figures = [sorted(each, key=lambda figure: figure.processor)[len(each) // 2] for each in found.values()]
    ours = figures[0]
    kept = ours.rate >= PROMISED and not ours.missing and max(figure.megabytes for figure in figures) <= MOST_MEGABYTES
    day = datetime.now(UTC).date().isoformat()
    folder = out or RECORD / f"{day}-probe"
    folder.mkdir(parents=True, exist_ok=True)
    versions = {name: version_in(machine.output(command)) for name, command in (("Unbound", ["unbound", "-V"]), ("dnsperf", ["dnsperf", "-h"]))}
    whole = {
        "date": day,
        "machine": machine.facts(),
        "versions": versions,
        "rounds": rounds,
        "load": os.getloadavg()[0],
        "figures": [figure._asdict() | {"rate": round(figure.rate), "cost": round(figure.cost, 1)} for figure in figures],
        "kept": kept,
    }
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(_table(whole, figures), encoding="utf-8")
    print(_table(whole, figures))
    if not kept:
        raise typer.Exit(1)


def _round(scratch: Path, ports: dict[str, int], ca: Path, number: int) -> Iterator[Figure]:
    yield _study(scratch / f"study-{number}", ports["udp"])
    for transport, port in ports.items():
        yield _child(f"transport {transport}", SLOWER.get(transport, QUESTIONS), transport, port, ca)
    yield _child("dnspython", SLOWER["dnspython"], "dnspython", ports["udp"], ca)
    yield _dnsperf(scratch / "questions", ports["udp"])


@contextmanager
def _server(scratch: Path) -> Iterator[tuple[dict[str, int], Path]]:
    """Unbound, on its core."""
    authority = Authority()
    ca = scratch / "ca.pem"
    ca.write_bytes(authority.pem)
    chain, key = authority.issue([ZONE], scratch)
    plain, dot, doh = (machine.free_port() for _ in range(3))
    (scratch / "unbound.conf").write_text(
        f"server:\n  interface: {HOST}@{plain}\n  interface: {HOST}@{dot}\n  interface: {HOST}@{doh}\n  tls-port: {dot}\n  https-port: {doh}\n"
        f'  tls-service-key: "{key}"\n  tls-service-pem: "{chain}"\n  username: ""\n  chroot: ""\n  directory: "{scratch}"\n  pidfile: ""\n'
        "  use-syslog: no\n  do-daemonize: no\n  incoming-num-tcp: 100\n  so-rcvbuf: 4m\n"
        f'  local-zone: "{ZONE}." redirect\n  local-data: "{ZONE}. A 192.0.2.1"\nremote-control:\n  control-enable: no\n',
        encoding="utf-8",
    )
    process = machine.start(["unbound", "-d", "-c", str(scratch / "unbound.conf")], core=SERVER_CORE, log=scratch / "log")
    try:
        limit = time.monotonic() + 20
        while ask(plain, f"n1.{ZONE}") is None:
            if process.poll() is not None or time.monotonic() > limit:
                raise BenchError(f"Unbound does not answer. It said:\n{(scratch / 'log').read_text(encoding='utf-8')[-2000:]}")
        yield {"udp": plain, "tcp": plain, "dot": dot, "doh": doh}, ca
    finally:
        process.terminate()
        process.wait(20)


def _study(directory: Path, port: int, names: int = NAMES, vectors: Sequence[str] = VECTORS, repeats: int = 1, who: str = OURS) -> Figure:
    """`redhand porosity probe`, as its user runs it."""
    listed = directory.with_suffix(".txt")
    listed.write_text("".join(f"n{number}.{ZONE}\n" for number in range(names)), encoding="ascii")
    resolvers = [f"{each}={HOST}:{port}" for each in ("--resolver=r", "--control=one", "--control=two")]
    command = [sys.executable, "-m", "redhand", "porosity", "probe", str(listed), "--study", str(directory), *resolvers]
    command += [f"--canary=canary.{ZONE}", f"--repeats={repeats}", "--neighbours=0", *(f"--vectors={each}" for each in vectors), "--json"]
    said, processor, megabytes = _measured(command)
    told = json.loads(said)
    (ran,) = (json.loads(line) for line in (directory / "observations" / "local" / "runs.jsonl").read_text("utf-8").splitlines())
    return Figure(who, told["sent"], told["sent"] - told["answered"], ran["seconds"], processor, megabytes)


def _child(who: str, questions: int, way: str, port: int, ca: Path) -> Figure:
    """One way alone, in a program of its own."""
    said, processor, megabytes = _measured([sys.executable, "-m", "bench.ways", way, str(port), str(ca), str(questions)])
    missing, seconds = json.loads(said)
    return Figure(who, questions, missing, seconds, processor, megabytes)


def _dnsperf(questions: Path, port: int) -> Figure:
    questions.write_text("".join(f"n{number}.{ZONE} A\n" for number in range(NAMES)), encoding="ascii")
    command = ["dnsperf", "-s", HOST, "-p", str(port), "-d", str(questions), "-l", "3", "-c", "4", "-q", str(UNDER_WAY)]
    said, processor, _ = _measured(command)
    sent, lost, seconds = (
        float(_found(pattern, said)) for pattern in (r"Queries sent:\s+(\d+)", r"Queries lost:\s+(\d+)", r"Run time \(s\):\s+([\d.]+)")
    )
    return Figure("dnsperf", int(sent), int(lost), seconds, processor, 0)


def _measured(command: list[str]) -> tuple[str, float, int]:
    """What a program says, its processor time, and its largest memory in MB."""
    program = machine.find_program(command[0])
    if program is None:
        raise BenchError(f"{command[0]} is not installed")
    with machine.pinned(GENERATOR_CORE):
        process = subprocess.Popen([program, *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = process.stdout.read() if process.stdout else ""
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"{' '.join(command[:6])} ended with status {process.returncode}; run it by hand to see why")
    return said, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def _found(pattern: str, said: str) -> str:
    found = re.search(pattern, said)
    if found is None:
        raise BenchError(
            f"dnsperf's output has nothing that matches {pattern!r}; its version may be unknown to bench/probe.py. It said:\n{said[-2000:]}"
        )
    return found.group(1)


def _row(figure: Figure) -> str:
    memory = f"{figure.megabytes} MB" if figure.megabytes else ""
    return f"| {figure.who} | {figure.questions:,} | {figure.missing:,} | {figure.rate:,.0f} | {figure.cost:.0f} | {memory} |"


def _table(whole: dict[str, Any], figures: list[Figure]) -> str:
    facts = whole["machine"]
    versions = "; ".join(f"{name} {version}" for name, version in whole["versions"].items())
    lines = [
        f"# How fast a study asks, {whole['date']}",
        "",
        f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}; {versions}.",
        "The first lines of `bench/probe.py` say how it is measured. Each figure is of the round that is the median of"
        f" {whole['rounds']} by processor time. Load average of the machine at the end: {whole['load']:.1f}.",
        "",
        "| who asks | questions | not answered | answered/s | processor µs a question | memory |",
        "|---|---|---|---|---|---|",
        *map(_row, figures),
        "",
        f"Promised of `{OURS}`: {PROMISED:,} questions a second, all answered; at most {MOST_MEGABYTES} MB. "
        + ("Kept." if whole["kept"] else "NOT KEPT."),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(run)
