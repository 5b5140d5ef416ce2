"""The commands `redhand desk evidence …`, run on the server by a person of the desk, or by the machine's own clock for `verify`.

Whoever may read the database, the key file and the store needs no command of ours; these do what the pages do, with the same rules and lines in the
audit log. The context's object is the desk.
"""

from __future__ import annotations

import json
import mimetypes
import os
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from authority.desk.commands.context import actor as acting
from authority.desk.commands.context import printed
from authority.desk.desk import Desk
from authority.desk.errors import BadField, DeskError
from authority.desk.evidence import checking, keeping, rekeying, shredding, sweeping
from authority.desk.evidence.keeping import Observation
from authority.desk.roles import SETUP, Actor
from authority.desk.tables import Evidence, Proposal
from authority.desk.web.api import proposals
from blocklists.durable import explained

app = typer.Typer(name="evidence", no_args_is_help=True, help="Keep, read, hold, check and delete evidence.")

Login = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Who does it, as the audit log will say.", show_default=False)]
Number = Annotated[str, typer.Argument(metavar="CASE", help="The case's number, such as 2026-000123.", show_default=False)]
Id = Annotated[int, typer.Argument(metavar="ID", help="The evidence's number, as `list` prints it.", show_default=False)]
Why = Annotated[str, typer.Option("--why", help="Why; it stands in the case's timeline.", show_default=False)]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PIECE = 1 << 20


@app.command(epilog="Example: redhand desk evidence add 2026-000123 page.png --label 'The page at noon' --why 'Seen by us' --as d.novak")
def add(
    context: typer.Context,
    number: Number,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to keep; - reads standard input.", show_default=False)],
    label: Annotated[str, typer.Option("--label", help="What it is, on one line.", show_default=False)],
    why: Why,
    login: Login,
    media_type: Annotated[str, typer.Option("--type", help="Media type; by default the file name's own.", show_default=False)] = "",
    as_json: AsJSON = False,
) -> None:
    """Encrypt a file and keep it as evidence of a case."""
    desk, actor = _who(context, login)
    kind = media_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    _kept(keeping.add(desk, actor, number, _pieces(file), label, kind, why, desk.now()), as_json)


@app.command(epilog="Example: redhand desk evidence observe 2026-000123 https://site.example/page --label 'Seen' --why 'Reported' --as d.novak")
def observe(
    context: typer.Context,
    number: Number,
    location: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where it was seen.", show_default=False)],
    label: Annotated[str, typer.Option("--label", help="What it is, on one line.", show_default=False)],
    why: Why,
    login: Login,
    sha256: Annotated[str, typer.Option("--sha256", help="Of the content, if somebody may have it.", show_default=False)] = "",
    status: Annotated[int, typer.Option("--status", min=0, max=999, help="Of the HTTP answer; 0: none.")] = 0,
    words: Annotated[str, typer.Option("--words", help="What it is, described.", show_default=False)] = "",
    as_json: AsJSON = False,
) -> None:
    """Keep the address, the time and the digest of what was seen now, and nothing of it: where the law forbids to have the content."""
    desk, actor = _who(context, login)
    try:
        seen = Observation(location=location, seen_at=desk.now(), sha256=sha256, status=status, words=words)
    except ValueError as error:
        raise BadField("observation", str(error).replace("\n", " ")[:300]) from None
    _kept(keeping.observe(desk, actor, number, seen, label, why, desk.now()), as_json)


@app.command("list", epilog="Example: redhand desk evidence list 2026-000123 --as d.novak")
def list_(context: typer.Context, number: Number, login: Login, as_json: AsJSON = False) -> None:
    """List what is kept of a case, and what was."""
    desk, actor = _who(context, login)
    with desk.store.reading() as session:
        found = keeping.of_case(session, actor, number)
    if as_json:
        typer.echo(json.dumps([_shown(each) for each in found], indent=2))
        return
    for row in found:
        typer.echo(f"{row.id}  {row.media_type}  {row.size} octets  {row.label}")
        state = f"shredded {_day(row.shredded_at)}" if row.shredded_at is not None else f"held: {row.hold}" if row.hold else "kept"
        typer.echo(f"    kept {_day(row.stored_at)} by {row.stored_by}, until {_day(row.retain_until)}; {state}")
        typer.echo(f"    {row.commitment}")
    if not found:
        typer.echo(f"case {number} has no evidence")


