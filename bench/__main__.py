"""`python -m bench`: runs the comparison, prints its tables, and writes its dated record."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import latency, machine, million, report, rows, scaling, servers

MILLION_ROWS = ("million", "swap")
WIDE = 130
"""Columns when the output goes to a file, which wraps nothing."""
EVERY_ROW = (*(row.key for row in rows.ROWS), *latency.TITLES, scaling.KEY, *MILLION_ROWS)
NOT_QUICK = (*MILLION_ROWS, "half-swap", "half-failure")


def run(
    peers: Annotated[
        str, typer.Option(help="Peers to compare with, by name, comma-separated; by default all that are installed. 'none': Red Hand alone.")
    ] = "",
    only: Annotated[str, typer.Option("--rows", help=f"Rows to run, comma-separated: {', '.join(EVERY_ROW)}. By default all.")] = "",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each row; a figure is the median over them.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of each load; latencies take two and four times as long.")] = 2,
    quick: Annotated[
        bool, typer.Option("--quick", help="One round of 1 s, only rows that are soon done, no record unless --out is given: does it work at all?")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE.")] = None,
    without_redhand: Annotated[bool, typer.Option("--without-redhand", help="Measure the peers alone.")] = False,
) -> None:
    """Compare Red Hand with the resolvers installed here, in one run, under the same load.

    Each server runs on core 0; dnsperf and NSD, the upstream of all, on core 1; nothing leaves the loopback interface. The figure is CPU time per
    query answered; for the rows `half...` the time until an answer. Install what is to be compared, and dnsperf and nsd, from your distribution. All
    rows and peers take some 35 minutes; leave the machine alone meanwhile. As root the times are more exact: the prober gets real-time priority.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    try:
        chosen = [] if without_redhand else [servers.RED_HAND]
        chosen += _peers(peers)
        keys = _rows(only, quick)
        if quick:
            rounds, seconds = 1, 1
        _check_machine(chosen)
        outcome = _compare(console, chosen, keys, rounds, seconds)
    except machine.BenchError as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        raise typer.Exit(1) from None
    record = report.write(outcome, out) if out is not None or not quick else None
    report.show(outcome, console)
    if record is not None:
        console.print(f"Record: {record}", highlight=False, soft_wrap=True)


def _peers(text: str) -> list[servers.Kind]:
    known = {kind.name.lower(): kind for kind in servers.PEERS}
    if not text:
        return [kind for kind in servers.PEERS if kind.installed]
    wanted = [] if text == "none" else [name.strip().lower() for name in text.split(",")]
    if unknown := [name for name in wanted if name not in known]:
        raise machine.BenchError(f"unknown peer {unknown[0]!r}; known are {', '.join(kind.name for kind in servers.PEERS)}")
    if missing := [known[name].name for name in wanted if not known[name].installed]:
        raise machine.BenchError(f"{missing[0]} is not installed here")
    return [known[name] for name in wanted]


def _rows(text: str, quick: bool) -> list[str]:
    if not text:
        return [key for key in EVERY_ROW if not (quick and key in NOT_QUICK)]
    wanted = [key.strip() for key in text.split(",")]
    if unknown := [key for key in wanted if key not in EVERY_ROW]:
        raise machine.BenchError(f"unknown row {unknown[0]!r}; known are {', '.join(EVERY_ROW)}")
    return wanted


def _check_machine(chosen: list[servers.Kind]) -> None:
    machine.check_cores()
    for tool in ("dnsperf", "nsd"):
        if machine.find_program(tool) is None:
            raise machine.BenchError(f"the comparison needs {tool}; on Debian: apt install dnsperf nsd")
    if not chosen:
        raise machine.BenchError("nothing to measure: no peer is installed and Red Hand is left out")


def _compare(console: Console, chosen: list[servers.Kind], keys: list[str], rounds: int, seconds: float) -> report.Outcome:
    versions = {kind.name: kind.version_text() for kind in chosen}
    versions |= {"NSD": servers.version_in(machine.output(["nsd", "-v"])), "dnsperf": servers.version_in(machine.output(["dnsperf", "-h"]))}
    with tempfile.TemporaryDirectory(prefix="redhand-bench-") as scratch:
        plan = rows.Run(Path(scratch), rounds, seconds, lambda text: console.print(text, highlight=False, soft_wrap=True))
        results = []
        for row in rows.ROWS:
            if row.key in keys:
                console.print(f"[bold]{row.title}[/bold]: {row.asks}", highlight=False, soft_wrap=True)
                results.append(rows.measure(row, chosen, plan))
        mixes = next((result for result in results if result.row.key == "mix"), None)
        waits = latency.measure(keys, chosen, plan, mixes)
        scaled = scaling.measure(plan) if scaling.KEY in keys and servers.RED_HAND in chosen else None
        big = None
        if set(keys) & set(MILLION_ROWS):
            console.print("[bold]1,000,000 names[/bold]", highlight=False)
            big = million.measure(chosen, plan, memory="million" in keys, swap="swap" in keys)
    return report.Outcome(datetime.now(UTC).date(), machine.facts(), versions, rounds, seconds, results, big, waits, scaled)


if __name__ == "__main__":
    typer.run(run)
