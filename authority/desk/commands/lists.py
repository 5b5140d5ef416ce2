"""Lists, by command: queues and what they hold, search, what can be done with a case now, files of referrals."""

from __future__ import annotations

from typing import Annotated

import typer

from authority.desk import imports, queues, reading
from authority.desk.commands.cases import case_app
from authority.desk.commands.context import AsJSON, Login, Number, entered, more, nothing, printed, time
from authority.desk.web.api import cases as shaping
from authority.desk.web.api.shapes import cases as shapes
from authority.desk.web.api.shapes import referrals as referred


@case_app.command("list", epilog="Example: redhand desk case list --queue overdue --as d.novak")
def list_(
    context: typer.Context,
    login: Login,
    queue: Annotated[str, typer.Option("--queue", help=f"One of {', '.join(queues.QUEUES)}.")] = "new",
    after: Annotated[str, typer.Option("--after", help="Where the page before ended.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Cases on the page.")] = queues.LIMIT,
    as_json: AsJSON = False,
) -> None:
    """List a queue."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = queues.page(session, actor, queue, desk.now(), after, limit)
    rows = shapes.Rows(cases=[shapes.Row.model_validate(row) for row in found.rows], after=found.after)
    if as_json:
        printed(rows)
        return
    nothing(rows.cases, f"no case is in the queue {queue}")
    for row in rows.cases:
        _row(row)
    more("--after", found.after)


@case_app.command("queues", epilog="Example: redhand desk case queues --as d.novak")
def queues_(context: typer.Context, login: Login, as_json: AsJSON = False) -> None:
    """Count the cases of each queue."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = queues.counts(session, actor, desk.now())
    if as_json:
        printed(found)
        return
    for name, number in found.items():
        typer.echo(f"{name:<14} {number}")


@case_app.command(epilog="Example: redhand desk case search www.site.example --as d.novak")
def search(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A number, an order, a reference, or a name.", show_default=False)],
    login: Login,
    as_json: AsJSON = False,
) -> None:
    """Find cases. What is searched for is logged."""
    desk, actor = entered(context, login)
    found = shaping.hits(desk, actor, text)
    if as_json:
        printed(found)
        return
    nothing(found, f"no case is found by {text[:80]}")
    for hit in found:
        _row(hit.case, f"  by {hit.by}: {hit.found}")


@case_app.command("steps", epilog="Example: redhand desk case steps 2026-000123 --as d.novak")
def steps_(context: typer.Context, number: Number, login: Login, as_json: AsJSON = False) -> None:
    """Show what you can do with a case now: steps with their details, and orders that may be drafted. That it was read is logged."""
    desk, actor = entered(context, login)
    found = shaping.forms_of(desk, actor, reading.opened(desk, actor, number))
    if as_json:
        printed(found)
        return
    for form in found.forms:
        typer.echo(f"{form.step}: {form.title}" + (f". {form.says}" if form.says else ""))
        for field in form.fields:
            choices = f", one of {', '.join(each.value for each in field.choices)}" if field.choices else ""
            hint = f". {field.hint}" if field.hint else ""
            typer.echo(f"    -d {field.name}=…  {field.label} ({field.kind}{choices}{'' if field.needed else '; may be left out'}){hint}")
    if found.drafts:
        typer.echo(f"orders to draft: {', '.join(found.drafts)}")
    if found.missing:
        typer.echo(f"an order still lacks: {', '.join(found.missing)}")


def imports_(
    context: typer.Context,
    login: Login,
    which: Annotated[int | None, typer.Argument(metavar="[ID]", min=1, help="One of them, with its faults.", show_default=False)] = None,
    before: Annotated[int | None, typer.Option("--before", min=1, help="Where the page before ended.", show_default=False)] = None,
    after: Annotated[int, typer.Option("--after", min=0, help="Of faults: where the page before ended.")] = 0,
    as_json: AsJSON = False,
) -> None:
    """List files of referrals, the newest first; or show how far one got, and the lines that were not taken."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        if which is None:
            found = [referred.Import.model_validate(each) for each in imports.recent(session, actor, before)]
            faults = []
        else:
            actor.require("case.list")
            found = [referred.Import.model_validate(imports.find(session, which))]
            faults = [referred.Fault.model_validate(each) for each in imports.faults(session, which, after)]
    if as_json:
        if which is None:
            printed(found)
        else:
            printed({**found[0].model_dump(), "faults": [each.model_dump() for each in faults]})
        return
    nothing(found, "no file of referrals was imported")
    for each in found:
        done = f"ended {time(each.ended_at)}" if each.ended_at is not None else f"{100 * each.at_octet // max(1, each.octets)} % read"
        typer.echo(f"{each.id}  {each.label}, by {each.made_by} {time(each.made_at)}: {done}")
        typer.echo(f"    {each.taken} cases opened, {each.joined} joined, {each.again} sent before, {each.bad} lines not taken")
    for fault in faults:
        typer.echo(f"line {fault.line}: {fault.reason}")
    more("--after", faults[-1].id if len(faults) == 200 else None)
    more("--before", found[-1].id if which is None and len(found) == 50 else None)


def _row(row: shapes.Row, said: str = "") -> None:
    marks = "".join(f"  {word}" for word, on in (("THREAT TO LIFE", row.urgent), ("emergency", row.emergency)) if on)
    due = f"  due {time(row.due_at)}" if row.due_at is not None else ""
    typer.echo(f"{row.number}  {row.state}  {row.title}  {row.category or '-'}{due}{marks}{said}")
