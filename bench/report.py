"""Puts the figures into words and pictures: tables for the terminal, and a dated record of files that stands without running anything.

`record/DATE/result.json` holds every figure of every round, `table.md` the medians, `chart.svg` the same as bars, `latency.svg` the times until an
answer. Nothing stored is rounded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import chart, data, latency, load, logchart, prober, scaling
from bench.latencies import SHARES, LatencyResult, Times, quantile
from bench.million import MEMORY_TARGET, Million, Swap
from bench.rows import Result
from bench.servers import RED_HAND

TIMES = "\N{MULTIPLICATION SIGN}"
NOISE_SHARE = 0.25
"""Cores other programs may use during a load before the record says so; the generator's own noise is about half of it."""
RECORD = Path(__file__).parent / "record"
PROMISES = {
    "more_memory_bytes": ("more memory than with 1,000 names (PSS, all processes)", "MB", 1e-6),
    "build_seconds": ("text to index", "s", 1.0),
    "start_seconds": ("start to a built index in force", "s", 1.0),
    "swap_lost": ("queries lost by a swap at 2,000 queries/s", "", 1.0),
    "swap_slowest_ms": ("slowest answer during a swap", "ms", 1.0),
}


@dataclass(frozen=True)
class Outcome:
    """One run of the comparison."""

    day: date
    machine: dict[str, str | int]
    versions: dict[str, str]
    rounds: int
    seconds: float
    results: Sequence[Result]
    million: Million | None
    waits: Sequence[LatencyResult] = field(default_factory=list)
    scaling: scaling.Scaling | None = None

    @property
    def servers(self) -> list[str]:
        """Names of the servers that took part, Red Hand first."""
        return [name for name in self.versions if name not in {"NSD", "dnsperf"}]

    def as_json(self) -> dict[str, Any]:
        """Everything, for the record."""
        return {
            "date": self.day.isoformat(),
            "machine": self.machine,
            "versions": self.versions,
            "rounds": self.rounds,
            "seconds_a_load": self.seconds,
            "flows": load.FLOWS,
            "outstanding": load.OUTSTANDING,
            "rows": [result.as_json() for result in self.results],
            "latency": {
                "probes_a_second": latency.PROBE_QPS,
                "lost_after_seconds": prober.LOST_AFTER,
                "rows": [wait.as_json() for wait in self.waits],
            },
            "two_workers": self.scaling.as_json() if self.scaling else None,
            "million": self.million.as_json() if self.million else None,
        }


@dataclass(frozen=True)
class Grid:
    """A table before it is drawn: a title, column heads, and rows of text."""

    title: str
    heads: list[str]
    rows: list[list[str]]


def verdict(passed: bool | None) -> str:
    """The word for a target met, missed, or not measured."""
    return {True: "pass", False: "MISS", None: "not measured"}[passed]


def grids(outcome: Outcome, *, whole: bool) -> list[Grid]:
    """All tables of a run; the longest only if `whole`."""
    found = []
    if outcome.results:
        found += [_targets(outcome), _costs(outcome)] + ([_loads(outcome)] if whole else [])
    found += [_waits(outcome, wait) for wait in outcome.waits]
    if outcome.scaling:
        found.append(_scaling(outcome.scaling))
    if outcome.million:
        found += [_promises(outcome.million), _memory(outcome), _swaps(outcome)]
    return [grid for grid in found if grid.rows]


def _targets(outcome: Outcome) -> Grid:
    rows = []
    for result in outcome.results:
        ratios = result.ratios()
        spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else "none"
        rows.append([result.row.title, spread, f"at most {result.row.target:.2f} {TIMES} {result.row.against}", verdict(result.passed())])
    return Grid("CPU time per query, Red Hand over its peer: median of the rounds, and their range", ["work", "ratio", "target", ""], rows)


def _costs(outcome: Outcome) -> Grid:
    rows = []
    for result in outcome.results:
        costs = [result.cpu_us(server) for server in outcome.servers]
        rows.append([result.row.title, *(f"{cost:.2f}" if cost is not None else "-" for cost in costs)])
    return Grid("CPU time per query, in microseconds: medians", ["work", *outcome.servers], rows)


