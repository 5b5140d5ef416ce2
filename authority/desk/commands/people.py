"""People and tokens, by command. Who is to come or go is proposed here, and confirmed by another person at the desk."""

from __future__ import annotations

from typing import Annotated

import typer

from authority.desk.commands.context import AsJSON, Login, Why, day, entered, nothing, printed
from authority.desk.commands.proposals import said
from authority.desk.people import accounts, proposals, tokens
from authority.desk.web.api import people as shaping
from authority.desk.web.api import proposals as proposing
from authority.desk.web.api.shapes import people as shapes

person_app = typer.Typer(no_args_is_help=True, help="List who works here; propose somebody.")
token_app = typer.Typer(no_args_is_help=True, help="Make, list and end tokens of programs.")


@person_app.command("list", epilog="Example: redhand desk person list --as a.martin")
def person_list(context: typer.Context, login: Login, as_json: AsJSON = False) -> None:
    """List people, with their roles."""
    desk, actor = entered(context, login)
    found: list[shapes.Person] = []
    after = ""
    with desk.store.reading() as session:
        while True:
            page = shaping.people(session, actor, after, 200)
            found += page.people
            if page.after is None:
                break
            after = page.after
    if as_json:
        printed(found)
        return
    for each in found:
        _line(each)


@person_app.command("show", epilog="Example: redhand desk person show g.hill --as c.rossi")
def person_show(
    context: typer.Context,
    who: Annotated[str, typer.Argument(metavar="LOGIN", help="Whom; yourself, too.", show_default=False)],
    login: Login,
    as_json: AsJSON = False,
) -> None:
    """Show one person, and what is proposed about them; your own account, whoever you are."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        if who == actor.name:
            account = shaping.account_of(accounts.find(session, who))
            found = shapes.Known(**account.model_dump(exclude={"language"}), proposals=shaping.about(session, actor, who, desk.now()))
        else:
            found = shaping.known(session, desk, actor, who)
    if as_json:
        printed(found)
        return
    _line(found)
    typer.echo(f"  mail {found.email or '-'}; signs in by {' and '.join(found.signs_in_by) or 'nothing yet'}; here since {day(found.made_at)}")
    for each in found.proposals:
        typer.echo(f"  proposal {each.id}: {each.kind}, by {each.made_by}: {each.why}")


@person_app.command("offices", epilog="Example: redhand desk person offices --as a.martin")
def person_offices(context: typer.Context, login: Login, as_json: AsJSON = False) -> None:
    """List the offices of the signed policy, and who holds their keys."""
    desk, actor = entered(context, login)
    found = shaping.all_offices(desk, actor)
    if as_json:
        printed(found)
        return
    for each in found:
        typer.echo(f"{each.id}  {each.role}  {each.person}" + (f"  {each.authority}" if each.authority else ""))


@person_app.command("change", epilog="Example: redhand desk person change --email d.novak@authority.example --language fr --as d.novak")
def person_change(
    context: typer.Context,
    login: Login,
    email: Annotated[str | None, typer.Option("--email", help="Where you are written to.", show_default=False)] = None,
    language: Annotated[str | None, typer.Option("--language", help="Of pages and mail: en or fr.", show_default=False)] = None,
    as_json: AsJSON = False,
) -> None:
    """Change your own mail address and language. All else about a person is proposed: redhand desk proposal make."""
    desk, actor = entered(context, login)
    with desk.store.writing() as session:
        person = accounts.find(session, login)
        email, language = (person.email if email is None else email.strip()), (person.language if language is None else language)
        found = shaping.account_of(accounts.change_own(session, actor, email, language, desk.now()))
    if as_json:
        printed(found)
        return
    typer.echo(f"{login}: mail {found.email or '-'}, language {found.language or 'as the browser asks'}")


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
    as_json: AsJSON = False,
) -> None:
    """Propose a new person. Another confirms it at the desk; each is shown one half of the code by which the new person comes to a password."""
    desk, actor = entered(context, login)
    body = {"login": new, "name": name, "roles": role, "email": email, "office": office, "operator": operator, "subject": subject}
    with desk.store.writing() as session:
        done = proposing.done_of(session, actor, proposals.make(session, desk, actor, "person", body, why, desk.now()))
    if as_json:
        printed(done)
        return
    said(done, f"{desk.settings.url.rstrip('/')}/proposals/{done.proposal.id}")


@token_app.command("make", epilog="Example: redhand desk token make --label 'nightly export' --days 90 --as a.martin")
def token_make(
    context: typer.Context,
    label: Annotated[str, typer.Option("--label", help="What it is for.", show_default=False)],
    login: Login,
    days: Annotated[int, typer.Option("--days", min=1, max=tokens.MOST_DAYS, help="How long it is good for.")] = 90,
    as_json: AsJSON = False,
) -> None:
    """Make a token with which a program does what its person may. A flagger's is proposed and confirmed at the desk."""
    desk, actor = entered(context, login)
    with desk.store.writing() as session:
        made = tokens.make(session, actor, label, days, desk.now())
    if as_json:
        printed(shapes.Made(**shaping.token_of(made.row).model_dump(), token=made.token))
        return
    typer.echo(f"token {made.row.id} of {login}, good until {day(made.row.ends_at)}; it is shown only now:", err=True)
    typer.echo(made.token)


@token_app.command("list", epilog="Example: redhand desk token list --as a.martin")
def token_list(context: typer.Context, login: Login, as_json: AsJSON = False) -> None:
    """List the person's tokens; for an administrator and the auditor, trusted flaggers' too."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        rows = tokens.of_person(session, actor.person or 0, desk.now())
        if actor.may("person.manage") or actor.may("audit.read"):
            rows += tokens.of_flaggers(session, desk.now())
        found = [shaping.token_of(each) for each in rows]
    if as_json:
        printed(found)
        return
    nothing(found, f"{login} has no token that holds")
    for each in found:
        typer.echo(f"{each.id}  {each.flagger or login}  {each.label}  until {day(each.ends_at)}")


@token_app.command("end", epilog="Example: redhand desk token end 7 --as a.martin")
def token_end(
    context: typer.Context,
    token: Annotated[int, typer.Argument(metavar="ID", help="As `list` prints it.", show_default=False)],
    login: Login,
    as_json: AsJSON = False,
) -> None:
    """End a token at once: your own; for an administrator, a flagger's."""
    desk, actor = entered(context, login)
    with desk.store.writing() as session:
        row = shaping.token_of(tokens.end(session, actor, token, desk.now()))
    if as_json:
        printed(row)
        return
    typer.echo(f"token {row.id} ({row.label}) is taken no more")


def _line(each: shapes.Person) -> None:
    office = f", office {each.office}" if each.office else ""
    operator = f", of {each.operator}" if each.operator else ""
    ended = f"; left {day(each.ended_at)}" if each.ended_at is not None else ""
    typer.echo(f"{each.login}  {each.name}  {', '.join(sorted(each.roles)) or 'no role'}{office}{operator}{ended}")
