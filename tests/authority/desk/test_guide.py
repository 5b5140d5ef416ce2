"""What the guides of the desk tell people to type, to write and to open is what the program takes: the regulator's walk is taken as it is written."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

import pytest
import typer
import yaml
from starlette.routing import Match

from authority import packets
from authority.desk.cli import app
from authority.desk.desk import Desk
from authority.desk.facts import Facts
from authority.desk.settings import DeskSettings
from authority.desk.web.app import create_app
from tests.authority.desk.outside.running import Keeper

DOCS = Path(__file__).parents[3] / "docs"
REGULATOR = (DOCS / "regulator.md").read_text(encoding="utf-8")
NAMES = ("regulator", "desk", "desk-threats", "evidence", "orders", "storage", "case")
GUIDES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in NAMES}
OURS = {"h.berg": "officer", "d.novak": "officer", "c.rossi": "auditor"}
"""Who plays whom."""


def blocks(text: str, kind: str = "") -> list[str]:
    return [block for found, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if found == kind]


@pytest.mark.parametrize("guide", GUIDES)
def test_every_command_and_option_is_there(guide: str) -> None:
    named = re.findall(r"redhand desk ((?:[a-z-]+)[^`\n]*)", GUIDES[guide])
    for line in named:
        words = shlex.split(line.replace("'", "").partition("#")[0])
        command = typer.main.get_command(app)
        while hasattr(command, "commands"):
            assert words, line
            assert words[0] in command.commands, f"{guide}: redhand desk {line}"
            command = command.commands[words.pop(0)]
            if not words:
                break
        known = {name for part in command.params for name in part.opts}
        assert {word for word in words if re.fullmatch(r"--?[a-z-]+", word)} <= known, line


def test_the_walk_by_commands_is_taken_as_it_is_written(tmp_path: Path) -> None:
    """Every line of the block, in its order, with the digests that the program prints; officers' keys are the test's."""
    keeper = Keeper(tmp_path, int(time.time()) - 60)
    keeper.init()
    facts = next(block for block in blocks(REGULATOR, "yaml") if block.startswith("legal_basis"))
    (tmp_path / "facts.yaml").write_text(facts, encoding="utf-8")
    walk = next(block for block in blocks(REGULATOR) if "redhand desk refer" in block)
    digests: dict[str, str] = {}
    said = ""
    for line in walk.splitlines():
        words = shlex.split(line, comments=True)
        if words[:3] == ["redhand", "authority", "sign"]:
            path = tmp_path / words[3]
            signed = keeper.cast.sign(packets.read(path.read_bytes(), "the packet"), words[5].replace("officer-", "north-").removesuffix(".pem"))
            path.write_bytes(signed.encode())
            continue
        assert words[:2] == ["redhand", "desk"], line
        given = []
        for word in words[2:]:
            if word.startswith("sha256:") and word not in digests:
                digests[word] = re.findall(r"sha256:[0-9a-f]{64}", said)[0]
            given.append(digests.get(word, OURS.get(word, word)))
        printed = keeper.run(*given)
        said = printed if words[2:4] == ["order", "draft"] else said
    assert len(digests) == 2
    assert "withdrawn" in printed


def test_what_it_writes_into_files_is_taken() -> None:
    for block in blocks(GUIDES["regulator"], "yaml") + blocks(GUIDES["storage"], "yaml") + blocks(GUIDES["evidence"], "yaml"):
        document = yaml.safe_load(block)
        if "desk" in document:
            DeskSettings.model_validate(document["desk"])
        elif "action" not in document:
            Facts.model_validate(document)


def test_every_page_that_it_names_is_there(tmp_path: Path) -> None:
    (tmp_path / "authority").mkdir()
    desk = Desk(DeskSettings(), tmp_path)
    routes = create_app(desk).routes
    desk.close()
    table = re.findall(r"^\| (`/.*?) \|", GUIDES["desk"], re.MULTILINE)
    named = [name for row in table for name in re.findall(r"`(/[^`…]*)", row)]
    assert len(named) > 10
    for name in (*named, "/no-such-page"):
        scope = {"type": "http", "method": "GET", "path": name, "root_path": "", "headers": []}
        assert any(route.matches(scope)[0] is Match.FULL for route in routes) is (name in named), name
