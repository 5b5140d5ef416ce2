"""What the regulator's guide tells people to type and to write is what the program takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from authority.cli import app
from blocklists.formats import documents
from tests.authority.cast import NOW, Cast, found, signed

GUIDE = (Path(__file__).parents[2] / "docs" / "regulator.md").read_text(encoding="utf-8")
YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = sorted(set(re.findall(r"redhand authority ([a-z]+)", GUIDE)))


def test_every_command_that_the_guide_names_is_there_and_every_command_is_named() -> None:
    there = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert set(COMMANDS) == set(there)


@pytest.mark.parametrize("block", re.findall(r"^```\n(.*?)^```$", YAML.sub("", GUIDE), re.MULTILINE | re.DOTALL))
def test_every_option_that_it_names_is_there(block: str) -> None:
    there = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for line in re.findall(r"^redhand authority (.*)$", block.replace("\\\n", " "), re.MULTILINE):
        command = there[line.split()[0]]
        command = command.commands[line.split()[1]] if hasattr(command, "commands") else command
        known = {name for part in command.params for name in part.opts} | {"--help"}
        assert set(re.findall(r"(?<=\s)--?[a-z0-9-]+", line.partition(" #")[0])) <= known, line


def test_its_order_and_its_withdrawal_can_be_published(tmp_path: Path) -> None:
    here = tmp_path / "authority"
    cast = Cast()
    publisher = found(cast, here)
    order, withdrawal = (data for block in YAML.findall(GUIDE) if "action" in (data := documents(block.encode())[0][0].data))
    publisher.publish([signed(cast, here, order)], NOW)
    assert publisher.publish([signed(cast, here, withdrawal, "reviewer-1")], NOW).size == 2
