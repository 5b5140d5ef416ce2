"""`redhand porosity estimate`: makes estimates of the verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from porosity.plan import Plan

HOUR = 3600
MOST_VECTORS = 5


def command(
    directory: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's directory.", show_default=False)],
    rules: Annotated[str, typer.Option("--rules", metavar="NAME", help="Whose verdicts; default: the newest of ours.", show_default=False)] = "",
    hours: Annotated[int, typer.Option("--window", metavar="HOURS", min=0, help="Also by windows of so many hours; 0: none.")] = 0,
    paths: Annotated[
        Path | None, typer.Option("--paths", metavar="FILE", help="YAML of the paths that users take, with shares and sources, for effective reach.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")] = False,
) -> None:
    """Estimate from verdicts: rates with intervals, tests, curves of delay, over-blocking, effective reach, and which vector's closing buys how much.

    Estimates that stood are replaced; verdicts are only read. The same verdicts give the same estimates.
    """
    from rich.console import Console  # noqa: PLC0415

    from porosity import estimates, study  # noqa: PLC0415

    opened = study.open(directory)
    made = estimates.make(opened, rules, hours * HOUR, paths)
    if as_json:
        print(json.dumps(made))
        return
    _show(made, opened.plan, Console(soft_wrap=True, highlight=False))
    print(f"next: redhand porosity report {directory}")


def _show(made: dict[str, Any], plan: Plan, console: Console) -> None:
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from porosity.report.found import ways  # noqa: PLC0415

    table = Table("resolver", "by any own way", "asked plainly", "over-blocked", box=None, padding=(0, 2, 0, 0))
    for each in made["headline"]:
        over = each["overblocked"]
        table.add_row(escape(each["resolver"]), _share(each["technical"]), _share(each["plain"]), f"{over['names']:,} of {over['of']:,}")
    console.print(f"Names in force that were reached, by {escape(made['rules'])} of {made['trials']['judged']:,} trials, with 95 % intervals:")
    console.print(table)
    for each in made["headline"]:
        if leaking := each["leaking"]:
            console.print(f"reached at {escape(each['resolver'])}: {escape(ways(plan, leaking, MOST_VECTORS))}")
    for each in made["reach"]:
        if not each["path"] and not each["list"] and not each["vantage"]:
            console.print(f"Effective reach, all paths: {_share({**each, 'share': each['reach']})}")


def _share(rate: dict[str, Any] | None) -> str:
    from porosity.report.found import between  # noqa: PLC0415

    return "not measured" if rate is None else between(rate)
