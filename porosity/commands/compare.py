"""`redhand porosity compare`: two studies beside one another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from porosity.report.compare import Comparison


def command(
    first: Annotated[Path, typer.Argument(metavar="A", help="A study's directory.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another's, such as of a later day or another place.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")] = False,
) -> None:
    """Compare what two studies estimated: which vectors leak more in B than in A, which less, and how sure that is.

    Resolvers are matched by their ids. Only vectors that send the same in both are compared; what else differs is said. Names that both asked are
    compared each with itself (McNemar's test).
    """
    from dataclasses import asdict  # noqa: PLC0415

    from porosity import study  # noqa: PLC0415
    from porosity.report import compare, tables  # noqa: PLC0415
    from porosity.report.found import read  # noqa: PLC0415

    made = compare.compare(read(study.open(first)), read(study.open(second)))
    if as_json:
        rows = [{**asdict(each), "says": each.says} for each in made.changes]
        changes = json.loads(tables.as_json(rows))
        print(json.dumps({"first": str(first), "second": str(second), "notes": made.notes, "changes": changes}))
    else:
        _show(made)


def _show(made: Comparison) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from porosity.report.compare import WHOLE  # noqa: PLC0415
    from porosity.report.found import percent  # noqa: PLC0415

    out = Console(soft_wrap=True, highlight=False)
    shown = [each for each in made.changes if each.what in WHOLE.values() or each.difference]
    table = Table("resolver", "leak by", "A", "B", "points, B less A", "p (Holm)", "", box=None, padding=(0, 2, 0, 0))
    for each in shown:
        points = f"{each.difference * 100:+.1f} ({each.low * 100:+.1f} to {each.high * 100:+.1f})"
        p = "<0.001" if each.p_holm < 0.001 else f"{each.p_holm:.3f}"
        style = {"leaks more": "red", "leaks less": "green"}.get(each.says, "")
        rates = (percent(each.first["share"]), percent(each.second["share"]))
        table.add_row(escape(each.resolver), escape(each.what), *rates, points, p, each.says, style=style)
    out.print(table)
    if any(each.paired for each in made.changes):
        out.print("each name is compared with itself, as far as both asked it; p by McNemar's test, corrected by Holm")
    same = len(made.changes) - len(shown)
    if same:
        out.print(f"{same} vectors leak alike in both")
    for note in made.notes:
        out.print(f"[yellow]note:[/yellow] {escape(note)}")
