"""Who carried out what, by command: operators, weeks, one order, what would be owed, and the export."""

from __future__ import annotations

from typing import Annotated

import typer

from authority.desk.commands.context import AsJSON, Limit, Login, entered, more, nothing, printed, time
from authority.desk.enforcement import export as exporting
from authority.desk.enforcement import fleet as fleets
from authority.desk.enforcement import penalty as schedule
from authority.desk.errors import BadField
from authority.desk.web.api import compliance as shaping
from authority.desk.web.api.shapes import compliance as shapes

compliance_app = typer.Typer(no_args_is_help=True, help="Who carried out what: operators, weeks, orders, what would be owed, export.")
Weeks = Annotated[int, typer.Option("--weeks", min=1, max=105, help="How many back, this one too.")]
Operator = Annotated[str, typer.Argument(metavar="OPERATOR", help="The provider's id in the policy.", show_default=False)]
LATEST = 1 << 33


@compliance_app.command(epilog="Example: redhand desk compliance fleet --as d.novak")
def fleet(context: typer.Context, login: Login, weeks: Weeks = 4, as_json: AsJSON = False) -> None:
    """List operators, those to look at first."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = [shaping.standing(each) for each in fleets.fleet(session, actor, desk.now(), weeks)]
    if as_json:
        printed(found)
        return
    nothing(found, "no operator is known here yet")
    for each in found:
        block, lift = _sums(each.block), _sums(each.lift)
        away = f"; left {time(each.left_at)}" if each.left_at is not None else ""
        typer.echo(f"{each.operator}  {each.name}  silent {each.silent}, withheld {each.withheld}, behind {each.behind}{away}")
        typer.echo(f"    blocks {block}; restorings {lift}; last receipt {time(each.taken_at or None)}")


@compliance_app.command(epilog="Example: redhand desk compliance scoreboard --weeks 13 --as d.novak")
def scoreboard(context: typer.Context, login: Login, weeks: Weeks = 4, as_json: AsJSON = False) -> None:
    """Rank operators by what share of all that was owed they did in time, then by how fast."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = [shaping.place(each) for each in fleets.scoreboard(fleets.fleet(session, actor, desk.now(), weeks))]
    if as_json:
        printed(found)
        return
    nothing(found, "no operator owed anything in that time")
    for each in found:
        typer.echo(f"{each.operator}  {_percent(each.share)} of {each.owed} in time  {each.name}")


@compliance_app.command("weeks", epilog="Example: redhand desk compliance weeks --weeks 13 --as d.novak")
def weeks_(
    context: typer.Context,
    login: Login,
    weeks: Weeks = 13,
    operator: Annotated[str, typer.Option("--operator", help="Only this one.")] = "",
    as_json: AsJSON = False,
) -> None:
    """What fell due week by week, the oldest first; the last week is not over."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = [shaping.week(each) for each in fleets.weeks(session, actor, desk.now(), weeks, operator or None)]
    if as_json:
        printed(found)
        return
    for each in found:
        typer.echo(f"from {time(each.begins_at)}  blocks {_sums(each.block)}; restorings {_sums(each.lift)}")


@compliance_app.command("operator", epilog="Example: redhand desk compliance operator isp-1 --show overdue --as d.novak")
def operator_(
    context: typer.Context,
    operator: Operator,
    login: Login,
    show: Annotated[str, typer.Option("--show", help=f"One of {', '.join(fleets.SHOWS)}.")] = "all",
    after: Annotated[str, typer.Option("--after", help="Where the page before ended.")] = "",
    limit: Limit = 50,
    as_json: AsJSON = False,
) -> None:
    """List what one operator had to do, the latest due first."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        rows, following = fleets.listed(session, actor, operator, show, desk.now(), after, limit)
        found = shapes.Obligations(rows=shaping.obliged(rows), after=following)
    if as_json:
        printed(found)
        return
    nothing(found.rows, "there is nothing in this list")
    for each in found.rows:
        _row(each)
    more("--after", found.after)


@compliance_app.command(epilog="Example: redhand desk compliance order 12 --as d.novak")
def order(
    context: typer.Context,
    index: Annotated[int, typer.Argument(metavar="POSITION", min=0, help="The order's position in the log.", show_default=False)],
    login: Login,
    as_json: AsJSON = False,
) -> None:
    """Who carried out the order at a log position, and those before and after it under its id."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = [each for _, rows in fleets.order(session, actor, index, desk.now()) for each in shaping.obliged(rows)]
    if as_json:
        printed(found)
        return
    nothing(found, "no operator owes this order anything")
    for each in found:
        _row(each)


@compliance_app.command(epilog="Example: redhand desk compliance penalty isp-1 --month 2026-11 --as d.novak")
def penalty(
    context: typer.Context,
    operator: Operator,
    login: Login,
    month: Annotated[str, typer.Option("--month", help="Such as 2026-11; by default this one.")] = "",
    as_json: AsJSON = False,
) -> None:
    """What an operator would owe for what was due in one month, with its working. It decides nothing."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = shaping.owed(session, desk, actor, operator, month)
    if as_json:
        printed(found)
        return
    for each in found.worked:
        typer.echo(f"{each.row.order_id} (log position {each.row.log_index}): {schedule.money(each.amount, found.currency)}")
        for line in each.working:
            typer.echo(f"    {line}")
    typer.echo(f"{operator}, {found.month}: {schedule.money(found.total, found.currency)}" + (f"; {found.more} not shown" if found.more else ""))


@compliance_app.command(epilog="Example: redhand desk compliance export --form csv --as d.novak > compliance.csv")
def export(
    context: typer.Context,
    login: Login,
    operator: Annotated[str, typer.Option("--operator", help="Only this one.")] = "",
    begin: Annotated[int, typer.Option("--begin", min=0, max=LATEST, help="Due from then, in unix seconds.")] = 0,
    end: Annotated[int, typer.Option("--end", min=0, max=LATEST, help="Due before then, in unix seconds.")] = LATEST,
    form: Annotated[str, typer.Option("--form", help="json or csv.")] = "json",
) -> None:
    """Print all rows, with what would be owed."""
    if form not in ("json", "csv"):
        raise BadField("form", f"{form[:20]!r} is none; take json or csv")
    desk, actor = entered(context, login)
    rows = exporting.documents(desk, actor, begin, end, desk.now(), operator or None)
    for piece in exporting.as_csv(rows) if form == "csv" else exporting.as_json(rows):
        typer.echo(piece, nl=False)


def _row(each: shapes.Obliged) -> None:
    done = f"done {time(each.taken_at)}" if each.taken_at is not None else f"received {time(each.received_at)}"
    which = f"{each.order_id} {each.action} ({each.kind}), log position {each.log_index}"
    typer.echo(f"{each.operator}  {which}  due {time(each.due_at)}  {done}  {each.state}")
    for said in each.exceptions:
        typer.echo(f"    {said.get('what')}: {said.get('why')}")


def _sums(found: shapes.Sums) -> str:
    return f"{found.applied} in time, {found.late} late, {found.missed} missed, {found.open} open"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{int(share * 1000) / 10:g} %"  # never up: 99.97 % is not all
