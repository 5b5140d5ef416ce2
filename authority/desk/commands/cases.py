"""Referrals and cases, by command: refer, import, list, show, take a step, say what the order will say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import BaseModel
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import select

from authority.desk import appeals, clocks, delivery, error_reports, facts, imports, ordering, reading, recommendations, referrals, steps
from authority.desk.commands.context import AsJSON, Login, Number, Why, entered, printed, time
from authority.desk.errors import BadField
from authority.desk.tables import Event
from authority.desk.tables import Import as Row
from authority.desk.web import acts
from authority.desk.web.api import cases as shaping
from authority.desk.web.api import orders as ordering_shapes
from authority.desk.web.api import review
from authority.desk.web.api.shapes import cases as shapes
from authority.desk.web.api.shapes.referrals import Fault, Import, Taken
from authority.desk.web.api.shapes.review import Report
from authority.desk.web.forms import FORMS
from authority.places import read

case_app = typer.Typer(no_args_is_help=True, help="List and show cases; take a step; say what the order will say.")
Version = Annotated[
    int | None, typer.Option("--version", help="Refuse if the case has taken a step since it was at this version.", show_default=False)
]


def refer(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Names of sites, or addresses of pages.", show_default=False)],
    login: Login,
    words: Annotated[str, typer.Option("--words", help="What was seen.")] = "",
    category: Annotated[str, typer.Option("--category", help="What it seems to be.")] = "",
    contact: Annotated[str, typer.Option("--contact", help="Mail address of who told us.")] = "",
    threat: Annotated[bool, typer.Option("--threat", help="A life is in danger now.")] = False,
    key: Annotated[str, typer.Option("--key", help="Your own name of it: sent twice, it is taken once.")] = "",
    why: Annotated[str, typer.Option("--why", help="Why; it stands in the timeline.")] = "",
    as_json: AsJSON = False,
) -> None:
    """Refer something: it opens a case, or joins the one that is open for the same name."""
    desk, actor = entered(context, login)
    given = referrals.Given(tuple(names), " ".join(each for each in names if "/" in each), category, words, contact, threat)
    with desk.store.writing() as session:
        taken = referrals.take(session, desk, actor, given, desk.now(), source="officer", key=key or None, why=why)
    if as_json:
        printed(Taken(reference=taken.reference, case=taken.number, joined=taken.joined, again=taken.again))
        return
    said = "was sent before" if taken.again else "joined" if taken.joined else "opened"
    typer.echo(f"case {taken.number} ({said}), reference {taken.reference}")


def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Its first line names the columns; see below.", show_default=False)],
    login: Login,
    label: Annotated[str, typer.Option("--label", help="What it is; by default the file's name.")] = "",
    as_json: AsJSON = False,
) -> None:
    """Import referrals from a CSV file.

    Columns: names (blanks or | between them) or location; category, words, contact, threat, key. Started again, it goes on where it stopped.
    """
    desk, actor = entered(context, login)
    begun = imports.begin(desk, actor, file, label or file.name, desk.now())
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("lines", total=begun.octets, completed=begun.at_octet)

        def progress(row: Row) -> None:
            shown.update(task, completed=row.at_octet, description=f"{max(row.at_line - 1, 0)} lines")

        done = imports.go_on(desk, begun.id, desk.now(), progress)
    with desk.store.reading() as session:
        bad = imports.faults(session, done.id)
    if as_json:
        printed({**Import.model_validate(done).model_dump(), "faults": [Fault.model_validate(each).model_dump() for each in bad]})
        raise typer.Exit(1 if done.bad else 0)
    typer.echo(f"import {done.id}: {done.taken} cases opened, {done.joined} joined, {done.again} sent before, {done.bad} lines not taken")
    for each in bad:
        typer.echo(f"line {each.line}: {each.reason}", err=True)
    if done.bad > len(bad):
        typer.echo(f"and {done.bad - len(bad)} more: redhand desk imports {done.id} --as {login}", err=True)
    if done.bad:
        raise typer.Exit(1)


@case_app.command(epilog="Example: redhand desk case show 2026-000123 --as d.novak")
def show(context: typer.Context, number: Number, login: Login, as_json: AsJSON = False) -> None:
    """Show a case: where it stands, its clocks, orders and timeline. That it was read is logged."""
    desk, actor = entered(context, login)
    case = reading.opened(desk, actor, number)
    shape = shaping.shown(desk, actor, case)
    with desk.store.reading() as session:
        orders, waiting = ordering.orders_of(session, case), delivery.by_hand(session, case)
        events = list(session.scalars(select(Event).where(Event.case_id == case.id).order_by(Event.number)))
        objected, reported = appeals.of_case(session, case), error_reports.of_case(session, case)
        recommended, referred = recommendations.of_case(session, case), referrals.of_case(session, case)
        if as_json:
            rooms: dict[str, Sequence[BaseModel]] = {
                "orders": [ordering_shapes.shape(each, number) for each in orders],
                "events": [shapes.Event.model_validate(each) for each in events],
                "referrals": [shapes.Referral.model_validate(each) for each in referred],
                "objections": [review.appeal_of(session, each, case) for each in objected],
                "reports": [Report.model_validate(each) for each in reported],
                "recommendations": [review.recommendation(each, case) for each in recommended],
                "messages": [shapes.Message.model_validate(each) for each in delivery.of_case(session, case)],
                "times": [shapes.Took.model_validate(each) for each in clocks.took(session, case, desk.now())],
            }
            printed({**shape.model_dump(), **{name: [each.model_dump() for each in found] for name, found in rooms.items()}})
            return
    typer.echo(f"case {case.number}, {case.state} since {time(case.state_since)}, version {case.version}")
    typer.echo(f"  names     {', '.join(('.' if each.match == 'subtree' else '') + each.name for each in case.names)}")
    typer.echo(f"  category  {case.category or '-'}")
    for clock in (each for each in shape.clocks if each.ended_at is None):
        typer.echo(f"  clock     {clock.name}, due {time(clock.due_at)}{' OVERDUE' if clock.overdue else ''}")
    for each in orders:
        at = f"log position {each.log_index}" if each.log_index is not None else "dropped" if each.ended_at is not None else "not published"
        typer.echo(f"  order     {each.what} {each.order_id}, {at}\n            {each.digest}")
    for message in waiting:
        typer.echo(f"  message   to {message.recipient}: a file, to be posted; then take the step record_posted with -d message={message.id}")
    for appeal in objected:
        state = f"{appeal.decision}" if appeal.decided_at is not None else "not decided"
        typer.echo(f"  appeal    {appeal.reference} from {appeal.standing}, {time(appeal.filed_at)}: {state}")
    for report in reported:
        typer.echo(f"  report    {report.reference} of an error, {time(report.taken_at)}: {report.decision or 'not answered'}")
    for one in recommended:
        typer.echo(f"  reviewer  recommends withdrawal ({one.id}), due {time(one.due_at)}: {one.answer or 'not answered'}: {one.why}")
    for referral in referred:
        words = " ".join(referral.words.split())[:200]
        typer.echo(f"  referral  {referral.reference} by {referral.sender or referral.source}, {time(referral.taken_at)}: {words}")
    if shape.missing:
        typer.echo(f"  an order still lacks: {', '.join(shape.missing)}")
    for event in events:
        typer.echo(f"  {time(event.at)}  {event.step} by {event.who}: {event.why}")


def _steps() -> str:
    return "Steps and their details: " + "; ".join(
        f"{name} ({', '.join(each.name for each in form.fields)})" if form.fields else name for name, form in FORMS.items()
    )


@case_app.command(
    epilog=f"Example: redhand desk case step 2026-000123 assess -d category=terrorism -d finding='It is.' --why 'Seen' --as d.novak. {_steps()}."
)
def step(
    context: typer.Context,
    number: Number,
    name: Annotated[str, typer.Argument(metavar="STEP", help="What is done.", show_default=False)],
    why: Why,
    login: Login,
    detail: Annotated[
        list[str] | None, typer.Option("--detail", "-d", metavar="NAME=TEXT", help="What the step asks for.", show_default=False)
    ] = None,
    version: Version = None,
    as_json: AsJSON = False,
) -> None:
    """Take a step of a case; `case steps` says which."""
    desk, actor = entered(context, login)
    given = {"why": why.strip(), **({} if version is None else {"version": str(version)})}
    for each in detail or []:
        field, mark, text = each.partition("=")
        if not mark or field in given or field == "version":
            raise BadField("detail", f"{each[:60]!r} is none; write each once, as NAME=TEXT")
        given[field] = text.strip()
    acts.act(desk, actor, number, name, given)
    with desk.store.reading() as session:
        case = steps.find(session, number)
    if as_json:
        printed(shaping.shown(desk, actor, case))
        return
    typer.echo(f"case {number} is {case.state}, version {case.version}")


@case_app.command("facts", epilog="Example: redhand desk case facts 2026-000123 facts.yaml --why 'As found' --as d.novak")
def facts_(
    context: typer.Context,
    number: Number,
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="Facts: legal_basis, reasons, redress and others.", show_default=False)],
    why: Why,
    login: Login,
    version: Version = None,
    as_json: AsJSON = False,
) -> None:
    """Say what the case's next order will say: what the file names changes, null takes away."""
    desk, actor = entered(context, login)
    with desk.store.writing() as session:
        case = facts.set_facts(session, desk, actor, number, _document(file), why, desk.now(), version)
        missing = facts.missing(session, desk, case)
    if as_json:
        printed(shaping.shown(desk, actor, case))
        return
    typer.echo(f"case {number}: kept, version {case.version}" + (f"; an order still lacks: {', '.join(missing)}" if missing else ""))


def _document(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(read(file, "the facts").decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadField(str(file), f"it is no YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(found, dict):
        raise BadField(str(file), "write facts by their names, such as legal_basis: Law 1")
    return {str(name): value for name, value in found.items()}
