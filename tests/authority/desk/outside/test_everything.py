"""Everything on a page is also in the API and at the command line: one table of all pages and forms, held against what the desk really serves.

Who adds a page adds a line here: by which calls a program does the same, by which command, or why it is for a page alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from authority.desk.cli import app as commands
from authority.desk.desk import Desk
from authority.desk.people.kinds import KINDS
from authority.desk.settings import DeskSettings
from authority.desk.web.app import create_app
from authority.desk.web.evidence import change
from tests.authority.desk.served import calls, pages

OWN = "who one is, on this browser: a program has a token, a command has --as"
FORM = "an empty form; what it asks for stands in the API's description and in the command's help"


class Same(NamedTuple):
    """A page, and what does the same."""

    page: str
    calls: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    alone: str = ""
    """Why there is none."""


EVERYTHING = (
    Same("GET /", alone="leads on to the first page of who asks"),
    Same("GET /sign-in", alone=OWN),
    Same("POST /sign-in", alone=OWN),
    Same("GET /sign-in/house", alone=OWN),
    Same("GET /sign-in/house/back", alone=OWN),
    Same("POST /sign-out", alone=OWN),
    Same("GET /invitation", alone=OWN),
    Same("POST /invitation", alone=OWN),
    Same("POST /language", ("PATCH /account",), ("person change",)),
    Same("GET /account", ("GET /account", "GET /tokens"), ("person show", "token list")),
    Same("POST /account", ("PATCH /account",), ("person change",)),
    Same("POST /account/password", alone=OWN),
    Same("POST /account/sessions", alone=OWN),
    Same("POST /account/tokens", ("POST /tokens",), ("token make",)),
    Same("POST /account/tokens/{number}/end", ("POST /tokens/{id}/end",), ("token end",)),
    Same("GET /people", ("GET /people", "GET /tokens/flaggers"), ("person list", "token list")),
    Same("GET /people/new", ("GET /offices",), ("person offices",)),
    Same("POST /people/new", ("POST /proposals",), ("person propose",)),
    Same("POST /people/flaggers", ("POST /proposals",), ("proposal make",)),
    Same("POST /people/tokens/{number}/end", ("POST /tokens/{id}/end",), ("token end",)),
    Same("GET /people/{login}", ("GET /people/{login}", "GET /offices"), ("person show", "person offices")),
    Same("POST /people/{login}", ("POST /proposals",), ("proposal make",)),
    Same("GET /proposals", ("GET /proposals",), ("proposal list",)),
    Same("GET /proposals/{number}", ("GET /proposals/{id}",), ("proposal show",)),
    Same("GET /proposals/{number}/text", ("GET /proposals/{id}/text",), ("proposal show",)),
    Same("POST /proposals/{number}", ("POST /proposals/{id}/decision",), ("proposal decide",)),
    Same("GET /documents", ("GET /documents",), ("document list",)),
    Same("GET /documents/{kind}", ("GET /documents/{kind}",), ("document show", "document versions")),
    Same("GET /documents/{kind}/text", ("GET /documents/{kind}/text",), ("document show",)),
    Same("POST /documents/{kind}", ("POST /proposals",), ("document propose",)),
    Same("GET /audit", ("GET /audit",), ("audit list",)),
    Same("POST /audit", ("POST /audit/check",), ("audit verify",)),
    Same("GET /cases", ("GET /cases", "GET /queues", "GET /appeals", "GET /reports"), ("case list", "case queues", "appeal list", "report list")),
    Same("GET /search", ("GET /search",), ("case search",)),
    Same("GET /cases/new", alone=FORM),
    Same("POST /cases/new", ("POST /referrals",), ("refer",)),
    Same(
        "GET /cases/{number}",
        (
            "GET /cases/{number}", "GET /cases/{number}/events", "GET /cases/{number}/orders", "GET /cases/{number}/forms",
            "GET /cases/{number}/referrals", "GET /cases/{number}/appeals", "GET /cases/{number}/reports",
            "GET /cases/{number}/recommendations", "GET /cases/{number}/messages", "GET /cases/{number}/times",
        ),
        ("case show", "case steps"),
    ),
    Same("POST /cases/{number}/steps/{step}", ("POST /cases/{number}/steps/{step}",), ("case step",)),
    Same("POST /cases/{number}/orders", ("POST /cases/{number}/orders",), ("order draft",)),
    Same("GET /cases/{number}/order", ("GET /cases/{number}",), ("case show",)),
    Same("POST /cases/{number}/order", ("PATCH /cases/{number}/facts",), ("case facts",)),
    Same("GET /imports", ("GET /imports",), ("imports",)),
    Same("POST /imports", ("POST /imports",), ("import",)),
    Same("GET /imports/{id}", ("GET /imports/{id}", "GET /imports/{id}/faults"), ("imports",)),
    Same("GET /orders/{digest}", ("GET /orders/{digest}",), ("order show",)),
    Same("GET /orders/{digest}/packet", ("GET /orders/{digest}/packet",), ("packet out",)),
    Same("GET /packets", alone=FORM),
    Same("POST /packets", ("POST /packets",), ("packet in",)),
    Same("POST /orders/{digest}/override", ("POST /orders/{digest}/override",), ("order override",)),
    Same("POST /orders/{digest}/signing", ("POST /orders/{digest}/signing",), ("order signing",)),
    Same("POST /orders/{digest}/publish", ("POST /orders/{digest}/publish",), ("publish",)),
    Same("POST /orders/{digest}/abandon", ("POST /orders/{digest}/abandon",), ("order abandon",)),
    Same("GET /review", ("GET /review/orders", "GET /review/emergencies", "GET /review/recommendations"),
         ("review orders", "review emergencies", "review recommendations")),
    Same("GET /cases/{number}/evidence", ("GET /cases/{number}/evidence",), ("evidence list",)),
    Same("POST /cases/{number}/evidence", ("POST /cases/{number}/evidence",), ("evidence add",)),
    Same("POST /cases/{number}/evidence/observed", ("POST /cases/{number}/observations",), ("evidence observe",)),
    Same("POST /cases/{number}/evidence/{item}/file", ("GET /evidence/{id}/content",), ("evidence read",)),
    Same(
        "POST /cases/{number}/evidence/{item}/{act}",
        ("POST /evidence/{id}/hold", "POST /evidence/{id}/extend", "POST /evidence/{id}/release", "POST /evidence/shred"),
        ("evidence hold", "evidence extend", "evidence release", "evidence shred-propose"),
    ),
    Same("GET /appeals", ("GET /appeals",), ("appeal list",)),
    Same("GET /reports", ("GET /reports", "GET /reports/{order_id}"), ("report list", "report show")),
    Same("POST /reports", ("POST /reports/{order_id}/answer",), ("report answer",)),
    Same("GET /compliance", ("GET /compliance", "GET /compliance/weeks", "GET /compliance/scoreboard"),
         ("compliance fleet", "compliance weeks", "compliance scoreboard")),
    Same(
        "GET /compliance/operators/{operator}",
        ("GET /compliance/operators/{operator}", "GET /compliance/operators/{operator}/orders", "GET /compliance/weeks"),
        ("compliance fleet", "compliance operator", "compliance weeks"),
    ),
    Same("GET /compliance/operators/{operator}/penalty", ("GET /compliance/operators/{operator}/penalty",), ("compliance penalty",)),
    Same("GET /compliance/orders/{index}", ("GET /compliance/orders/{index}",), ("compliance order",)),
    Same("GET /compliance/export.{form}", ("GET /compliance/export",), ("compliance export",)),
    Same("GET /report", alone=FORM),
    Same("POST /report", ("POST /referrals",), ("refer",)),
    Same("GET /report/status", ("GET /referrals/{reference}",), ("case search",)),
    Same("GET /appeal", alone=FORM),
    Same("POST /appeal", ("POST /cases/{number}/steps/{step}",), ("case step",)),
    Same("GET /appeal/status", ("GET /appeals/{reference}",), ("appeal show",)),
)  # fmt: skip
KEEPER = ("init", "serve", "upgrade", "backup", "restore", "evidence verify", "evidence sweep", "evidence change-key", "evidence due")
"""Of whoever keeps the machine, for which there is no page."""


def test_every_page_has_its_calls_and_its_commands(tmp_path: Path) -> None:
    (tmp_path / "authority").mkdir()
    desk = Desk(DeskSettings(directory="authority"), tmp_path)
    app = create_app(desk)
    desk.close()
    assert {" ".join(each) for each in pages(app)} == {each.page for each in EVERYTHING}
    assert len(EVERYTHING) == len({each.page for each in EVERYTHING})
    served, typed = {" ".join(each) for each in calls(app)}, set(leaves(typer.main.get_command(commands)))
    for each in EVERYTHING:
        assert bool(each.alone) != bool(each.calls and each.commands), each
        assert set(each.calls) <= served, each
        assert set(each.commands) <= typed, each
    assert served == {call for each in EVERYTHING for call in each.calls}, "a call that stands for no page"
    assert typed - set(KEEPER) == {command for each in EVERYTHING for command in each.commands}, "a command that stands for no page"


def test_whoever_may_propose_something_on_a_page_may_by_command() -> None:
    """Those of `here` by `proposal make`, `person propose` and `document propose`; the others at the evidence."""
    assert {name for name, kind in KINDS.items() if not kind.here} == {"shred_evidence", "release_hold"}
    assert change.__doc__ == "Holds it, keeps it longer, or proposes its release or its shredding."


def leaves(command: Any, before: str = "") -> Iterator[str]:
    """Every command, as it is typed behind `redhand desk`."""
    for name, each in command.commands.items():
        if hasattr(each, "commands"):
            yield from leaves(each, f"{before}{name} ")
        else:
            yield f"{before}{name}"


@pytest.mark.parametrize("name", sorted(leaves(typer.main.get_command(commands))))
def test_every_command_explains_itself(name: str) -> None:
    """What it does, what each option is, an example; and JSON for programs, but where a file or the machine is meant."""
    command: Any = typer.main.get_command(commands)
    for word in name.split():
        command = command.commands[word]
    assert command.help
    assert all(getattr(each, "help", "") for each in command.params), name
    if name not in KEEPER:
        assert "Example" in (command.epilog or ""), name
    options = {option for each in command.params for option in each.opts}
    if name not in (*KEEPER, "packet out", "document show", "evidence read", "compliance export"):
        assert "--json" in options, name
