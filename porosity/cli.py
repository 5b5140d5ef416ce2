"""The commands of measuring: `redhand porosity …`. Each stands in a module of its own under `porosity.commands` and is put in its place here."""

from __future__ import annotations

import typer

from porosity.commands import classify, compare, estimate, export, importing, plan, probe, report, sql
from porosity.commands.extras import Measuring

app = typer.Typer(name="porosity", cls=Measuring, no_args_is_help=True, add_completion=False, help="Measure how porous blocking is.")


@app.callback()
def _program() -> None:
    """Measure how porous blocking is: a plan, what was observed, verdicts, estimates, a report; each stage is made from the one before."""


PLANNED = "--list names.txt --canary ok.example --resolver 192.0.2.53 --control 192.0.2.9 --control 198.51.100.9"

app.command("plan", epilog=f"Example: redhand porosity plan study {PLANNED}")(plan.command)
app.command("probe", epilog="Example: redhand porosity probe study --dry-run")(probe.command)
app.command("classify", epilog="Example: redhand porosity classify study --landing 192.0.2.80")(classify.command)
app.command("estimate", epilog="Example: redhand porosity estimate study --window 24")(estimate.command)
app.command("report", epilog="Example: redhand porosity report study")(report.command)
app.command("compare", epilog="Example: redhand porosity compare march june")(compare.command)
app.command("export", epilog="Example: redhand porosity export study ooni measurements.jsonl")(export.command)
app.command("import", epilog="Example: redhand porosity import study results.jsonl --vantage office")(importing.command)
app.command("sql", epilog="Example: redhand porosity sql study")(sql.command)
