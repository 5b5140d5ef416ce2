"""Rules and lists, by command: what is in force, what was, and proposing another version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from authority.desk import documents
from authority.desk.commands.context import AsJSON, Login, Why, entered, more, printed, time
from authority.desk.commands.proposals import said
from authority.desk.desk import KINDS
from authority.desk.errors import BadField
from authority.desk.people import proposals
from authority.desk.web.api import documents as shaping
from authority.desk.web.api import proposals as proposing
from authority.places import read

document_app = typer.Typer(no_args_is_help=True, help="Rules and lists: what is in force, what was, propose another version.")
Kind = Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.", show_default=False)]


@document_app.command("list", epilog="Example: redhand desk document list --as d.novak")
def list_(context: typer.Context, login: Login, as_json: AsJSON = False) -> None:
    """List what is in force."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = shaping.in_force(session, actor)
    if as_json:
        printed(found)
        return
    for each in found:
        begun = "what a new desk begins with" if documents.kind_of(each.kind) in documents.BEGINS else "none yet"
        typer.echo(f"{each.kind:<15} {f'version {each.version} since {time(each.made_at)}' if each.version else begun}")


@document_app.command(epilog="Example: redhand desk document show procedure --as d.novak > procedure.yaml")
def show(
    context: typer.Context,
    kind: Kind,
    login: Login,
    version: Annotated[int | None, typer.Option("--version", min=0, help="By default the one in force.", show_default=False)] = None,
) -> None:
    """Print one, as it is or was."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        text, _ = documents.text(session, actor, documents.kind_of(kind), version)
    typer.echo(text, nl=False)


@document_app.command(epilog="Example: redhand desk document versions procedure --as d.novak")
def versions(
    context: typer.Context,
    kind: Kind,
    login: Login,
    before: Annotated[int | None, typer.Option("--before", min=1, help="Where the page before ended.", show_default=False)] = None,
    as_json: AsJSON = False,
) -> None:
    """List the versions of one, the newest first, with the proposal that each was."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = shaping.shown(session, actor, documents.kind_of(kind), before, 50)
    if as_json:
        printed(found)
        return
    for each in found.versions:
        typer.echo(f"{each.number}  since {time(each.made_at)}  proposal {each.proposal_id or '-'}  {each.digest}")
    if not found.versions:
        typer.echo(f"{kind}: nobody has decided a version of it")
    more("--before", found.before)


@document_app.command(epilog="Example: redhand desk document propose protected protected.txt --why 'Hospitals of the south' --as a.martin")
def propose(
    context: typer.Context,
    kind: Kind,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The whole of it, in UTF-8.", show_default=False)],
    why: Why,
    login: Login,
    follows: Annotated[int | None, typer.Option("--follows", min=0, help="Refuse unless this version is in force.", show_default=False)] = None,
    as_json: AsJSON = False,
) -> None:
    """Propose another version. An officer or the reviewer agrees, and is shown what would change."""
    desk, actor = entered(context, login)
    try:
        text = read(file, "the document").decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise BadField(str(file), "it is not UTF-8") from None
    body = {"kind": documents.kind_of(kind), "body": text, **({} if follows is None else {"follows": follows})}
    with desk.store.writing() as session:
        shape = proposing.done_of(session, actor, proposals.make(session, desk, actor, "document", body, why, desk.now()))
    if as_json:
        printed(shape)
        return
    said(shape, f"{desk.settings.url.rstrip('/')}/proposals/{shape.proposal.id}")
