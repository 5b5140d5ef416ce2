"""What the desk's commands are given, and who acts by them.

Whoever may run them may read and write the database itself: they ask for no password, and write down as whom they were run, by which command. What
takes two persons is confirmed at the desk or by the API, where each proves who they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from authority.desk import audit, migrations
from authority.desk.desk import Desk
from authority.desk.errors import DeskError
from authority.desk.people import accounts
from authority.desk.people.sessions import actor_of
from authority.desk.roles import SETUP, Actor
from authority.desk.settings import DeskSettings

Login = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Who does it, as the audit log will say.", show_default=False)]
Why = Annotated[str, typer.Option("--why", help="Why; it stands in the timeline and in the audit log.", show_default=False)]
Number = Annotated[str, typer.Argument(metavar="CASE", help="The case's number, such as 2026-000123.", show_default=False)]
Digest = Annotated[str, typer.Argument(metavar="DIGEST", help="The order's digest, sha256:…, as `case show` prints it.", show_default=False)]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
