"""What the desk's commands are given, and who acts by them.

Whoever may run them may read and write the database itself: they ask for no password, and write down as whom they were run, by which command. What
takes two persons is decided with a token of who decides: each proves who they are, as at the desk and by the API.

With `--json` they print what the API answers, so that one reader is enough for both.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from authority.desk import audit, migrations
from authority.desk.desk import Desk
from authority.desk.errors import DeskError
from authority.desk.people import accounts, tokens
from authority.desk.people.sessions import actor_of
from authority.desk.roles import SETUP, Actor
from authority.desk.settings import DeskSettings
from authority.places import read

Login = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Who does it, as the audit log will say.", show_default=False)]
Why = Annotated[str, typer.Option("--why", help="Why; it stands in the timeline and in the audit log.", show_default=False)]
Number = Annotated[str, typer.Argument(metavar="CASE", help="The case's number, such as 2026-000123.", show_default=False)]
Digest = Annotated[str, typer.Argument(metavar="DIGEST", help="The order's digest, sha256:…, as `case show` prints it.", show_default=False)]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TokenFile = Annotated[
    Path, typer.Option("--token", metavar="FILE", help="A file with a token of who does it; - reads standard input.", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Lines at most.")]


@dataclass(frozen=True)
class Setting:
    """The section `desk` of the settings, and where its relative paths start."""

    settings: DeskSettings
    base: Path


def setting(context: typer.Context) -> Setting:
    """What the front door loaded."""
    found = context.find_object(Setting)
    if found is None:
        raise DeskError("no settings were loaded; run: redhand desk …")
    return found


def opened(context: typer.Context, *, current: bool = True) -> Desk:
    """The desk, closed when the command ends. Raises DeskError, also for a database of another version unless `current` is False."""
    given = setting(context)
    desk = Desk(given.settings, given.base)
    context.call_on_close(desk.close)
    if current:
        migrations.require_current(desk.store)
    return desk


def entered(context: typer.Context, login: str) -> tuple[Desk, Actor]:
    """The desk, and who acts. Raises as `opened` and `actor`."""
    desk = opened(context)
    return desk, actor(desk, login, context.command_path)


def actor(desk: Desk, login: str, command: str) -> Actor:
    """Who acts. That it was by a command on the server is in the audit log first. Raises NotFound, Conflict for who works here no more."""
    with desk.store.writing() as session:
        person = accounts.active(session, login)
        audit.record(session, SETUP, "command", f"person:{login}", desk.now(), command=command)
        return replace(actor_of(person), way="command")


def proved(context: typer.Context, file: Path) -> tuple[Desk, Actor]:
    """The desk, and whose token the file holds. Raises as `opened`; DeskError for a token that is none, or has ended."""
    desk = opened(context)
    text = sys.stdin.read() if str(file) == "-" else read(file, "the token").decode("ascii", "replace")
    with desk.store.writing() as session:
        found = tokens.find(session, text.strip(), desk.now())
        if found is None:
            raise DeskError(f"{file} has no token that holds; make one on the page of the account, or: redhand desk token make")
        audit.record(session, SETUP, "command", f"person:{found.actor.name}", desk.now(), command=context.command_path)
        return desk, replace(found.actor, way=f"command, {found.actor.way}")


def printed(found: BaseModel | Sequence[BaseModel] | Mapping[str, Any]) -> None:
    """As JSON."""
    said: Any
    if isinstance(found, BaseModel):
        said = found.model_dump(mode="json")
    else:
        said = found if isinstance(found, Mapping) else [each.model_dump(mode="json") for each in found]
    typer.echo(json.dumps(said, ensure_ascii=False, indent=1))


def nothing(found: Sized, said: str) -> None:
    """Says that a list is empty; beside it, so that whoever counts its lines counts none."""
    if not found:
        typer.echo(said, err=True)


def more(option: str, place: object) -> None:
    """Says how to go on, where there is more; beside the lines, not among them."""
    if place:
        typer.echo(f"more: {option} {place}", err=True)


def time(seconds: int | None) -> str:
    """A moment, UTC; a dash for none."""
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def day(seconds: int | None) -> str:
    """Likewise, a day."""
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
