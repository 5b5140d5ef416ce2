"""People and tokens, by command. Who is to come or go is proposed here, and confirmed by another person at the desk."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from authority.desk.commands.context import AsJSON, Login, Why, entered
from authority.desk.people import accounts, proposals, tokens
from authority.desk.people.sessions import roles_of

person_app = typer.Typer(no_args_is_help=True, help="List who works here; propose somebody.")
token_app = typer.Typer(no_args_is_help=True, help="Make, list and end tokens of programs.")


@person_app.command("list", epilog="Example: redhand desk person list --as a.martin")
def person_list(context: typer.Context, login: Login, as_json: AsJSON = False) -> None:
    """List people, with their roles."""
    desk, actor = entered(context, login)
    if not actor.may("audit.read"):
        actor.require("person.manage")
    found, after = [], ""
    with desk.store.reading() as session:
        while page := accounts.everybody(session, after):
            found += page
            after = page[-1].login
    rows = [
        {
            "login": each.login,
            "name": each.name,
            "roles": sorted(roles_of(each)),
            "office": each.office,
            "operator": each.operator,
            "ended_at": each.ended_at,
        }
        for each in found
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for each in found:
        office = f", office {each.office}" if each.office else ""
        ended = f"; left {_day(each.ended_at)}" if each.ended_at is not None else ""
        typer.echo(f"{each.login}  {each.name}  {', '.join(sorted(roles_of(each))) or 'no role'}{office}{ended}")


@person_app.command(
    "propose", epilog="Example: redhand desk person propose g.hill --name 'G. Hill' --role clerk --why 'Joins on Monday' --as a.martin"
)
def person_propose(
    context: typer.Context,
    new: Annotated[str, typer.Argument(metavar="LOGIN", help="The new person's login.", show_default=False)],
    name: Annotated[str, typer.Option("--name", help="As in the signed policy.", show_default=False)],
    role: Annotated[list[str], typer.Option("--role", help="May be given twice, for clerk and officer.", show_default=False)],
    why: Why,
    login: Login,
    email: Annotated[str, typer.Option("--email", help="Mail address.")] = "",
    office: Annotated[str, typer.Option("--office", help="The office whose key the person holds.")] = "",
    operator: Annotated[str, typer.Option("--operator", help="For the role operator: the provider's id in the policy.")] = "",
    subject: Annotated[str, typer.Option("--subject", help="At the house's OpenID Connect provider.")] = "",
) -> None:
    """Propose a new person. Another confirms it at the desk; each is shown one half of the code by which the new person comes to a password."""
    desk, actor = entered(context, login)
    body = {"login": new, "name": name, "roles": role, "email": email, "office": office, "operator": operator, "subject": subject}
    with desk.store.writing() as session:
        done = proposals.make(session, desk, actor, "person", body, why, desk.now())
        needed = ", ".join(sorted(proposals.confirmers(session, done.proposal)))
    typer.echo(f"proposal {done.proposal.id}: one of {needed} confirms it at {desk.settings.url.rstrip('/')}/proposals/{done.proposal.id}")
    if done.shown:
        typer.echo(f"first half of {new}'s code, shown only now: {done.shown}")


@token_app.command("make", epilog="Example: redhand desk token make --label 'nightly export' --days 90 --as a.martin")
def token_make(
    context: typer.Context,
    label: Annotated[str, typer.Option("--label", help="What it is for.", show_default=False)],
    login: Login,
    days: Annotated[int, typer.Option("--days", min=1, max=tokens.MOST_DAYS, help="How long it is good for.")] = 90,
) -> None:
    """Make a token with which a program does what its person may. A flagger's is proposed and confirmed at the desk."""
    desk, actor = entered(context, login)
    with desk.store.writing() as session:
        made = tokens.make(session, actor, label, days, desk.now())
    typer.echo(f"token {made.row.id} of {login}, good until {_day(made.row.ends_at)}; it is shown only now:", err=True)
    typer.echo(made.token)


@token_app.command("list", epilog="Example: redhand desk token list --as a.martin")
def token_list(context: typer.Context, login: Login) -> None:
    """List the person's tokens; for an administrator, flaggers' too."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = tokens.of_person(session, actor.person or 0, desk.now())
        if actor.may("person.manage"):
            found += tokens.of_flaggers(session, desk.now())
    for each in found:
        typer.echo(f"{each.id}  {each.flagger or login}  {each.label}  until {_day(each.ends_at)}")


@token_app.command("end", epilog="Example: redhand desk token end 7 --as a.martin")
def token_end(
    context: typer.Context, token: Annotated[int, typer.Argument(metavar="ID", help="As `list` prints it.", show_default=False)], login: Login
) -> None:
    """End a token at once."""
    desk, actor = entered(context, login)
    with desk.store.writing() as session:
        row = tokens.end(session, actor, token, desk.now())
    typer.echo(f"token {row.id} ({row.label}) is taken no more")


def _day(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds or 0, UTC).strftime("%Y-%m-%d")
