"""Red Hand for an hour at half of its peak: `python -m bench.soak`, or `make soak`. Does its memory stay, and how slow is the slowest answer?

One worker on core 0 with a small cache, so that it forgets all the time; names by Zipf, one in ten blocked, one in twenty never seen; a list of
100,000 names, changed once a minute. dnsperf and the upstream share core 1 with a prober that times a hundred single queries a second.
Memory is read of each process every 10 seconds. Growth is that between the second eighth of the time, when the caches are full, and the last.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Annotated
from xml.sax.saxutils import escape

import typer

from bench import chart, data, load, machine
from bench.machine import GENERATOR_CORE, BenchError
from bench.servers import RED_HAND, Server, Upstream, prepare

CACHE_MB = 16
"""Less than the names asked for in a minute would fill, several times over."""
GROWTH_TARGET = 0.02
SHARE = 0.5
"""Of the peak, which is that of the first seconds, measured with the same names."""
PEAK_SECONDS = 5
SAMPLE_SECONDS = 10.0
SEGMENT_SECONDS = 60.0
"""Of load between two changes of the list; shorter when the whole is: there are never fewer than eight."""
SETTLE_SECONDS = 2.0
"""Of load before the first probe: dnsperf begins too slowly, and then sends at once what it owes."""
PROBES = 100
"""Queries a second of the prober."""
FILES, QUERIES = 8, 200_000
"""Files asked in turn, one a segment, over and over, and the lines of each; by the time a name comes again, many others have, and it is gone."""
RECORD = Path(__file__).parent / "record"


@dataclass(frozen=True)
class Sample:
    """Memory of one process at one time: octets of its own (USS), and with its share of what it has in common with others (PSS)."""

    at: float
    process: str
    uss: int
    pss: int


@dataclass(frozen=True)
class Segment:
    """One file asked, with one change of the list in it. Times in milliseconds, by the prober; of dnsperf the slowest too."""

    at: float
    sent: int
    lost: int
    wrong: int
    """Answers that were none, by their response code: every name exists or is blocked with an address."""
    slowest_ms: float
    p999_ms: float
    load_slowest_ms: float
    in_force_seconds: float


@dataclass
class Soak:
    """What was seen."""

    seconds: float
    peak_qps: float
    machine: dict[str, str | int]
    segment_seconds: float
    samples: list[Sample] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    @property
    def processes(self) -> list[str]:
        """Those that lived all the time; builders come and go."""
        return sorted({sample.process for sample in self.samples})

    def window(self, process: str, start: float, end: float) -> float:
        """Median USS of a process between two shares of the time."""
        last = self.took
        found = [sample.uss for sample in self.samples if sample.process == process and start <= sample.at / last <= end]
        return median(found) if found else 0.0

    def growth(self, process: str) -> float:
        """Of a process's own memory, as a share."""
        before = self.window(process, 1 / 8, 2 / 8)
        return self.window(process, 7 / 8, 1) / before - 1 if before else 0.0

    @property
    def took(self) -> float:
        """Seconds from first to last."""
        return self.samples[-1].at

    @property
    def total_growth(self) -> float:
        """Of all processes together."""
        before = sum(self.window(process, 1 / 8, 2 / 8) for process in self.processes)
        return sum(self.window(process, 7 / 8, 1) for process in self.processes) / before - 1

    @property
    def slowest_ms(self) -> float:
        """The slowest answer of all that were timed."""
        return max(segment.slowest_ms for segment in self.segments)

    @property
    def sent(self) -> int:
        """Queries of the load."""
        return sum(segment.sent for segment in self.segments)

    @property
    def lost(self) -> int:
        """Of these and of the prober's, the unanswered."""
        return sum(segment.lost for segment in self.segments)

    @property
    def wrong(self) -> int:
        """Of these and of the prober's, answers that were none."""
        return sum(segment.wrong for segment in self.segments)


