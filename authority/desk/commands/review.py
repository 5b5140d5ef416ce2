"""What is looked at again, by command: the reviewer's view of every order, appeals, visitors' reports of errors."""

from __future__ import annotations

from typing import Annotated

import typer

from authority.desk import error_reports, reviewing
from authority.desk.commands.context import AsJSON, Limit, Login, entered, more, nothing, printed, time
from authority.desk.web.api import review as shaping
from authority.desk.web.api.shapes import review as shapes

review_app = typer.Typer(no_args_is_help=True, help="The reviewer's view: every order, emergencies, recommendations.")
appeal_app = typer.Typer(no_args_is_help=True, help="List and show appeals; they are decided by a step of the case.")
report_app = typer.Typer(no_args_is_help=True, help="List, show and answer visitors' reports of errors.")


@review_app.command(epilog="Example: redhand desk review orders --waiting --as f.dubois")
def orders(
    context: typer.Context,
    login: Login,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that are neither published nor dropped.")] = False,
    before: Annotated[int | None, typer.Option("--before", min=1, help="Where the page before ended.", show_default=False)] = None,
    limit: Limit = reviewing.LIMIT,
    as_json: AsJSON = False,
) -> None:
    """List every order of every case, the newest first."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = shaping.all_orders(session, actor, before, waiting, limit)
    if as_json:
        printed(found)
        return
    nothing(found.orders, "there is no such order")
    for each in found.orders:
        typer.echo(f"{each.order_id}  {each.what}  {each.at}  case {each.case} ({each.state})  {each.title}\n    {each.digest}")
    more("--before", found.before)


@review_app.command(epilog="Example: redhand desk review emergencies --as f.dubois")
def emergencies(context: typer.Context, login: Login, limit: Limit = reviewing.LIMIT, as_json: AsJSON = False) -> None:
    """List cases whose order lapses unless the reviewer confirms it."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = [shaping.row_of(each) for each in reviewing.emergencies(session, actor, limit)]
    if as_json:
        printed(found)
        return
    nothing(found, "no emergency waits for a confirmation")
    for each in found:
        typer.echo(f"{each.number}  {each.state}  {each.title}  due {time(each.due_at)}")


@review_app.command(epilog="Example: redhand desk review recommendations --as f.dubois")
def recommendations(context: typer.Context, login: Login, limit: Limit = reviewing.LIMIT, as_json: AsJSON = False) -> None:
    """List recommendations that nobody has answered. They are made and answered by steps of the case."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = shaping.unanswered(session, actor, limit)
    if as_json:
        printed(found)
        return
    nothing(found, "no recommendation waits for an answer")
    for each in found:
        typer.echo(f"{each.id}  case {each.case}  due {time(each.due_at)}, by {each.made_by}: {each.why}")


@appeal_app.command("list", epilog="Example: redhand desk appeal list --as d.novak")
def appeals(
    context: typer.Context,
    login: Login,
    after: Annotated[str, typer.Option("--after", help="Where the page before ended.")] = "",
    limit: Limit = 50,
    as_json: AsJSON = False,
) -> None:
    """List appeals that nobody has decided, the oldest first."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = shaping.objections(session, actor, after, limit)
    if as_json:
        printed(found)
        return
    nothing(found.appeals, "no appeal waits for a decision")
    for each in found.appeals:
        typer.echo(f"{each.reference}  case {each.case.number}  {each.case.title}  from {each.standing}  due {time(each.due_at)}")
    more("--after", found.after)


@appeal_app.command("show", epilog="Example: redhand desk appeal show ABCD-EFGH-JKLM-NPQR --as d.novak")
def appeal(
    context: typer.Context,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="As `list` prints it.", show_default=False)],
    login: Login,
    as_json: AsJSON = False,
) -> None:
    """Show one appeal, and its answer. That its case was read is logged."""
    desk, actor = entered(context, login)
    found = shaping.appealed(desk, actor, reference)
    if as_json:
        printed(found)
        return
    typer.echo(f"{found.reference}  case {found.case}  filed {time(found.filed_at)} by {found.standing}  {found.contact}\n{found.words}")
    if found.decided_at is None:
        typer.echo(f"due {time(found.due_at)}; decide it: redhand desk case step {found.case} decide_appeal -d appeal={found.reference} …")
    else:
        typer.echo(f"{found.decision} {time(found.decided_at)}: {found.answer}")


@report_app.command("list", epilog="Example: redhand desk report list --as d.novak")
def reports(context: typer.Context, login: Login, limit: Limit = error_reports.SHOWN, as_json: AsJSON = False) -> None:
    """List orders that visitors report an error of, those that wait longest first."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = shaping.reported(session, actor, limit)
    if as_json:
        printed(found)
        return
    nothing(found.orders, "no report waits for an answer")
    for each in found.orders:
        where = f"case {each.case}, due {time(each.due_at)}" if each.case else "no case here"
        typer.echo(f"{each.order_id}  {each.number} since {time(each.since)}, to all-{each.last}  {where}")


OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="The order's public id.", show_default=False)]


@report_app.command("show", epilog="Example: redhand desk report show 2026-000012 --as d.novak")
def report(context: typer.Context, order: OrderId, login: Login, as_json: AsJSON = False) -> None:
    """Show the reports about one order. Where it has a case, that it was read is logged."""
    desk, actor = entered(context, login)
    found = shaping.about_order(desk, actor, order)
    if as_json:
        printed(found)
        return
    for each in found:
        state = f"{each.decision}: {each.answer}" if each.decided_at is not None else "waits"
        typer.echo(f"{each.reference}  {each.name}  {time(each.taken_at)} by way of {each.operator}  {each.contact}\n    {each.words}\n    {state}")


@report_app.command(epilog="Example: redhand desk report answer 2026-000012 all-17 --decision upheld --answer 'It is right.' --as d.novak")
def answer(
    context: typer.Context,
    order: OrderId,
    which: Annotated[str, typer.Argument(metavar="WHICH", help="A reference; or all- and the number that `list` prints.", show_default=False)],
    decision: Annotated[str, typer.Option("--decision", help=f"One of {', '.join(error_reports.DECISIONS)}.", show_default=False)],
    text: Annotated[str, typer.Option("--answer", help="To who reported it; public to whoever knows a reference.", show_default=False)],
    login: Login,
    language: Annotated[str, typer.Option("--language", help=f"Of the answer: {', '.join(error_reports.LANGUAGES)}.")] = "en",
    as_json: AsJSON = False,
) -> None:
    """Answer reports about an order that no case here made; of a case's: redhand desk case step CASE answer_report."""
    desk, actor = entered(context, login)
    with desk.store.writing() as session:
        rows = error_reports.answer_without_case(session, desk, actor, order, which, decision, text, language, desk.now())
    if as_json:
        printed(shapes.Answered(reports=len(rows)))
        return
    typer.echo(f"{len(rows)} answered: {decision}")
