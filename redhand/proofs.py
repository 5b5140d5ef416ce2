"""The commands that show what was done, and check it: `redhand prove`, `redhand verify`, `redhand receipts`, `redhand watch`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from blocklists import durable, private_key, verification
from blocklists.errors import BadDocument, ConfigurationError
from blocklists.finding import when
from blocklists.proving import prove as make_proof
from blocklists.receipts import Outbox
from blocklists.times import read_time
from redhand import privileges
from redhand.cli import AsJSON, Config, load

prove_app = typer.Typer(add_completion=False)
verify_app = typer.Typer(add_completion=False)
receipts_app = typer.Typer(add_completion=False)


@prove_app.command("prove", epilog="Example: redhand prove site.example --at 2026-03-01T09:00:00Z -o proof.json")
def prove(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A domain name.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where the proof goes; - is standard output.", show_default=False)],
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="What was in force then. Default: when our newest checkpoint was signed.")] = "",
    full: Annotated[bool | None, typer.Option("--full/--short", help="With the whole log or without. Default: with, while it is small.")] = None,
    config: Config = None,
) -> None:
    """Write a file that proves to anybody what the authority signed about a name, and with the whole log, what was in force.

    It is made from what was verified here; nothing is fetched. Whoever has the authority's root file checks it with: redhand verify
    """
    state_dir = load(ctx, config).settings.state_dir
    data = make_proof(state_dir, name, read_time(at, "--at") if at else None, full).encode()
    if str(output) == "-":
        typer.echo(data.decode(), nl=False)
        return
    with durable.explained(f"writing the proof {output}", "no proof was written"):
        output.write_bytes(data)
    typer.echo(f"{output} holds the proof ({len(data):,} octets). Anybody checks it with: redhand verify {output} --root root.json")


@verify_app.command("verify", epilog="Example: redhand verify proof.json --root root.json")
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A proof, as redhand prove writes it.", show_default=False)],
    root: Annotated[Path, typer.Option("--root", metavar="FILE", help="The authority's root file, got by another way than the proof.")],
    as_json: AsJSON = False,
) -> None:
    """Check a proof with nothing but the authority's root file, and say what it proves and what it does not.

    Needs no settings, no network and no state directory. Exit code 0 if all of it holds, 1 if it is refused.
    """
    try:
        found = verification.verify(_read(file, "the proof"), _read(root, "the root file"))
    except BadDocument as error:
        if as_json:
            typer.echo(json.dumps({"holds": False, "why": str(error)}))
        else:
            typer.echo(f"REFUSED: {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps({"holds": True, **found.document()}, indent=1))
        return
    typer.echo(f"The proof about {found.name} holds.\n\nIt proves:")
    for line in found.proved():
        typer.echo(f"  - {line}")
    typer.echo("\nIt does not prove:")
    for line in found.not_proved():
        typer.echo(f"  - {line}")


@receipts_app.callback(
    invoke_without_command=True, epilog="Example: redhand receipts --json. A key to sign them with: redhand receipts key receipts.pem"
)
def receipts(ctx: typer.Context, config: Config = None, as_json: AsJSON = False) -> None:
    """List the receipts that were written for the authority: for which state of the log, with which exceptions, acknowledged when."""
    if ctx.invoked_subcommand is not None:
        return
    outbox = Outbox(load(ctx, config).settings.state_dir)
    kept = [outbox.read(number) for number in outbox.numbers()]
    if as_json:
        rows = [{**each.receipt.document(), "digest": each.digest, "acknowledged": each.acknowledged} for each in kept]
        typer.echo(json.dumps(rows, indent=1))
        return
    for each in kept:
        found = each.receipt
        taken = f"acknowledged {when(each.acknowledged)}" if each.acknowledged is not None else "not acknowledged yet"
        typer.echo(
            f"{found.number}  {when(found.at)}  log of {found.checkpoint.size} entries, signed {when(found.checkpoint.time)}  "
            f"version {found.serial}  {taken}"
        )
        for exception in found.exceptions:
            typer.echo(f"    {exception.what} {exception.id}: {exception.why}")
    if not kept:
        typer.echo("No receipt yet; they need feed.operator and feed.receipt_key, and a version that every serving process has in force.")


@receipts_app.command("key", epilog="Example: redhand receipts key /etc/redhand/receipts.pem > operator.pub.json")
def key(
    ctx: typer.Context,
    output: Annotated[Path, typer.Argument(metavar="OUT.pem", help="Where the private key goes; nothing is overwritten.", show_default=False)],
    config: Config = None,
) -> None:
    """Make the key that signs receipts, and print its public half, which is to be given to the authority."""
    configuration = load(ctx, config)
    operator = configuration.settings.feed.operator
    if not operator:
        raise ConfigurationError("feed.operator: is empty; write there the id that the authority gave us, then make the key")
    user = privileges.account(configuration)
    made = private_key.make(output)
    if os.geteuid() != user.uid:  # root makes it, and the service must read it
        os.chown(output, user.uid, user.gid)
    typer.echo(made.introduction(operator))


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{what} {path} cannot be read ({error.strerror}); check the path and its mode") from None
