"""The commands `redhand desk …`: all that the pages do, for the machine the desk runs on, and what only its keeper does."""

from __future__ import annotations

from typing import Annotated

import typer

from authority import serve as authority_serve
from authority.desk import serve as server
from authority.desk.commands import cases, founding, keeping, orders, people
from authority.desk.commands.context import Setting, opened, setting
from authority.desk.evidence.cli import app as evidence
from blocklists import logs

app = typer.Typer(name="desk", no_args_is_help=True, add_completion=False, help="The authority's desk: cases, people, orders, evidence.")
app.command(epilog="Examples: redhand desk init --example > people.yaml   redhand desk init people.yaml")(founding.init)


@app.command(epilog="Example: redhand desk serve --config /etc/redhand/config.yaml")
def serve(
    context: typer.Context,
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS:PORT", help="Where, instead of desk.listen; put TLS in front of it.", show_default=False)
    ] = "",
) -> None:
    """Serve the desk's pages and its API, and do what clocks, messages and operators' receipts ask for.

    One process of each kind, started again should it end. No client's address is kept. SIGTERM or Ctrl-C ends it.
    """
    logs.to_stderr("serve")
    given = setting(context)
    server.require_ready(given.settings, given.base)
    server.serve(given.settings, given.base, authority_serve.opened(listen or given.settings.listen), typer.echo)


app.command(epilog="Example: redhand desk backup before.backup && redhand desk upgrade")(founding.upgrade)
app.command(epilog="Example: redhand desk refer www.site.example --words 'A call to murder' --as d.novak")(cases.refer)
app.command("import", epilog="Example: redhand desk import list.csv --as d.novak")(cases.import_file)
app.add_typer(cases.case_app, name="case")
app.add_typer(orders.order_app, name="order")
app.add_typer(orders.packet_app, name="packet")
app.command(epilog="Example: redhand desk publish sha256:… --why 'All have signed' --as d.novak")(orders.publish)
app.add_typer(people.person_app, name="person")
app.add_typer(people.token_app, name="token")
app.add_typer(keeping.audit_app, name="audit")
app.command(epilog="Example: redhand desk backup 2026-11-22.backup")(keeping.backup)
app.command(epilog="Example: redhand desk restore 2026-11-22.backup")(keeping.restore)


@evidence.callback()
def _evidence(context: typer.Context) -> None:
    # Whoever mounts these commands elsewhere gives them a desk that is open.
    if isinstance(context.obj, Setting):
        context.obj = opened(context)


app.add_typer(evidence, name="evidence")