def _loads(outcome: Outcome) -> Grid:
    rows = []
    for result in outcome.results:
        for server in outcome.servers:
            if figures := result.of(server):
                cost, qps = (median(values) for values in ([f.cpu_us for f in figures], [f.qps for f in figures]))
                busy, others = (median(values) for values in ([f.busy for f in figures], [f.others for f in figures]))
                lost, wrong = sum(figure.lost for figure in figures), sum(figure.wrong for figure in figures)
                cells = [f"{cost:.2f} µs", f"{qps / 1e3:.0f}k/s", f"{busy:.0%}", f"{others:.0%}", f"{lost:,}", f"{wrong:,}"]
                rows.append([result.row.title, server, *cells])
    heads = ["work", "server", "CPU per query", "load", "busy", "others", "lost", "wrong"]
    title = (
        "The load behind each figure: medians. At a low load the same server costs more a query."
        " busy: share of its core; others: cores used by programs outside the comparison; lost and wrong answers: sums"
    )
    return Grid(title, heads, rows)


def _waits(outcome: Outcome, wait: LatencyResult) -> Grid:
    rows = []
    for phase in wait.phases:
        for server in outcome.servers:
            if figures := wait.of(server):
                times = wait.times(server, phase)
                cells = [f"{median(f.qps for f in figures) / 1e3:.0f}k/s", f"{median(f.busy for f in figures):.0%}", *_time_cells(times)]
                rows.append([*([phase] if phase else []), server, *cells, *_event_cells(wait, server, phase)])
    heads = [*(["phase"] if any(wait.phases) else []), "server", "load", "busy", *SHARES, "slowest", "lost", "wrong"]
    heads += {"half-swap": ["swaps", "in force after"], "half-failure": ["p99 back after"]}.get(wait.key, [])
    return Grid(f"{wait.title[0].upper()}{wait.title[1:]}: {wait.asks}", heads, rows)


def _time_cells(times: Times) -> list[str]:
    slowest = max((second for second in times.seconds if second != math.inf), default=0.0)
    shares = [_milliseconds(times.at(share)) for share in SHARES.values()]
    return [*shares, _milliseconds(slowest), f"{times.lost:,} of {len(times.seconds):,}", f"{times.wrong:,}"]


def _milliseconds(seconds: float) -> str:
    return "lost" if seconds == math.inf else f"{seconds * 1e3:.3g} ms" if seconds < 0.1 else f"{seconds * 1e3:,.0f} ms"


def _event_cells(wait: LatencyResult, server: str, phase: str) -> list[str]:
    figures = wait.of(server)
    if wait.key == "half-swap":
        swaps = [seconds for figure in figures for seconds in figure.swaps]
        return [f"{len(swaps)}", f"{median(swaps):.1f} s" if swaps else "-"]
    if wait.key == "half-failure":
        backs = [figure.back for figure in figures]
        worst = "not in every round" if None in backs else f"{max(back for back in backs if back is not None):.2f} s"
        return [worst if phase == "during" else ""]
    return []


def _scaling(scaled: scaling.Scaling) -> Grid:
    rows = []
    if scaled.capacity is not None:
        pairs = scaled.pairs
        one, two = median(pair.one_us for pair in pairs), median(pair.paced[2].cpu_us for pair in pairs)
        uneven = median(pair.paced[2].imbalance for pair in pairs)
        seen = [f"{median(pair.full[number].qps for pair in pairs) / 1e3:.0f}k/s" for number in (0, 1)]
        cells = [f"{one:.2f} then {two:.2f} µs", f"{uneven:.2f}", f"{scaled.capacity:.2f}", f"at least {scaling.TARGET:g}"]
        rows.append([" then ".join(seen), *cells, verdict(scaled.passed())])
    heads = ["throughput beside the generator", "CPU per query, paced", "busiest over mean", "capacity", "target", ""]
    title = (
        f"Red Hand, two workers on two cores over one on one: {load.FLOWS} flows. The generator, on the second core, limits the throughput of two;"
        f" capacity = 2 {TIMES} CPU per query with one over that with two, each worker under the same paced load, over busiest by mean"
    )
    return Grid(title, heads, rows)


def _lateness(outcome: Outcome) -> list[str]:
    """How times until an answer were taken, and how exact they are; nothing if none were."""
    late = sorted(second for wait in outcome.waits for figure in wait.figures for times in figure.phases.values() for second in times.late)
    if not late:
        return []
    real_time = all(figure.real_time for wait in outcome.waits for figure in wait.figures)
    priority = "real-time" if real_time else "ordinary"
    return [
        f"Latency: {latency.PROBE_QPS:,} probes a second beside the load, each at its own moment whether or not others were answered, from that",
        "moment to the kernel's stamp on the answer; percentiles over the probes of all rounds.",
        f"Without an answer within {prober.LOST_AFTER:g} s a probe is lost, and slower than any other.",
        f"The prober itself ({priority} priority) was late by {quantile(late, 0.5) * 1e6:.0f} µs in half of them,"
        f" by {quantile(late, 0.999) * 1e6:,.0f} µs at p99.9: finer differences say nothing.",
    ]


