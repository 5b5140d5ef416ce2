"""The commands of measuring: `redhand porosity …`. Each stands in a module of its own under `porosity.commands` and is put in its place here."""

from __future__ import annotations

import typer

app = typer.Typer(name="porosity", no_args_is_help=True, add_completion=False, help="Measure how porous blocking is.")


@app.callback()
def _program() -> None:
    """Measure how porous blocking is: a plan, what was observed, verdicts, estimates, a report; each stage is made from the one before."""