@app.command(epilog="Example: redhand desk evidence read 17 --output page.png --as d.novak")
def read(
    context: typer.Context,
    evidence: Id,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="A new file, which only you may read.", show_default=False)],
    login: Login,
    why: Annotated[str, typer.Option("--why", help="Why; it stands in the audit log.", show_default=False)] = "",
) -> None:
    """Decrypt evidence into a file, and print what proves that it is what an order's commitment says. The audit log says that you read it."""
    desk, actor = _who(context, login)
    if output.exists():
        raise DeskError(f"{output} exists; give another name, or move it away")
    opened = keeping.read(desk, actor, evidence, desk.now(), why)
    part = output.with_name(f".{output.name}.{secrets.token_hex(4)}.part")
    try:
        with explained(f"writing {output}", "nothing was decrypted into a file"):
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                for chunk in opened.chunks:
                    file.write(chunk)
            part.rename(output)
    finally:
        part.unlink(missing_ok=True)
    typer.echo(f"{output}: {opened.evidence.size} octets, sha256 {opened.digest}")
    typer.echo(f"commitment {opened.evidence.commitment}")
    typer.echo(f"salt {opened.salt}")
    typer.echo(f"the commitment is: (printf '{_escaped(opened.salt)}'; cat {output.name}) | sha256sum")


@app.command(epilog="Example: redhand desk evidence hold 17 --why 'Court of Example, 12/345' --as d.novak")
def hold(context: typer.Context, evidence: Id, why: Why, login: Login, as_json: AsJSON = False) -> None:
    """Forbid the deletion of evidence until two persons release it."""
    desk, actor = _who(context, login)
    row = keeping.hold(desk, actor, evidence, why, desk.now())
    if as_json:
        typer.echo(json.dumps(_shown(row), indent=2))
        return
    typer.echo(f"evidence {row.id} is held: {row.hold}")


@app.command(epilog="Example: redhand desk evidence extend 17 --days 183 --why 'The inquiry goes on' --as d.novak")
def extend(
    context: typer.Context,
    evidence: Id,
    days: Annotated[int, typer.Option("--days", min=1, max=36_600, help="From now.", show_default=False)],
    why: Why,
    login: Login,
    as_json: AsJSON = False,
) -> None:
    """Keep evidence longer than its category says."""
    desk, actor = _who(context, login)
    row = keeping.extend(desk, actor, evidence, desk.now() + days * keeping.DAY, why, desk.now())
    if as_json:
        typer.echo(json.dumps(_shown(row), indent=2))
        return
    typer.echo(f"evidence {row.id} is kept until {_day(row.retain_until)}")


@app.command(epilog="Example: redhand desk evidence release 17 --why 'The court has decided' --as d.novak")
def release(context: typer.Context, evidence: Id, why: Why, login: Login, as_json: AsJSON = False) -> None:
    """Propose that a hold ends; a second person confirms it at the desk."""
    desk, actor = _who(context, login)
    _proposed(desk, actor, shredding.propose_release(desk, actor, evidence, why, desk.now()), as_json)


