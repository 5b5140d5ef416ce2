"""`redhand porosity report`: shows what was estimated, as a page, figures and tables, and in short on the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from porosity.report.write import Written

MOST_VECTORS = 4
MOST_SAID = 4
"""Resolvers of which each has a sentence; more are a table alone."""


def command(
    directory: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's directory.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")] = False,
) -> None:
    """Show what was estimated: one page that needs no network, each figure as SVG and PNG, each table as CSV and JSON; in short here.

    The report that stood is replaced; estimates are only read. The same estimates give the same page.
    """
    from rich.console import Console  # noqa: PLC0415

    from porosity import study  # noqa: PLC0415
    from porosity.report import write  # noqa: PLC0415

    console = Console(stderr=True)
    with console.status("drawing", spinner="line") as status:
        made = write.write(study.open(directory), lambda name: status.update(f"drawing {name}"))
    if as_json:
        print(json.dumps({"page": str(made.page), "figures": made.figures, "tables": made.tables, "headline": made.found.said["headline"]}))
    else:
        _show(made)


def _show(made: Written) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from porosity.report import limits, page  # noqa: PLC0415
    from porosity.report.found import between, percent, ways  # noqa: PLC0415

    found = made.found
    out = Console(soft_wrap=True, highlight=False)
    few = len(found.said["headline"]) <= MOST_SAID
    for said in found.said["headline"] if few else ():
        out.print(f"[bold]{escape(said['resolver'])}[/bold]: {escape(' '.join(page.first(found, said)))}")
    if not few:
        out.print("Ordered names that were still reached; of ways that a resolver can close itself with 95 % intervals:")
    table = Table("resolver", "asked plainly", "own ways", "any way", "over-blocked", "page", "EDE", box=None, padding=(0, 2, 0, 0))
    for said in found.said["headline"]:
        told = [found.rate(key, said["resolver"], vector="type-a") for key in ("landing", "ede")]
        over = said["overblocked"]
        table.add_row(
            escape(said["resolver"]),
            percent(said["plain"]["share"]) if said["plain"] else "-",
            "-" if not said["technical"] else percent(said["technical"]["share"]) if few else between(said["technical"]),
            percent(said["any"]["share"]) if said["any"] else "-",
            f"{over['names']:,} of {over['of']:,}",
            *(percent(each["share"]) if each else "-" for each in told),
        )
    out.print(table)
    for said in found.said["headline"]:
        if said["leaking"]:
            told_by = ways(found.study.plan, said["leaking"], MOST_VECTORS)
            out.print(f"reached at {escape(said['resolver'])}: {escape(told_by)}")
    first = next(limits.of(found))
    out.print(f"[yellow]limits:[/yellow] {escape(first)} More in the report.")
    out.print(f"{escape(str(made.page))}, {len(made.figures)} figures, {len(made.tables)} tables")
