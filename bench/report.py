"""Puts the figures into words and pictures: tables for the terminal, and a dated record of three files that stands without running anything.

`record/DATE/result.json` holds every figure of every round, `table.md` the medians, `chart.svg` the same as bars. Nothing stored is rounded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import chart, data, load
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
        "",
        "![Bars: each server in each row](chart.svg)",
    ]
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
    (target / "chart.svg").write_text(chart.draw(_panels(outcome), _caption(outcome)), encoding="utf-8")
    return target


def _candidates(day: date) -> list[Path]:
    return [RECORD / day.isoformat(), *(RECORD / f"{day.isoformat()}-{number}" for number in range(2, 1000))]


def _caption(outcome: Outcome) -> str:
    return f"{outcome.day.isoformat()}, {outcome.machine['processor']}, one core a server; bars: medians, dots: each round"


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