@app.command("shred-propose", epilog="Examples: redhand desk evidence shred-propose 17 18 --why 'Retention ended' --as d.novak   … --due …")
def shred_propose(
    context: typer.Context,
    why: Why,
    login: Login,
    evidence: Annotated[list[int] | None, typer.Argument(metavar="[ID]…", help="What to delete for ever.", show_default=False)] = None,
    early: Annotated[bool, typer.Option("--early", help="Although it is still to be kept; say why.")] = False,
    due: Annotated[bool, typer.Option("--due", help="All that is past its retention, instead of numbers.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Propose that evidence is made unreadable for ever; a second person confirms it at the desk."""
    desk, actor = _who(context, login)
    if due == bool(evidence):
        raise BadField("evidence", "name evidence, or say --due, and not both")
    if due:
        proposal = shredding.propose_due(desk, actor, why, desk.now())
        if proposal is None:
            typer.echo("null" if as_json else "nothing is past its retention")
            return
    else:
        proposal = shredding.propose(desk, actor, evidence or [], why, desk.now(), early)
    _proposed(desk, actor, proposal, as_json)


@app.command("due", epilog="Example: redhand desk evidence due --as d.novak")
def due_(context: typer.Context, login: Login) -> None:
    """List what is past its retention and should be deleted, and why."""
    desk, actor = _who(context, login)
    actor.require("evidence.delete")
    with desk.store.reading() as session:
        for each in shredding.due(session, desk.procedure(session), desk.now()):
            typer.echo(f"{each.evidence.id}  case {each.case.number}  {each.evidence.label}: {each.why}")


@app.command(epilog="Example: redhand desk evidence verify --as r.auditor")
def verify(
    context: typer.Context,
    login: Annotated[str, typer.Option("--as", metavar="LOGIN", help="Who does it; by default the server itself.", show_default=False)] = "",
    as_json: AsJSON = False,
) -> None:
    """Read all evidence again, and say what is missing or not what was stored. Ends with status 1 when anything is."""
    desk, actor = _who(context, login)
    with Progress(console=Console(stderr=True), disable=as_json or not sys.stderr.isatty()) as shown:
        task = shown.add_task("evidence", total=None)
        report = checking.verify(desk, actor, desk.now(), lambda now: shown.update(task, completed=now.done, total=now.all))
    if as_json:
        typer.echo(json.dumps({**report._asdict(), "faults": [each._asdict() for each in report.faults]}, indent=2))
    else:
        for fault in report.faults:
            typer.echo(f"evidence {fault.evidence} of case {fault.case}: {fault.why}", err=True)
        typer.echo(f"{report.checked} objects read, {report.octets} octets; {report.shredded} tombstones; {len(report.faults)} faults")
    if report.faults:
        raise typer.Exit(1)


@app.command(epilog="Example: redhand desk evidence sweep")
def sweep(context: typer.Context) -> None:
    """Take out of the store what was shredded and what a crash left there; the desk's worker does it each hour."""
    desk, _ = _who(context, "")
    done = sweeping.sweep(desk, desk.now())
    typer.echo(f"{done.shredded} shredded, {done.orphans} without a row and {done.abandoned} broken uploads removed")
    if done.withheld:
        raise DeskError(f"{done.withheld} objects of the store have no row, too many to be what crashes left; is desk.database the right one?")


@app.command("change-key", epilog="Example: redhand desk evidence change-key && redhand desk backup …")
def change_key(context: typer.Context) -> None:
    """Wrap all keys under a new key file's key, and forget the old one; older backups of the database then open no evidence."""
    desk, _ = _who(context, "")
    done = rekeying.change_key(desk, SETUP, desk.now())
    typer.echo(f"{done} keys wrapped anew; copy {desk.vault.keys.path} to its safe place, and make a backup of the database now")


def _who(context: typer.Context, login: str) -> tuple[Desk, Actor]:
    desk = context.find_object(Desk)
    if desk is None:
        raise DeskError("no desk is open; run: redhand desk evidence …")
    if not login:
        return desk, SETUP
    return desk, acting(desk, login, context.command_path)


def _pieces(file: Path) -> Iterator[bytes]:
    if str(file) == "-":
        while piece := sys.stdin.buffer.read(PIECE):
            yield piece
        return
    try:
        with open(file, "rb") as source:
            while piece := source.read(PIECE):
                yield piece
    except OSError as error:
        raise DeskError(f"{file} cannot be read ({error.strerror}); check the path and its mode") from None


def _proposed(desk: Desk, actor: Actor, proposal: Proposal, as_json: bool) -> None:
    if as_json:
        with desk.store.reading() as session:
            printed(proposals.shaped(session, actor, [proposal])[0])
        return
    which = f", {proposal.subject}" if proposal.kind == "shred_evidence" else ""
    typer.echo(f"proposal {proposal.id}{which}: the other office, reviewer or officer, confirms it at the desk")


def _kept(row: Evidence, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_shown(row), indent=2))
        return
    typer.echo(f"evidence {row.id}: {row.size} octets, kept until {_day(row.retain_until)}")
    typer.echo(f"commitment {row.commitment}")


def _shown(row: Evidence) -> dict[str, object]:
    fields = ("id", "label", "media_type", "size", "commitment", "stored_at", "stored_by", "retain_until", "hold", "shredded_at", "removed_at")
    return {field: getattr(row, field) for field in fields}


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _escaped(salt: str) -> str:
    return "".join(f"\\{octet:03o}" for octet in bytes.fromhex(salt))  # POSIX printf knows octal, and not hexadecimal