def _promises(million: Million) -> Grid:
    rows = []
    for promise, (figure, target, passed) in million.verdicts().items():
        words, unit, scale = PROMISES[promise]
        rows.append([words, f"{figure * scale:.4g} {unit}".strip(), f"at most {target * scale:.4g} {unit}".strip(), verdict(passed)])
    return Grid("One million names, Red Hand", ["promise", "figure", "target", ""], rows)


def _memory(outcome: Outcome) -> Grid:
    rows = []
    for server in outcome.servers:
        if outcome.million and (memories := outcome.million.memory_of(server)):
            start, small = median(m.start_seconds for m in memories), median(m.start_small_seconds for m in memories)
            built = median(m.build_seconds for m in memories)
            more, whole = median(m.more for m in memories) / 1e6, median(m.pss for m in memories) / 1e6
            rows.append([server, f"{more:,.1f} MB", f"{whole:,.0f} MB", f"{built:.2f} s" if built else "-", f"{start:.2f} s", f"{small:.2f} s"])
    heads = ["server", "more memory", "in all", "built before", "start to in force", "the same, 1,000 names"]
    return Grid("One million names: medians. PSS of all processes, against the same server with 1,000 names", heads, rows)


def _swaps(outcome: Outcome) -> Grid:
    rows = []
    for server in outcome.servers:
        if outcome.million and (swaps := outcome.million.swaps_of(server)):
            rows.append([server, *_swap_cells(swaps)])
    heads = ["server", "lost", "escaped a block", "slowest answer", "slowest before", "in force after"]
    return Grid("Swap of one million names at 2,000 queries/s: sums, and the worst of the rounds", heads, rows)


def _swap_cells(swaps: list[Swap]) -> list[str]:
    lost, sent, wrong = (sum(values) for values in zip(*((swap.lost, swap.sent, swap.wrong) for swap in swaps), strict=True))
    slowest, quiet = max(swap.slowest_ms for swap in swaps), max(swap.quiet_ms for swap in swaps)
    return [f"{lost:,} of {sent:,}", f"{wrong:,}", f"{slowest:,.1f} ms", f"{quiet:,.1f} ms", f"{max(swap.in_force_seconds for swap in swaps):.1f} s"]


def noise(outcome: Outcome) -> str:
    """What is to be said of other programs' share in the figures; empty if they were quiet."""
    loud = [figure for result in outcome.results for figure in result.figures if figure.others > NOISE_SHARE]
    if not loud:
        return ""
    loads, worst = sum(len(result.figures) for result in outcome.results), max(figure.others for figure in loud)
    return f"Not a quiet machine: in {len(loud)} of {loads} loads other programs used more than {NOISE_SHARE:.0%} of a core, at worst {worst:.0%}."


def show(outcome: Outcome, console: Console) -> None:
    """Prints the tables."""
    for grid in grids(outcome, whole=False):
        table = Table(title=grid.title, title_justify="left", header_style="bold")
        for number, head in enumerate(grid.heads):
            table.add_column(head, justify="left" if number == 0 or head in {"server", ""} else "right", overflow="fold")
        for row in grid.rows:
            style = "red" if row[-1] == "MISS" else "green" if row[-1] == "pass" else None
            table.add_row(*row, style=style)
        console.print(table)
    if heard := noise(outcome):
        console.print(f"[yellow]{heard}[/yellow]", highlight=False, soft_wrap=True)
    for name, reason in failures(outcome).items():
        console.print(f"[red]{name}[/red] {reason}", highlight=False)


def failures(outcome: Outcome) -> dict[str, str]:
    """What could not be measured, and why, by row and server."""
    found = {f"{result.row.title}, {server}:": reason for result in outcome.results for server, reason in result.failed.items()}
    found |= {f"{wait.title}, {server}:": reason for wait in outcome.waits for server, reason in wait.failed.items()}
    if outcome.scaling and outcome.scaling.failed:
        found[f"{scaling.TITLE}, Red Hand:" if outcome.scaling.capacity is None else f"{scaling.TITLE}, a round:"] = outcome.scaling.failed
    return found | {f"1,000,000 names, {server}:": reason for server, reason in (outcome.million.failed if outcome.million else {}).items()}


