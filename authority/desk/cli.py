"""The commands `redhand desk …`: all that the pages do, for the machine the desk runs on, and what only its keeper does."""

from __future__ import annotations

from typing import Annotated

import typer

from authority import serve as authority_serve
from authority.desk import serve as server
from authority.desk.commands import cases, compliance, documents, founding, keeping, lists, orders, people, proposals, review
from authority.desk.commands.context import Setting, opened, setting
from authority.desk.evidence.cli import app as evidence
from blocklists import logs

app = typer.Typer(name="desk", no_args_is_help=True, add_completion=False, help="The authority's desk: cases, people, orders, evidence.")
MACHINE, CASES, AGAIN, PEOPLE = "The machine", "Cases and orders", "Looked at again", "People and rules"
"""How the help puts commands together."""
app.command(rich_help_panel=MACHINE, epilog="Examples: redhand desk init --example > people.yaml   redhand desk init people.yaml")(founding.init)


@app.command(rich_help_panel=MACHINE, epilog="Example: redhand desk serve --config /etc/redhand/config.yaml")
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


app.command(rich_help_panel=MACHINE, epilog="Example: redhand desk backup before.backup && redhand desk upgrade")(founding.upgrade)
app.command(rich_help_panel=CASES, epilog="Example: redhand desk refer www.site.example --words 'A call to murder' --as d.novak")(cases.refer)
app.command("import", rich_help_panel=CASES, epilog="Example: redhand desk import list.csv --as d.novak")(cases.import_file)
app.command("imports", rich_help_panel=CASES, epilog="Example: redhand desk imports 3 --as d.novak")(lists.imports_)
app.add_typer(cases.case_app, name="case", rich_help_panel=CASES)
app.add_typer(orders.order_app, name="order", rich_help_panel=CASES)
app.add_typer(orders.packet_app, name="packet", rich_help_panel=CASES)
app.command(rich_help_panel=CASES, epilog="Example: redhand desk publish sha256:… --why 'All have signed' --as d.novak")(orders.publish)
app.add_typer(evidence, name="evidence", rich_help_panel=CASES)
app.add_typer(review.review_app, name="review", rich_help_panel=AGAIN)
app.add_typer(review.appeal_app, name="appeal", rich_help_panel=AGAIN)
app.add_typer(review.report_app, name="report", rich_help_panel=AGAIN)
app.add_typer(compliance.compliance_app, name="compliance", rich_help_panel=AGAIN)
app.add_typer(keeping.audit_app, name="audit", rich_help_panel=AGAIN)
app.add_typer(people.person_app, name="person", rich_help_panel=PEOPLE)
app.add_typer(people.token_app, name="token", rich_help_panel=PEOPLE)
app.add_typer(proposals.proposal_app, name="proposal", rich_help_panel=PEOPLE)
app.add_typer(documents.document_app, name="document", rich_help_panel=PEOPLE)
app.command(rich_help_panel=MACHINE, epilog="Example: redhand desk backup 2026-11-22.backup")(keeping.backup)
app.command(rich_help_panel=MACHINE, epilog="Example: redhand desk restore 2026-11-22.backup")(keeping.restore)


@evidence.callback()
def _evidence(context: typer.Context) -> None:
    # Whoever mounts these commands elsewhere gives them a desk that is open.
    if isinstance(context.obj, Setting):
        context.obj = opened(context)