def _memory(pid: int, at: float) -> Iterator[Sample]:
    for member in machine.family(pid):
        try:
            command = Path(f"/proc/{member}/cmdline").read_bytes().decode().split("\0")
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text("ascii")
        except (OSError, ValueError):
            continue
        name = "supervisor" if member == pid else "worker" if "resolver.worker" in command else ""
        if not name or "Pss:" not in rollup:
            continue
        octets = {words[0].rstrip(":"): int(words[1]) * 1024 for line in rollup.splitlines()[1:] if (words := line.split())}
        yield Sample(at, name, octets["Private_Clean"] + octets["Private_Dirty"], octets["Pss"])


def _serving(samples: list[Sample]) -> list[Sample]:
    """One sample a process: of the workers, the one that serves and not the one that waits to take its place, which is always smaller."""
    best: dict[str, Sample] = {}
    for sample in samples:
        if sample.process not in best or sample.uss > best[sample.process].uss:
            best[sample.process] = sample
    return list(best.values())


def _queries(count: int, listed: list[str], number: int) -> Iterator[str]:
    """In twenty: 17 names by Zipf, 2 listed ones, 1 never seen."""
    rng = data.seeded("soak", number)
    known = data.zipf(count)
    for line, name in enumerate(known):
        draw = rng.random()
        if draw < 0.85:
            yield name
        elif draw < 0.95:
            yield f"{'www.' if line & 1 else ''}{rng.choice(listed)}"
        else:
            yield f"s{number}x{line:x}.miss.{data.ZONE}"