def markdown(outcome: Outcome) -> str:
    """The record's table, complete without the other files."""
    facts = outcome.machine
    lines = [
        f"# The comparison of {outcome.day.isoformat()}",
        "",
        f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}.",
        ", ".join(f"{name} {version}" for name, version in outcome.versions.items()) + ".",
        f"{outcome.rounds} rounds of {outcome.seconds:g} s a load, the servers in turn within a round. Each server on one core;",
        f"on the other the generator, dnsperf ({load.FLOWS} flows, {load.OUTSTANDING} queries in flight), and the upstream, NSD; all on loopback.",
        "A block list of 100,000 names, each with its subdomains. Only ratios taken in one run mean anything.",
        "`python -m bench --help` and the first lines of its files say how it is measured.",
        *([noise(outcome)] if noise(outcome) else []),
        *_lateness(outcome),
        "",
    ]
    lines += ["![Bars: each server in each row](chart.svg)"] if _panels(outcome) else []
    lines += ["![Latencies: p50, p99 and p99.9 of each server](latency.svg)"] if outcome.waits else []
    for grid in grids(outcome, whole=True):
        lines += ["", f"## {grid.title}", "", "| " + " | ".join(grid.heads) + " |", "|" + "---|" * len(grid.heads)]
        lines += ["| " + " | ".join(row) + " |" for row in grid.rows]
    if what := failures(outcome):
        lines += ["", "## Not measured", ""] + [f"- {name} {reason.splitlines()[0]}" for name, reason in what.items()]
    return "\n".join(lines) + "\n"


def write(outcome: Outcome, folder: Path | None) -> Path:
    """Writes the record into a folder of its own, `RECORD/DATE` or, where that exists, `RECORD/DATE-2` and so on; or into the folder given."""
    target = folder or next(path for path in _candidates(outcome.day) if not path.exists())
    target.mkdir(parents=True, exist_ok=True)
    (target / "result.json").write_text(json.dumps(outcome.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (target / "table.md").write_text(markdown(outcome), encoding="utf-8")
    if panels := _panels(outcome):
        (target / "chart.svg").write_text(chart.draw(panels, _caption(outcome)), encoding="utf-8")
    if outcome.waits:
        (target / "latency.svg").write_text(logchart.draw(_lines(outcome), _machine(outcome)), encoding="utf-8")
    return target


def _candidates(day: date) -> list[Path]:
    return [RECORD / day.isoformat(), *(RECORD / f"{day.isoformat()}-{number}" for number in range(2, 1000))]


def _caption(outcome: Outcome) -> str:
    return f"{_machine(outcome)}; bars: medians, dots: each round"


def _machine(outcome: Outcome) -> str:
    return f"{outcome.day.isoformat()}, {outcome.machine['processor']}, one core a server"


def _lines(outcome: Outcome) -> list[logchart.Panel]:
    panels = []
    for wait in outcome.waits:
        for phase in wait.phases:
            times = {server: wait.times(server, phase) for server in outcome.servers if wait.of(server)}
            lines = [
                logchart.Line(server, tuple(known.at(share) for share in SHARES.values()), own=server == RED_HAND.name)
                for server, known in times.items()
            ]
            panels.append(logchart.Panel(f"{wait.title}: {phase}" if phase else wait.title, lines))
    return panels


def _panels(outcome: Outcome) -> list[chart.Panel]:
    panels = []
    for result in outcome.results:
        bars = _bars(outcome, {server: [figure.cpu_us for figure in result.of(server)] for server in outcome.servers})
        peer = result.cpu_us(result.row.against)
        limit = peer * result.row.target if peer is not None else None
        words = f"µs of CPU a query; target: at most {result.row.target:g} {TIMES} {result.row.against}"
        panels.append(chart.Panel(result.row.title, bars, limit, words, result.passed()))
    if outcome.million and outcome.million.memories:
        bars = _bars(outcome, {server: [memory.more / 1e6 for memory in outcome.million.memory_of(server)] for server in outcome.servers})
        met = outcome.million.verdicts().get("more_memory_bytes")
        words = f"MB more than with {data.SMALL:,} names; target: at most {MEMORY_TARGET / 1e6:g}"
        panels.append(chart.Panel("1,000,000 names, memory", bars, MEMORY_TARGET / 1e6, words, met[2] if met else None))
    return panels


def _bars(outcome: Outcome, figures: dict[str, list[float]]) -> list[chart.Bar]:
    return [chart.Bar(server, figures[server], own=server == RED_HAND.name) for server in outcome.servers if figures[server]]
