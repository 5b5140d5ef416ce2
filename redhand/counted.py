"""The command `redhand counts`: how many pages were shown for each order on each day, as far as that may be shown (`redhand.discreet`)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from landing import counts as kept
from redhand.cli import AsJSON, Config, load
from redhand.discreet import FEW, LEAST, final

SETTLED_SECONDS = 600
"""After midnight, until which the day before counts as running: its last pages are not on the disk yet."""

counts_app = typer.Typer(add_completion=False)


@counts_app.command("counts", epilog="Example: redhand counts --days 31 --json")
def counts(
    ctx: typer.Context,
    days: Annotated[int, typer.Option("--days", min=1, max=kept.KEPT_DAYS, help="How many whole days, yesterday included.")] = 7,
    config: Config = None,
    as_json: AsJSON = False,
) -> None:
    """Print how many pages were shown for each order on each day (UTC), for whoever may read it.

    Fewer than 10, or none, is `<10`, and an order that never reached 10 has no row. Today is left out: two looks at it would tell what came between.
    There are no sums, which would give the small counts away.
    """
    state_dir = load(ctx, config).settings.state_dir
    last = kept.day_of(int(time.time()) - SETTLED_SECONDS)
    shown = list(range(last - days, last))
    rows = table(state_dir, shown)
    if as_json:
        by_day = {reference: dict(zip(map(kept.text_of, shown), row, strict=True)) for reference, row in rows.items()}
        typer.echo(json.dumps({"days": [kept.text_of(day) for day in shown], "least": LEAST, "orders": by_day, "others": FEW}, indent=1))
        return
    typer.echo("Pages shown, by order and day (UTC).")
    if rows:
        width = max(len("order"), *map(len, rows))
        typer.echo("  ".join([f"{'order':<{width}}", *(kept.text_of(day) for day in shown)]))
        for reference, row in rows.items():
            typer.echo("  ".join([f"{reference:<{width}}", *(f"{cell:>10}" for cell in row)]))
        typer.echo(f"Every other order: {FEW} on each of these days.")
    else:
        typer.echo(f"Every order: {FEW} on each of these days ({kept.text_of(shown[0])} to {kept.text_of(shown[-1])}).")


def table(state_dir: Path, days: list[int]) -> dict[str, list[int | str]]:
    """What may be shown of these days, which must be over: a row for each order that reached LEAST on one of them. Raises DiskError."""
    pages = [kept.read(state_dir, day) for day in days]
    reached = sorted({reference for found in pages for reference, shown in found.items() if shown >= LEAST})
    return {reference: [final(found.get(reference, 0)) for found in pages] for reference in reached}
