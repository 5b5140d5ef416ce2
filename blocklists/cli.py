"""The commands `redhand blocklist …`: versions, diff, rollback, unpin, build. Tables for people, JSON for machines; settings come from the caller."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blocklists import builder, diff, rebuilding, store
from blocklists.agreed import Timekeeper
from blocklists.errors import RedHandError, StoreError
from blocklists.job import Job
from blocklists.settings import BlocklistSettings
from blocklists.times import read_time

LOCK_WAIT_SECONDS = 30.0
"""How long a command waits for a build that is running."""

SHOWN_NAMES = 20

app = typer.Typer(name="blocklist", help="Versions of the block list: what they are, what changed, going back.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a machine.")]


@dataclass
class Context:
    """What the front door passes to these commands as `typer.Context.obj`."""

    settings: BlocklistSettings
    state_dir: Path
    base_dir: Path
    """Where relative paths of sources start."""
    own_names: tuple[str, ...]
    """Our own landing, feed and upstream names, which nothing may block."""


def _job(context: typer.Context) -> Job:
    given: Context = context.obj
    return Job(given.settings, given.state_dir, given.base_dir, given.own_names, Timekeeper(given.state_dir).now())


def _fail(error: Exception) -> typer.Exit:
    Console(stderr=True, soft_wrap=True).print(f"[red]redhand:[/red] {escape(str(error))}", highlight=False)
    return typer.Exit(1)


@app.command()
def versions(context: typer.Context, as_json: Json = False) -> None:
    """List the versions on disk, and which one is in force."""
    state_dir: Path = context.obj.state_dir
    try:
        rows = _versions(state_dir)
    except RedHandError as error:
        raise _fail(error) from None
    if as_json:
        print(json.dumps(rows))
        return
    table = Table("version", "state", "as of (UTC)", "rules", "names", "refused", "identity")
    for row in rows:
        state = "damaged" if row["error"] else "current" if row["current"] else ""
        table.add_row(
            str(row["serial"]),
            state + (" (pinned)" if row["pinned"] else ""),
            _when(row["as_of"]).removesuffix(" UTC") if not row["error"] else "",
            str(row["rules"]),
            str(row["names"]),
            ", ".join(row["refused"]),
            row["identity"][:12],
        )
    Console().print(table)
    if not rows:
        Console().print("No version yet; run: redhand blocklist build")


def _versions(state_dir: Path) -> list[dict[str, Any]]:
    try:
        current = store.read_current(state_dir)[0]
    except StoreError:
        current = 0
    rows = []
    for serial in store.serials(state_dir):
        row = {
            "serial": serial,
            "current": serial == current,
            "pinned": False,
            "as_of": 0,
            "rules": 0,
            "names": 0,
            "refused": [],
            "identity": "",
            "error": "",
        }
        try:
            manifest = store.read_manifest(state_dir, serial)
        except StoreError as error:
            rows.append({**row, "error": str(error)})
            continue
        layers = manifest["layers"].values()
        row |= {
            "pinned": manifest["pinned"] is not None,
            "as_of": manifest["as_of"],
            "rules": sum(layer["rules"] for layer in layers),
            "names": sum(layer["names"] for layer in layers),
            "refused": [refused["source"] for refused in manifest["refused"]],
            "identity": manifest["identity"],
        }
        rows.append(row)
    return rows


@app.command("diff")
def show_diff(
    context: typer.Context,
    old: Annotated[int, typer.Argument(help="Number of the earlier version.")],
    new: Annotated[int, typer.Argument(help="Number of the later version.")],
    as_json: Json = False,
) -> None:
    """Show what changed between two versions. A name with a leading dot stands for itself and everything under it."""
    state_dir: Path = context.obj.state_dir
    try:
        for serial in (old, new):
            store.require(state_dir, serial)
        changes = diff.compare(store.open_version(state_dir, old), store.open_version(state_dir, new))
    except RedHandError as error:
        raise _fail(error) from None
    if as_json:
        print(json.dumps({"old": old, "new": new, "changes": [change.to_json() for change in changes]}))
        return
    console = Console(soft_wrap=True, highlight=False)
    if not changes:
        console.print(f"Versions {old} and {new} list the same.")
    for change in changes:
        console.print(f"[bold]{change.change}[/bold] {change.kind} {escape(change.reference)} (source {escape(change.source)})")
        if change.change == "changed" and change.terms_before != change.terms_after:
            console.print(f"  terms: {_terms(change.terms_before)} -> {_terms(change.terms_after)}")
        for sign, names in (("+", change.names_added), ("-", change.names_removed)):
            for name in names[:SHOWN_NAMES]:
                console.print(f"  {sign} {escape(name)}")
            if len(names) > SHOWN_NAMES:
                console.print(f"  {sign} … {len(names) - SHOWN_NAMES:,} more (all of them with --json)")


def _terms(terms: list[dict[str, Any]]) -> str:
    return "; ".join(
        f"{term['mode']} {_when(term['starts']) if term['starts'] else 'always'} to {_when(term['ends']) if term['ends'] else 'no end'}"
        for term in terms
    )


@app.command()
def rollback(
    context: typer.Context,
    serial: Annotated[int, typer.Argument(help="Number of the version to go back to.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded with the version.")],
    as_json: Json = False,
) -> None:
    """Go back to an earlier version and stay there, without what was withdrawn since or has ended, until `unpin`."""
    _run(context, as_json, lambda progress: builder.rollback(_job(context), serial, reason, LOCK_WAIT_SECONDS, progress))


@app.command()
def unpin(context: typer.Context, as_json: Json = False) -> None:
    """Follow the sources again after a rollback."""
    _run(context, as_json, lambda progress: builder.unpin(_job(context), LOCK_WAIT_SECONDS, progress))


@app.command()
def build(context: typer.Context, as_json: Json = False) -> None:
    """Read the sources now and put what they say in force."""
    _run(context, as_json, lambda progress: builder.build(_job(context), LOCK_WAIT_SECONDS, progress))


@app.command()
def rebuild(
    context: typer.Context,
    upto: Annotated[int, typer.Option("--upto", metavar="N", help="How many entries of the log.", show_default=False)],
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="As of when, such as 2026-03-01T09:00:00Z.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Compute what the log's first N entries order at a time, from the log alone; its identity is the same on every machine."""
    try:
        found = rebuilding.rebuild(context.obj.state_dir, upto, read_time(at, "--at"))
    except RedHandError as error:
        raise _fail(error) from None
    if as_json:
        print(json.dumps(found._asdict()))
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"What {escape(found.origin)} orders by its first {found.size:,} entries at {_when(found.at)}: {found.names:,} names.")
    for label, value in (("identity", found.identity), ("orders layer", found.orders), ("log root", found.root), ("policy", found.policy)):
        console.print(f"  {label:13} {value}")


