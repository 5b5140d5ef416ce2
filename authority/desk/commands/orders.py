"""Orders, by command: draft, override a guard, packets out and in, publish. Signing itself is `redhand authority sign`, on another machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from authority.desk import ordering, publishing, reading, signing
from authority.desk.commands.context import AsJSON, Digest, Login, Number, Why, entered, printed
from authority.desk.desk import Desk
from authority.desk.errors import BadField
from authority.desk.tables import Case, Order
from authority.desk.web.api import orders as shaping
from authority.places import STILL, read
from blocklists.durable import explained, replace

order_app = typer.Typer(no_args_is_help=True, help="Draft an order, show it, override a guard, ask for signatures, drop it.")
packet_app = typer.Typer(no_args_is_help=True, help="Packets that officers sign on their own machines: out, and back in.")


@order_app.command(epilog="Example: redhand desk order draft 2026-000123 block --why 'As assessed' --as d.novak")
def draft(
    context: typer.Context,
    number: Number,
    what: Annotated[str, typer.Argument(metavar="WHAT", help=f"One of {', '.join(ordering.WHATS)}.", show_default=False)],
    why: Why,
    login: Login,
    as_json: AsJSON = False,
) -> None:
    """Draft an order of a case. The guards look at it, and their results stand in it."""
    desk, actor = entered(context, login)
    if what not in ordering.WHATS:
        raise BadField("WHAT", f"{what[:40]!r} is none; take one of {', '.join(ordering.WHATS)}")
    _said(desk, ordering.draft(desk, actor, number, what, why, desk.now()), as_json)


@order_app.command(epilog="Example: redhand desk order show sha256:… --as d.novak")
def show(context: typer.Context, digest: Digest, login: Login, as_json: AsJSON = False) -> None:
    """Show what is signed, what the guards say, and who is missing. That its case was read is logged."""
    desk, actor = entered(context, login)
    actor.require("case.read")
    with desk.store.reading() as session:
        order = ordering.find_order(session, digest)
        number = session.get_one(Case, order.case_id).number
    reading.opened(desk, actor, number)
    if not as_json:
        typer.echo(signing.standing(desk, order).text)
    _said(desk, order, as_json)


@order_app.command(epilog="Example: redhand desk order override sha256:… --guard popularity --name site.example --why '…' --as d.novak")
def override(
    context: typer.Context,
    digest: Digest,
    guard: Annotated[str, typer.Option("--guard", help="Which guard.", show_default=False)],
    name: Annotated[str, typer.Option("--name", help="Of which name.", show_default=False)],
    why: Why,
    login: Login,
    as_json: AsJSON = False,
) -> None:
    """Override what one guard says of one name: another draft, which one officer more must sign, takes this one's place."""
    desk, actor = entered(context, login)
    _said(desk, ordering.override(desk, actor, digest, guard, name, why, desk.now()), as_json)


@order_app.command("signing", epilog="Example: redhand desk order signing sha256:… --why 'Two must sign' --as d.novak")
def signing_(context: typer.Context, digest: Digest, why: Why, login: Login, as_json: AsJSON = False) -> None:
    """Ask officers to sign a block."""
    desk, actor = entered(context, login)
    _said(desk, ordering.open_signing(desk, actor, digest, why, desk.now()), as_json)


@order_app.command(epilog="Example: redhand desk order abandon sha256:… --why 'Another name was meant' --as d.novak")
def abandon(context: typer.Context, digest: Digest, why: Why, login: Login, as_json: AsJSON = False) -> None:
    """Drop a draft."""
    desk, actor = entered(context, login)
    ordering.abandon(desk, actor, digest, why, desk.now())
    if as_json:
        with desk.store.reading() as session:
            _json(desk, ordering.find_order(session, digest))
        return
    typer.echo(f"{digest}: dropped")


@packet_app.command(epilog="Example: redhand desk packet out sha256:… -o order.packet.json --as d.novak")
def out(
    context: typer.Context,
    digest: Digest,
    login: Login,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default its own name, here.", show_default=False)] = None,
) -> None:
    """Write the packet to be signed elsewhere: redhand authority sign."""
    desk, actor = entered(context, login)
    name, octets = signing.packet(desk, actor, digest, desk.now())
    path = output or Path(name)
    with explained(f"writing {path}", STILL):
        replace(path, octets)
        path.chmod(path.stat().st_mode | 0o200)  # who may read it is for the umask to say
    typer.echo(f"{path}: sign it with redhand authority sign {path} --key …, then: redhand desk packet in {path}")


@packet_app.command("in", epilog="Example: redhand desk packet in order.packet.json --as d.novak")
def in_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The signed packet.", show_default=False)],
    login: Login,
    as_json: AsJSON = False,
) -> None:
    """Take the signatures in a packet, whichever order it is of."""
    desk, actor = entered(context, login)
    _said(desk, signing.take(desk, actor, read(file, "the packet"), desk.now()), as_json)


def publish(context: typer.Context, digest: Digest, why: Why, login: Login, as_json: AsJSON = False) -> None:
    """Publish an order that is fully signed. Doing it again changes nothing."""
    desk, actor = entered(context, login)
    order = publishing.publish(desk, actor, digest, why, desk.now(), partial(typer.echo, err=as_json))
    if as_json:
        _json(desk, order)
        return
    typer.echo(f"{order.order_id} ({order.what}) is published: log position {order.log_index}")


def _json(desk: Desk, order: Order) -> None:
    with desk.store.reading() as session:
        number = session.get_one(Case, order.case_id).number
    printed(shaping.signed(desk, order, number))


def _said(desk: Desk, order: Order, as_json: bool) -> None:
    if as_json:
        _json(desk, order)
        return
    typer.echo(f"{order.what} {order.order_id}")
    typer.echo(f"  {order.digest}")
    for each in ordering.findings(order):
        if each.objection:
            overridden = f"; overridden by {each.by}: {each.why}" if each.by else ""
            typer.echo(f"  {each.guard} objects to {each.name or 'it'}: {each.objection}{overridden}")
    for need in signing.standing(desk, order).needs:
        missing = f"{need.missing} missing of {', '.join(need.able)}" if need.missing else "complete"
        typer.echo(f"  {need.whose}: {len(need.signed)} of {need.threshold} signed; {missing}")
