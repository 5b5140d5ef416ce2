"""Every command that is run as somebody, by everybody: whoever may not do it on a page or by the API may not by command. One without a line fails."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from authority.desk import cli
from authority.desk.commands import context
from authority.desk.commands.context import Setting
from authority.desk.errors import Forbidden
from authority.desk.roles import MAY, ROLES, Action
from tests.authority.desk.attacks.besieged import Besieged
from tests.authority.desk.outside.test_everything import KEEPER, leaves

WHY = ("--why", "because it is so")
TOKENS = ("token make", "token list", "token end", "person show", "person change")
"""Of one's own, for everybody who works here."""
BY_TOKEN = ("proposal decide", "audit verify")
"""Run as nobody: by a token, and by the keeper."""


class Command(NamedTuple):
    """One command, and to whom it is open: to who may do one of the actions."""

    name: str
    words: tuple[str, ...]
    open_to: tuple[Action, ...]


COMMANDS = (
    Command("refer", ("zulu.example",), ("case.open",)),
    Command("import", ("FILE",), ("case.open",)),
    Command("imports", (), ("case.list",)),
    Command("publish", ("DIGEST", *WHY), ("case.publish",)),
    Command("case list", (), ("case.list",)),
    Command("case queues", (), ("case.list",)),
    Command("case search", ("zulu.example",), ("case.list",)),
    Command("case show", ("CASE",), ("case.read",)),
    Command("case steps", ("CASE",), ("case.read",)),
    Command("case step", ("CASE", "note", *WHY), ("case.work", "case.decide", "review.decide")),
    Command("case facts", ("CASE", "FACTS", *WHY), ("case.work",)),
    Command("order draft", ("CASE", "block", *WHY), ("case.work",)),
    Command("order show", ("DIGEST",), ("case.read",)),
    Command("order override", ("DIGEST", "--guard", "popularity", "--name", "zulu.example", *WHY), ("case.decide",)),
    Command("order signing", ("DIGEST", *WHY), ("case.decide",)),
    Command("order abandon", ("DIGEST", *WHY), ("case.decide", "review.decide")),
    Command("packet out", ("DIGEST", "-o", "OUT"), ("case.read",)),
    Command("packet in", ("FILE",), ("case.sign",)),
    Command("evidence list", ("CASE",), ("case.read",)),
    Command("evidence add", ("CASE", "FILE", "--label", "it", *WHY), ("evidence.add",)),
    Command("evidence observe", ("CASE", "https://zulu.example/", "--label", "it", *WHY), ("evidence.add",)),
    Command("evidence read", ("ITEM", "-o", "OUT", *WHY), ("evidence.read",)),
    Command("evidence hold", ("ITEM", *WHY), ("evidence.delete",)),
    Command("evidence extend", ("ITEM", "--days", "9", *WHY), ("evidence.delete",)),
    Command("evidence release", ("ITEM", *WHY), ("evidence.delete",)),
    Command("evidence shred-propose", ("ITEM", *WHY), ("evidence.delete",)),
    Command("review orders", (), ("review.read",)),
    Command("review emergencies", (), ("review.read",)),
    Command("review recommendations", (), ("review.read",)),
    Command("appeal list", (), ("case.list",)),
    Command("appeal show", ("NONE",), ("case.read",)),
    Command("report list", (), ("case.list",)),
    Command("report show", ("NONE",), ("case.read",)),
    Command("report answer", ("NONE", "all-1", "--decision", "upheld", "--answer", "so"), ("case.decide",)),
    Command("compliance fleet", (), ("compliance.read", "compliance.own")),
    Command("compliance scoreboard", (), ("compliance.read", "compliance.own")),
    Command("compliance weeks", (), ("compliance.read", "compliance.own")),
    Command("compliance operator", ("op-1",), ("compliance.read", "compliance.own")),
    Command("compliance order", ("0",), ("compliance.read", "compliance.own")),
    Command("compliance penalty", ("op-1",), ("compliance.read", "compliance.own")),
    Command("compliance export", (), ("compliance.read", "compliance.own")),
    Command("audit list", (), ("audit.read",)),
    Command("person list", (), ("person.manage", "audit.read")),
    Command("person offices", (), ("person.manage", "audit.read")),
    Command("person propose", ("zed", "--name", "Zed", "--role", "clerk", *WHY), ("person.manage",)),
    Command("proposal list", (), ("proposal.make", "proposal.confirm")),
    Command("proposal show", ("PROPOSAL",), ("proposal.make", "proposal.confirm")),
    Command("proposal make", ("flagger", "-f", "flagger=zulu", *WHY), ("person.manage",)),
    Command("document list", (), ("case.list", "document.propose")),
    Command("document show", ("procedure",), ("case.list", "document.propose")),
    Command("document versions", ("procedure",), ("case.list", "document.propose")),
    Command("document propose", ("popular", "FILE", *WHY), ("document.propose",)),
)