class _Work:
    """A running build's stage, on the terminal while there is one."""

    def __init__(self, console: Console, quiet: bool) -> None:
        self.status = None if quiet else console.status("starting")

    def __enter__(self) -> builder.Progress:
        if self.status is None:
            return lambda _: None
        status = self.status
        status.start()
        return lambda stage: status.update(escape(stage))

    def __exit__(self, *_: object) -> None:
        if self.status is not None:
            self.status.stop()


@contextmanager
def _as_owner(state_dir: Path) -> Iterator[None]:
    """As the user whose state directory it is, if we are root: what root leaves there, the service could not remove."""
    owner = state_dir.stat() if state_dir.exists() else None
    if owner is None or os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def _run(context: typer.Context, as_json: bool, work: Any) -> None:
    console = Console(soft_wrap=True, highlight=False)
    try:
        with _as_owner(context.obj.state_dir), _Work(console, as_json) as progress:
            built: builder.Built = work(progress)
    except RedHandError as error:
        raise _fail(error) from None
    if as_json:
        print(json.dumps(asdict(built)))
        return
    state = "is in force" if built.changed else "stays in force, nothing changed"
    console.print(
        f"Version [bold]{built.serial}[/bold] {state}: {built.names:,} names by {built.rules:,} rules, {built.identity[:16]} ({built.seconds:.1f} s)."
    )
    if built.pinned is not None:
        console.print(f"Pinned to version {built.pinned}; to follow the sources again, run: redhand blocklist unpin")
    for alarm in built.alarms:
        console.print(f"[red]alarm:[/red] {escape(alarm)}")
    if built.skipped:
        console.print(f"{built.skipped:,} records were skipped:")
        for row in built.first_skipped:
            console.print(f"  {escape(row['where'])}:{row['line']}: {escape(row['value'])}: {escape(row['reason'])}")
        if built.skipped > len(built.first_skipped):
            console.print(f"  … {built.skipped - len(built.first_skipped):,} more in {store.SKIPPED!r} of the version's directory")


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
