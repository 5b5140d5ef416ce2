"""What takes two persons, by command: list, show, propose; and decide, with a token of who decides."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from authority.desk.commands.context import AsJSON, Login, TokenFile, Why, day, entered, more, nothing, printed, proved, time
from authority.desk.errors import BadField
from authority.desk.people import proposals
from authority.desk.people.kinds import KINDS
from authority.desk.web.api import proposals as shaping
from authority.desk.web.api.shapes import proposals as shapes

proposal_app = typer.Typer(no_args_is_help=True, help="What takes two persons: list, show, propose, decide.")
Id = Annotated[int, typer.Argument(metavar="ID", min=1, help="As `list` prints it.", show_default=False)]


@proposal_app.command("list", epilog="Example: redhand desk proposal list --as c.rossi")
def list_(
    context: typer.Context,
    login: Login,
    decided: Annotated[bool, typer.Option("--decided", help="Those that were decided, the newest first.")] = False,
    before: Annotated[int | None, typer.Option("--before", min=1, help="Of decided ones: where the page before ended.", show_default=False)] = None,
    as_json: AsJSON = False,
) -> None:
    """List what waits for a second person, or what was decided."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = shaping.listed(session, desk, actor, decided, before)
    if as_json:
        printed(found)
        return
    nothing(found, "nothing was decided" if decided else "nothing waits for a second person")
    for each in found:
        end = f"{each.decision} {day(each.decided_at)} by {each.decided_by}" if each.decided_at else f"waits for: {', '.join(each.confirmers)}"
        mine = "; you may decide" if each.may_decide else ""
        typer.echo(f"{each.id}  {each.kind} {each.subject}, by {each.made_by} {day(each.made_at)}: {each.why}\n    {end}{mine}")
    more("--decided --before", found[-1].id if decided and len(found) == 50 else None)


@proposal_app.command(epilog="Example: redhand desk proposal show 7 --as c.rossi")
def show(
    context: typer.Context,
    proposal: Id,
    login: Login,
    text: Annotated[bool, typer.Option("--text", help="Only the document that is proposed, whole.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Show one proposal; of a document, with what would change."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        if text:
            typer.echo(proposals.document(session, actor, proposal), nl=False)
            return
        found = shaping.shown(session, desk, actor, proposal)
    if as_json:
        printed(found)
        return
    typer.echo(f"{found.id}  {found.kind} {found.subject}")
    typer.echo(f"  proposed  {time(found.made_at)} by {found.made_by}: {found.why}")
    for name, value in found.body.items():
        if value not in ("", []):
            typer.echo(f"  {name:<9} {', '.join(map(str, value)) if isinstance(value, list) else value}")
    if found.decided_at is None:
        typer.echo(f"  waits for {', '.join(found.confirmers)}, until {day(found.good_until)}")
    else:
        typer.echo(f"  {found.decision} {time(found.decided_at)} by {found.decided_by}" + (f": {found.reason}" if found.reason else ""))
    for line in found.changes:
        typer.echo(f"  {line}")
    if found.cut:
        typer.echo(f"and more; the whole: redhand desk proposal show {found.id} --text --as {login}", err=True)


def _kinds() -> str:
    said = "; ".join(f"{name} ({', '.join(sorted(kind.fields))})" for name, kind in KINDS.items() if kind.here and name != "document")
    return f"Kinds and their fields: {said}. A document: redhand desk document propose. Evidence: redhand desk evidence."


@proposal_app.command(
    epilog=f"Example: redhand desk proposal make grant -f login=g.hill -f role=officer --why 'Takes over' --as a.martin. {_kinds()}"
)
def make(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What is proposed; see below.", show_default=False)],
    why: Why,
    login: Login,
    given: Annotated[
        list[str] | None, typer.Option("--field", "-f", metavar="NAME=TEXT", help="What it asks for; roles with commas.", show_default=False)
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Propose something. Where a code or a token follows, its half is shown only now."""
    desk, actor = entered(context, login)
    with desk.store.writing() as session:
        done = proposals.make(session, desk, actor, kind, _body(given or []), why, desk.now())
        shape = shaping.done_of(session, actor, done)
    if as_json:
        printed(shape)
        return
    said(shape, f"{desk.settings.url.rstrip('/')}/proposals/{done.proposal.id}")


@proposal_app.command(epilog="Example: redhand desk proposal decide 7 confirm --token my.token    … 7 refuse --reason 'Not them' --token my.token")
def decide(
    context: typer.Context,
    proposal: Id,
    decision: Annotated[str, typer.Argument(metavar="confirm|refuse", help="Confirming does it at once.", show_default=False)],
    token: TokenFile,
    reason: Annotated[str, typer.Option("--reason", help="Why; a refusal needs it.")] = "",
    as_json: AsJSON = False,
) -> None:
    """Confirm a proposal, which does it, or refuse it. Whose token it is decides: a login alone would prove nobody."""
    if decision not in ("confirm", "refuse"):
        raise BadField("decision", f"{decision[:20]!r} is none; write confirm or refuse")
    desk, actor = proved(context, token)
    with desk.store.writing() as session:
        done = proposals.decide(session, desk, actor, proposal, decision == "confirm", reason, desk.now())
        shape = shaping.done_of(session, actor, done)
    if as_json:
        printed(shape)
        return
    typer.echo(f"proposal {proposal} is {shape.proposal.decision}")
    if shape.shown:
        typer.echo(f"shown only now: {shape.shown}")


def said(done: shapes.Done, place: str) -> None:
    """What became of it, and who must agree."""
    typer.echo(f"proposal {done.proposal.id}: one of {', '.join(done.proposal.confirmers)} confirms it at {place}")
    if done.shown:
        typer.echo(f"first half of {done.proposal.subject}'s code, shown only now: {done.shown}")


def _body(given: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for each in given:
        name, mark, text = each.partition("=")
        if not mark or name in body:
            raise BadField("field", f"{each[:60]!r} is none; write each once, as NAME=TEXT")
        body[name] = [one.strip() for one in text.split(",")] if name == "roles" else _number(text) if name == "days" else text
    return body


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadField("days", f"{text[:20]!r} is no number of days")
    return int(text)
