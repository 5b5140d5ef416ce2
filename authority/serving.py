"""The commands of the server: `redhand authority serve` and `redhand authority operator …`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from authority import keys, operators, repository, shown, standing, tokens
from authority import serve as server
from authority.ceremony import TARGETS
from authority.packets import Packet
from authority.places import Places
from blocklists import logs
from blocklists.directive import show_time
from blocklists.log.tree import Tree

operator_app = typer.Typer(no_args_is_help=True, help="Register operators that fetch orders and send receipts, or remove them.")

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The authority's directory.", show_default=False)]
Operator = Annotated[str, typer.Argument(metavar="ID", help="The operator's id, such as operator-1.", show_default=False)]


def serve(
    directory: Directory,
    listen: Annotated[str, typer.Option("--listen", metavar="ADDRESS:PORT", help="Where; put TLS in front of it.")] = "127.0.0.1:8443",
) -> None:
    """Serve the feed over HTTP, with hints and receipts, and keep what is published fresh.

    Files are public but for the log's entries, which need an operator's token. No client's address is kept. SIGTERM or Ctrl-C ends it.
    """
    logs.to_stderr("serve")
    server.serve(directory, server.opened(listen), typer.echo)


@operator_app.command(epilog="Example: redhand authority operator add /srv/authority operator-1 --name 'Example Telecom' --key telecom.pub.json")
def add(
    directory: Directory,
    operator: Operator,
    name: Annotated[str, typer.Option("--name", help="The company.", show_default=False)],
    key: Annotated[Path, typer.Option("--key", metavar="PUB", help="The .pub.json of the key that signs its receipts.", show_default=False)],
) -> None:
    """Give an operator a token, shown this once, and draft the policy that registers its receipt key.

    Run it again for a new token or key; the old token then ends.
    """
    text, packet = operators.add(directory, operator, name, keys.read_holder(key).key, int(time.time()))
    typer.echo(f"Token of {operator}, which is shown only now; the operator puts it into the file that feed.token_file names:")
    typer.echo(text)
    _drafted(directory, packet)


@operator_app.command(epilog="Example: redhand authority operator remove /srv/authority operator-1")
def remove(directory: Directory, operator: Operator) -> None:
    """End an operator's token at once, and draft the policy without its receipt key. Receipts that were taken stay."""
    packet = operators.remove(directory, operator, int(time.time()))
    typer.echo(f"{operator}: its token is not taken any more")
    _drafted(directory, packet)


@operator_app.command("list", epilog="Example: redhand authority operator list /srv/authority")
def show(directory: Directory) -> None:
    """List operators, with their keys and since when their token holds. What each has in force: redhand authority status."""
    places = Places(directory)
    policy = repository.published(places).policy
    known = tokens.read(tokens.path_of(places))
    for each in standing.standings(places, policy, Tree(places.log)):
        registered = policy.operators.get(each.operator)
        key = f"key {registered.key.keyid}" if registered is not None else "no key in the policy"
        since = f"token since {_when(known[each.operator].since)}" if each.token else "no token"
        typer.echo(f"{each.operator}  {each.name or '-'}  {key}  {since}  {each.number} receipts")


def _when(seconds: int) -> str:
    return show_time(datetime.fromtimestamp(seconds, UTC))


def _drafted(directory: Path, packet: Packet | None) -> None:
    if packet is None:
        return
    path = directory / "packets" / TARGETS
    typer.echo(f"{path}: the policy that says so waits for signatures")
    for line in shown.signatures(packet):
        typer.echo(f"  {line}")
    typer.echo(f"When signed: redhand authority publish {directory} {path}")