@pytest.fixture(scope="module")
def there(house: Besieged, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One of each thing that a command can name."""
    number = house.case("kilo.example")
    order = house.draft(number)
    seen = {"label": "it", "why": "so", "location": "https://kilo.example/", "seen_at": 1}
    kept = house.ask("officer", "POST", f"/cases/{number}/observations", 201, json=seen)
    body = {"kind": "flagger", "body": {"flagger": "kilo"}, "why": "so"}
    asked = house.ask("administrator", "POST", "/proposals", 201, json=body)
    file, out = tmp_path_factory.mktemp("files") / "names.csv", tmp_path_factory.mktemp("out") / "out"
    file.write_text("names\nlima.example\n")
    facts = file.with_name("facts.yaml")
    facts.write_text("legal_basis: Law 1\n")
    named = {"CASE": number, "DIGEST": order.digest, "ITEM": str(kept["id"]), "PROPOSAL": str(asked["proposal"]["id"]), "NONE": "XX-1"}
    return {**named, "FILE": str(file), "FACTS": str(facts), "OUT": str(out)}


@pytest.fixture
def run(house: Besieged, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command as somebody, on the served desk: what it raised."""
    for module in (context, cli):
        monkeypatch.setattr(module, "opened", lambda _, current=True: house.desk)

    def done(*words: str) -> BaseException | None:
        result = CliRunner().invoke(cli.app, list(words), obj=Setting(house.desk.settings, house.desk.base))
        return None if isinstance(result.exception, SystemExit) and not result.exception.code else result.exception

    return done


def test_no_command_is_without_a_line_here() -> None:
    typed = set(leaves(typer.main.get_command(cli.app))) - set(KEEPER)
    assert typed == {each.name for each in COMMANDS} | set(TOKENS) | set(BY_TOKEN)


@pytest.mark.parametrize("who", ROLES)
def test_no_command_does_what_its_person_may_not(house: Besieged, there: dict[str, str], run: Any, who: str) -> None:
    wrong = []
    for command in COMMANDS:
        if any(who in MAY[action] for action in command.open_to):
            continue
        raised = run(*command.name.split(), *(there.get(word, word) for word in command.words), "--as", who)
        if not isinstance(raised, Forbidden):
            wrong.append(f"{who} {command.name}: {raised!r}")
    assert wrong == [], "\n".join(wrong)


def test_who_may_read_may_by_command(house: Besieged, there: dict[str, str], run: Any) -> None:
    """Each that changes nothing, by the auditor, who reads all but evidence; so a refusal above is no fault of the command's own."""
    for command in COMMANDS:
        reads = command.name.split()[-1] in ("list", "queues", "search", "show", "steps", "orders", "emergencies", "recommendations", "versions")
        if not reads or "NONE" in command.words:
            continue
        assert run(*command.name.split(), *(there.get(word, word) for word in command.words), "--as", "auditor") is None, command.name


def test_anothers_token_is_nobody_here(house: Besieged, run: Any) -> None:
    with house.desk.store.reading() as session:
        from authority.desk.people import tokens  # noqa: PLC0415 - here alone

        (row, *_) = tokens.of_person(session, house["officer"].person or 0, house.now)
    for who in ("clerk", "reviewer", "administrator", "auditor"):
        assert "no token" in str(run("token", "end", str(row.id), "--as", who))
    house.ask("clerk", "POST", f"/tokens/{row.id}/end", 404)
    house.ask("flagger", "POST", f"/tokens/{row.id}/end", 404)
    house.ask("officer", "GET", "/account")
