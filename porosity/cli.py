"""The commands of measuring: `redhand porosity …`. Each stands in a module of its own under `porosity.commands` and is put in its place here."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from blocklists.errors import RedHandError
from porosity.commands import classify, lab, plan, probe, sql

EXTRAS = {
    "porosity": ("aioquic", "altair", "duckdb", "h2", "numpy", "pyarrow", "pyroute2", "vl_convert"),
    "vantages": ("dask", "distributed"),
}
"""What the commands need beyond the lean install, by the extra that brings it. Commands import it when they run, so that help needs none of it."""


class Measuring(TyperGroup):
    """Says what to install, when a command needs what is not there."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command called."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            extra = next((name for name, modules in EXTRAS.items() if missing in modules), None)
            if extra is None:
                raise
            raise RedHandError(f"measuring needs {missing}, which is not installed; install it with: pip install 'redhand[{extra}]'") from None


app = typer.Typer(name="porosity", cls=Measuring, no_args_is_help=True, add_completion=False, help="Measure how porous blocking is.")


@app.callback()
def _program() -> None:
    """Measure how porous blocking is: a plan, what was observed, verdicts, estimates, a report; each stage is made from the one before."""


PLANNED = "--list names.txt --canary ok.example --resolver 192.0.2.53 --control 192.0.2.9 --control 198.51.100.9"

app.command("plan", epilog=f"Example: redhand porosity plan study {PLANNED}")(plan.command)
app.command("probe", epilog="Example: redhand porosity probe study --dry-run")(probe.command)
app.command("classify", epilog="Example: redhand porosity classify study --landing 192.0.2.80")(classify.command)
app.command("sql", epilog="Example: redhand porosity sql study")(sql.command)
app.add_typer(lab.app, name="lab")