class _Run:
    """One soak under way."""

    def __init__(self, seconds: float, scratch: Path) -> None:
        self.seconds = seconds
        self.scratch = scratch
        self.listed = data.listed_names(data.LISTED)
        self.later = data.listed_names(data.LISTED, generation=1)
        self.segment = max(4.0, min(SEGMENT_SECONDS, seconds / 8))
        self.lists = [data.write_lines(scratch / f"list{number}", RED_HAND.form(names, 1)) for number, names in enumerate((self.listed, self.later))]
        self.kept = self.listed[: data.LISTED // 2]
        self.swaps = 0
        self.enough = False

    def end_early(self, *_: object) -> None:
        """Ends after the segment under way: what was measured is written all the same."""
        print("  stopping after this segment", flush=True)
        self.enough = True

    def measure(self) -> Soak:
        """Starts everything, soaks, ends everything."""
        upstream = Upstream(self.scratch)
        try:
            server = prepare(RED_HAND, self.scratch, upstream.port, self.lists[0])
            configuration = server.directory / "config.yaml"
            configuration.write_text(configuration.read_text("utf-8").replace("resolver:\n", f"resolver:\n  cache_mb: {CACHE_MB}\n", 1), "utf-8")
            server.launch(self.listed)
            try:
                return self._soak(server)
            finally:
                server.stop()
        finally:
            upstream.stop()

    def _file(self, number: int) -> Path:
        """One of the files, written when it is first asked for."""
        path = self.scratch / f"queries{number % FILES}.txt"
        return path if path.exists() else data.write_queries(path, _queries(QUERIES, self.kept, number))

    def _soak(self, server: Server) -> Soak:
        server.settle()
        queries = self._file(0)
        peak = load.run(server.port, queries, seconds=PEAK_SECONDS).qps
        print(f"peak {peak:,.0f} queries/s; {self.seconds:,.0f} s at half of it, {CACHE_MB} MB of cache, {data.LISTED:,} names listed", flush=True)
        found = Soak(self.seconds, peak, machine.facts(), self.segment)
        names = data.write_queries(self.scratch / "probed.txt", data.every_hit())
        for each in range(FILES):
            self._file(each)
        began = time.monotonic()
        number = 0
        while not self.enough and ((at := time.monotonic() - began) < self.seconds or number < FILES):
            number += 1
            found.segments.append(self._one(server, found, began, at, self._file(number), names))
            self._tell(found, began)
        found.seconds = min(found.seconds, found.took)
        return found

    def _one(self, server: Server, found: Soak, began: float, at: float, queries: Path, names: Path) -> Segment:
        generator = load.begin(server.port, queries, seconds=self.segment, qps=int(found.peak_qps * SHARE), outstanding=10_000)
        out = self.scratch / "probes.json"
        time.sleep(SETTLE_SECONDS)
        timed = f"{self.segment - SETTLE_SECONDS - 1:.0f}"
        with machine.pinned(GENERATOR_CORE):
            prober = subprocess.Popen(
                [sys.executable, "-m", "bench.prober", str(server.port), str(names), str(PROBES), timed, str(out)],
                cwd=Path(__file__).parent.parent,
                start_new_session=True,  # Ctrl-C is for this program alone
            )
        end = time.monotonic() + self.segment - SETTLE_SECONDS
        swap_at = time.monotonic() + self.segment / 3
        in_force = 0.0
        swapped = False
        sample_at = time.monotonic()
        every = min(SAMPLE_SECONDS, self.segment / 5)
        while time.monotonic() < end:
            if time.monotonic() >= sample_at:
                sample_at += every
                found.samples += _serving(list(_memory(server.pid, time.monotonic() - began)))
            if not swapped and time.monotonic() >= swap_at:
                swapped = True
                self.swaps += 1
                names_in = (self.listed, self.later)[self.swaps % 2]
                asked = time.monotonic()
                server.swap(server.stage(self.lists[self.swaps % 2]))
                server.await_list(names_in[-100:])
                in_force = time.monotonic() - asked
            time.sleep(0.05)
        seen = generator.finish(self.segment + 60)
        prober.wait(60)
        probes = json.loads(out.read_text("utf-8"))["probes"]
        took = sorted(probe["seconds"] for probe in probes if probe["seconds"] is not None)
        lost = len(probes) - len(took)
        if not took:
            raise BenchError(f"the prober got no answer. The server said:\n{server.log()}")
        wrong = seen.wrong + sum(probe["wrong"] for probe in probes)
        return Segment(at, seen.sent, seen.lost + lost, wrong, took[-1] * 1e3, took[len(took) * 999 // 1000] * 1e3, seen.max_latency * 1e3, in_force)

    def _tell(self, found: Soak, began: float) -> None:
        segment, left = found.segments[-1], max(0.0, self.seconds - (time.monotonic() - began))
        now = {sample.process: sample.uss / 1e6 for sample in found.samples[-4:]}
        memory = ", ".join(f"{name} {octets:.1f} MB" for name, octets in sorted(now.items()))
        print(
            f"  {segment.at:6.0f} s  {segment.sent:>9,} queries, {segment.lost} lost, {segment.wrong} failed  "
            f"slowest {segment.slowest_ms:6.2f} ms  {memory}  "
            f"{int(left) // 60}:{int(left) % 60:02d} left",
            flush=True,
        )


def words(found: Soak) -> str:
    """The result as a table."""
    lines = [
        f"# {found.seconds:,.0f} s at half of peak",
        "",
        f"{found.machine['processor']}, {found.machine['kernel']}, Python {found.machine['python']}, revision {found.machine['revision']}. "
        f"{found.peak_qps * SHARE:,.0f} queries/s, half of a peak of {found.peak_qps:,.0f}; {CACHE_MB} MB of cache; {data.LISTED:,} names listed, "
        f"changed {len(found.segments)} times.",
        "",
        "| process | own memory, second eighth | last eighth | growth |",
        "|---|---|---|---|",
    ]
    for process in found.processes:
        before, after = found.window(process, 1 / 8, 2 / 8), found.window(process, 7 / 8, 1)
        lines.append(f"| {process} | {before / 1e6:.2f} MB | {after / 1e6:.2f} MB | {found.growth(process) * 100:+.2f} % |")
    met = "met" if found.total_growth <= GROWTH_TARGET else "missed"
    lines += [
        f"| all | | | {found.total_growth * 100:+.2f} % (at most {GROWTH_TARGET * 100:.0f} %: {met}) |",
        "",
        f"Slowest of about {int(len(found.segments) * found.segment_seconds * PROBES):,} timed answers: {found.slowest_ms:.2f} ms; "
        f"median of the slowest a minute {median(segment.slowest_ms for segment in found.segments):.2f} ms. "
        f"Of {found.sent:,} queries {found.lost} were lost, {found.wrong} failed. "
        f"A changed list was in force after {median(segment.in_force_seconds for segment in found.segments):.1f} s (median).",
        "",
    ]
    return "\n".join(lines)


def picture(found: Soak) -> str:
    """Memory of each process, and the slowest answer of each segment, over the time; both from zero."""
    width, height, left, top = 900, 190, 70, 60
    parts = []
    panels: list[tuple[str, str, list[list[tuple[float, float]]]]] = [
        (
            "Own memory of worker and supervisor",
            "MB",
            [[(s.at, s.uss / 1e6) for s in found.samples if s.process == name] for name in found.processes],
        ),
        ("Slowest answer of each segment", "ms", [[(segment.at, segment.slowest_ms) for segment in found.segments]]),
    ]
    for row, (title, unit, curves) in enumerate(panels):
        most = max((value for curve in curves for _, value in curve), default=1.0) or 1.0
        y0 = top + row * (height + 70) + height
        parts.append(f'<text class="panel" x="{left}" y="{y0 - height - 10}">{escape(title)}: up to {most:.1f} {unit}</text>')
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y0}" y2="{y0}" stroke="#9aa4af"/>')
        for at in (0.0, found.took / 2, found.took):
            x = left + at / found.took * width
            parts.append(f'<text class="soft" x="{x:.0f}" y="{y0 + 18}" text-anchor="middle">{at / 60:.0f} min</text>')
        for number, curve in enumerate(curves):
            points = " ".join(f"{left + min(at / found.took, 1) * width:.1f},{y0 - value / most * height:.1f}" for at, value in curve)
            colour = ("#c8102e", "#5c6570")[(number + len(curves)) % 2 if len(curves) > 1 else 0]
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    size = f'width="1040" height="{top + 2 * (height + 70)}" viewBox="0 0 1040 {top + 2 * (height + 70)}"'
    head = (
        f'<rect class="page" width="1040" height="{top + 2 * (height + 70)}"/><text class="title" x="{left}" y="30">Red Hand at half of peak</text>'
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}><style>{chart.STYLE}</style>{head}{"".join(parts)}</svg>\n'


def write(found: Soak, folder: Path) -> Path:
    """The record: result.json with every sample, table.md, chart.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {**asdict(found), "growth": {name: found.growth(name) for name in found.processes}, "total_growth": found.total_growth}
    (folder / "result.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "table.md").write_text(words(found), encoding="utf-8")
    (folder / "chart.svg").write_text(picture(found), encoding="utf-8")
    return folder


def main(
    seconds: Annotated[float, typer.Option(min=16, help="How long to soak.")] = 3600,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-soak.")] = None,
) -> None:
    """Soak Red Hand at half of its peak; exit code 1 if its memory grows by more than 2 %. Ctrl-C ends it early, with a record of what was seen."""
    try:
        machine.check_cores()
        with tempfile.TemporaryDirectory(prefix="redhand-soak-") as scratch:
            run = _Run(seconds, Path(scratch))
            signal.signal(signal.SIGINT, run.end_early)
            found = run.measure()
    except BenchError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    folder = write(found, out or RECORD / f"{datetime.now(UTC):%Y-%m-%d}-soak")
    print(words(found))
    print(f"Record: {folder}")
    if found.total_growth > GROWTH_TARGET:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
