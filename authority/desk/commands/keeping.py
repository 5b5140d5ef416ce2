"""What the desk's keeper does: a backup, bringing one back, and checking the audit log by itself and by what the public log has of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from authority.desk import backup as backups
from authority.desk.backup import Summary
from authority.desk.commands.context import AsJSON, Limit, Login, entered, more, nothing, opened, printed, time
from authority.desk.roles import SETUP, Actor
from authority.desk.web.api import audit as shaping

audit_app = typer.Typer(no_args_is_help=True, help="Read the audit log, and check it.")
File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", show_default=False)]


def backup(context: typer.Context, file: File) -> None:
    """Copy the whole database into one new file, while the desk serves. It is as secret as the database.

    It holds no evidence and no keys: copy desk/evidence, desk/evidence.key and what the authority publishes after it.
    """
    desk = opened(context, current=False)  # before an upgrade, too
    with _progress() as progress:
        _said(file, backups.write(desk.store, file, SETUP, desk.now(), progress))


def restore(context: typer.Context, file: File) -> None:
    """Fill an empty database, SQLite or PostgreSQL, from a backup: all of it, or nothing. Everybody signs in anew."""
    desk = opened(context, current=False)
    with _progress() as progress:
        _said(file, backups.restore(desk.store, file, SETUP, desk.now(), progress))
    typer.echo("restored; then check: redhand desk audit verify, and redhand desk evidence verify")


@audit_app.command("list", epilog="Example: redhand desk audit list --of case:2026-000123 --as c.rossi")
def list_(
    context: typer.Context,
    login: Login,
    of: Annotated[str, typer.Option("--of", help="Only what was done to one thing, such as case:2026-000123, person:a.martin, proposal:7.")] = "",
    before: Annotated[int | None, typer.Option("--before", min=1, help="Where the page before ended.", show_default=False)] = None,
    limit: Limit = 100,
    as_json: AsJSON = False,
) -> None:
    """List who did what and who saw what, the newest first."""
    desk, actor = entered(context, login)
    with desk.store.reading() as session:
        found = shaping.page(session, actor, of, before, limit)
    if as_json:
        printed(found)
        return
    nothing(found.lines, f"the audit log has no line about {of}" if of else "the audit log is empty")
    for each in found.lines:
        details = json.dumps(each.details, ensure_ascii=False)
        typer.echo(f"{each.number}  {time(each.at)}  {each.who}  {each.action}  {each.object}" + (f"  {details}" if each.details else ""))
    more("--before", found.before)


@audit_app.command(epilog="Example: redhand desk audit verify")
def verify(context: typer.Context, as_json: AsJSON = False) -> None:
    """Read the whole audit log, and hold it against what the public log has of it. Ends with status 1 when anything is wrong."""
    desk = opened(context)
    with desk.store.reading() as session:
        # Whoever runs the server may read the database: the keeper's own check asks for no login.
        found = shaping.checked(desk, session, Actor("setup", frozenset({"auditor"})))
    if as_json:
        printed(found)
    else:
        for each in found.faults:
            typer.echo(each, err=True)
        typer.echo(f"{found.number} lines, head {found.hash}; {len(found.faults)} faults")
    if found.faults:
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("rows", total=None)
        yield lambda done, all_of_them: shown.update(task, completed=done, total=all_of_them)


def _said(file: Path, summary: Summary) -> None:
    made = datetime.fromtimestamp(summary.made_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    typer.echo(f"{file}: made {made}, {sum(summary.rows.values())} rows, revision {summary.revision}")
    typer.echo(f"  sha256 {summary.sha256}")
    typer.echo(f"  audit log to line {summary.audit[0]}; needs {summary.evidence} objects of evidence")
