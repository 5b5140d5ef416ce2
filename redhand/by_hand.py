"""The commands by which an operator does something about an order: `redhand lift`, `redhand decide`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from blocklists import decisions, lifts, store
from blocklists.agreed import Timekeeper
from blocklists.decisions import Decision, What
from blocklists.errors import ConfigurationError, FeedError, StoreError
from blocklists.finding import when
from blocklists.orders import OrderLines
from blocklists.sync import Sync
from redhand import privileges
from redhand.assembly import feed_job
from redhand.cli import AsJSON, Config, load
from redhand.config import Configuration

FEED_SECONDS = 1.5
"""How long the running program is given to apply a decision, which takes it a fraction of a second, before the command does so itself."""
_LOOK_SECONDS = 0.02

lift_app = typer.Typer(add_completion=False)
decide_app = typer.Typer(add_completion=False)


@lift_app.command("lift", epilog="Example: redhand lift withdrawal.json")
def lift(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A signed withdrawal or suspension: its envelope, or the packet.", show_default=False)],
    config: Config = None,
    as_json: AsJSON = False,
) -> None:
    """Put a signed withdrawal or suspension in force at once, however it came here.

    Needs no feed and no authority that answers: it is verified against the policy that was believed last. Exit code 1 if it may not lift anything.
    """
    configuration = load(ctx, config)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror}); name the file that the authority gave") from None
    privileges.step_down(configuration)
    settings = configuration.settings
    found = lifts.lift(settings.state_dir, data, Timekeeper(settings.state_dir).now(), settings.blocklists.keep_versions)
    if as_json:
        built = found.built
        serial, identity = (built.serial, built.identity) if built is not None else (None, None)
        typer.echo(json.dumps({"id": found.id, "action": found.action, "until": found.until, "serial": serial, "identity": identity}))
        return
    done = f"{found.id} is withdrawn" if found.until is None else f"{found.id} is suspended until {when(found.until)}"
    if found.built is None:
        typer.echo(f"The log has brought no order {found.id} yet. The file is kept, and is judged when it does.")
    else:
        typer.echo(f"{done}: version {found.built.serial} is in force without it.")


@decide_app.command("decide", epilog='Example: redhand decide suspend XX-2026-000123 --by "A. Duty" --reason "court order 17/26"')
def decide(
    ctx: typer.Context,
    what: Annotated[
        What,
        typer.Argument(
            metavar="WHAT",
            help="hold or suspend: not in force here; release: end a hold, the log's too; resume: end a suspension.",
        ),
    ],
    identity: Annotated[str, typer.Argument(metavar="ID", help="The order's public reference.", show_default=False)],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides, and answers for it.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why. The authority is told, in the receipt.", show_default=False)],
    config: Config = None,
    as_json: AsJSON = False,
) -> None:
    """Record a decision about an order under a person's name, and apply it.

    It is kept for ever, in the version it leads to and in the receipt. A decision about an order that is not here yet waits for it.
    """
    configuration = load(ctx, config)
    settings = configuration.settings
    decision = decisions.make(what, identity, by, reason, int(time.time()))
    privileges.step_down(configuration)
    if not (settings.state_dir / "trust" / "policy.json").exists():
        raise FeedError(
            f"no order of an authority was ever verified in {settings.state_dir}, so there is none to decide about; run: redhand sync --once"
        )
    number = decisions.add(settings.state_dir, decision)
    serial = applied(configuration, decision)
    if as_json:
        typer.echo(json.dumps({"number": number, "serial": serial, **decision.document()}))
    else:
        typer.echo(f"Decision {number} is recorded and applied: {decision.what} {decision.id}, by {decision.by}. Version {serial} is in force.")


def applied(configuration: Configuration, decision: Decision) -> int:
    """The serial of a version that records the decision: made by the program that runs, or else here, by the same code. Raises StoreError."""
    state_dir = configuration.settings.state_dir
    ends = time.monotonic() + FEED_SECONDS
    while time.monotonic() < ends:
        if serial := _recorded(state_dir, decision):
            return serial
        time.sleep(_LOOK_SECONDS)
    job = feed_job(configuration)
    lines = OrderLines(state_dir, configuration.settings.blocklists.keep_versions)
    following = Sync(job, Timekeeper(state_dir), lines.put_in_force)
    try:
        following.settle()
    finally:
        following.close()
    serial = _recorded(state_dir, decision)
    if not serial:
        raise StoreError(
            "the decision is recorded, and could not be applied yet; it is as soon as the feed is followed: redhand run, or redhand sync"
        )
    return serial


def _recorded(state_dir: Path, decision: Decision) -> int:
    """The serial in force, if its version knows the decision; else 0."""
    try:
        serial, digest = store.read_current(state_dir)
        facts = store.read_manifest(state_dir, serial, digest)["orders"]
    except StoreError:
        return 0
    return serial if facts is not None and decision.document() in facts["decisions"] else 0
