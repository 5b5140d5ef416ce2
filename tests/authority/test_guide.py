"""What the regulator's guide tells people to type and to write is what the program takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from authority.cli import app
from authority.drafts import draft_order
from blocklists.formats import documents
from tests.authority.cast import Cast, found

GUIDE = (Path(__file__).parents[2] / "docs" / "regulator.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"redhand authority ([a-z]+)", GUIDE)))


def test_every_command_that_the_guide_names_is_there_and_every_command_is_named() -> None:
    there = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert set(COMMANDS) == set(there)


@pytest.mark.parametrize("block", re.findall(r"^```\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
def test_every_option_that_it_names_is_there(block: str) -> None:
    there = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for line in re.findall(r"^redhand authority (.*)$", block.replace("\\\n", " "), re.MULTILINE):
        command = there[line.split()[0]]
        known = {name for part in command.params for name in part.opts} | {"--help"}
        assert set(re.findall(r"(?<=\s)--?[a-z0-9-]+", line.partition(" #")[0])) <= known, line


def test_its_order_can_be_drafted(tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(Cast(), here)
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert draft_order(here, documents(block.encode())[0][0].data).kind == "directive"
