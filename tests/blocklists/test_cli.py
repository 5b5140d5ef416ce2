"""`redhand blocklist …` as people and machines use it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from blocklists.cli import Context, app
from tests.blocklists.lists import House, order


class Shell:
    """Runs the commands on one house."""

    def __init__(self, house: House) -> None:
        self.house = house

    def run(self, *arguments: str) -> Result:
        """One command, whatever comes of it."""
        job = self.house.job()
        return CliRunner().invoke(app, arguments, obj=Context(job.settings, job.state_dir, job.base_dir, job.own_names), env={"COLUMNS": "200"})

    def json(self, *arguments: str) -> Any:
        """What the command prints with --json; it must succeed."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def text(self, *arguments: str) -> str:
        """What the command prints for a person; it must succeed."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def error(self, *arguments: str) -> str:
        """What the command complains of; it must fail."""
        result = self.run(*arguments)
        assert result.exit_code == 1
        assert result.stdout == ""
        return " ".join(result.stderr.split())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Orders, and an own list with one bad record among good ones; the orders' times are around the machine's own."""
    house = House(tmp_path)
    house.source("orders", "directives")
    house.source("own", "domains")
    house.write("orders", order("FR-1", "one.example"))
    house.write("own", "".join(f"n{number}.example\n" for number in range(30)) + "[bold]bro ken\n")
    return Shell(house)


def test_build_and_list(shell: Shell) -> None:
    assert "No version yet; run: redhand blocklist build" in shell.text("versions")
    assert shell.json("versions") == []
    text = shell.text("build")
    assert "Version 1 is in force: 31 names by 2 rules" in text
    assert "1 records were skipped:" in text
    assert "own:31: " in text
    assert "[bold]bro ken" in text
    assert "Version 1 stays in force, nothing changed" in shell.text("build")
    built = shell.json("build")
    assert (built["serial"], built["changed"], built["names"], built["skipped"], built["pinned"]) == (1, False, 31, 1, None)
    [row] = shell.json("versions")
    assert (row["serial"], row["current"], row["pinned"], row["rules"], row["names"], row["refused"], row["error"]) == (1, True, False, 2, 31, [], "")
    assert row["identity"] == built["identity"]
    assert "current" in shell.text("versions")


def test_diff(shell: Shell) -> None:
    shell.run("build")
    shell.house.write("own", "n0.example\nnew.example\n")
    shell.run("build")
    [change] = shell.json("diff", "1", "2")["changes"]
    assert (change["reference"], change["change"], change["names_added"], len(change["names_removed"])) == ("own", "changed", [".new.example"], 29)
    text = shell.text("diff", "1", "2")
    assert "changed own own (source own)" in text
    assert "  + .new.example\n" in text
    assert "… 9 more (all of them with --json)" in text
    shell.house.write("orders", order("FR-1", "one.example", expires="2097-01-01T00:00:00Z"))
    shell.run("build")
    assert "-> redirect 2026-01-03 00:00:00 UTC to 2097-01-01 00:00:00 UTC" in shell.text("diff", "2", "3")
    assert "list the same" in shell.text("diff", "1", "1")
    assert shell.error("diff", "1", "9") == "redhand: version 9 is not on disk; those that are: 1, 2, 3"


def test_rollback_and_unpin(shell: Shell) -> None:
    shell.run("build")
    shell.house.write("own", "new.example\n")
    shell.run("build")
    assert shell.run("rollback", "1").exit_code == 2, "a reason is required"
    text = shell.text("rollback", "1", "--reason", "a mistake")
    assert "Version 3 is in force: 31 names" in text
    assert "to follow the sources again, run: redhand blocklist unpin" in text
    assert [(row["serial"], row["current"], row["pinned"]) for row in shell.json("versions")] == [
        (1, False, False),
        (2, False, False),
        (3, True, True),
    ]
    assert "current (pinned)" in shell.text("versions")
    assert shell.json("unpin")["names"] == 2
    assert shell.json("rollback", "1", "--reason", "again")["pinned"] == 1
    assert "version 9 is not on disk" in shell.error("rollback", "9", "--reason", "a mistake")


def test_alarms_and_damage_are_shown(shell: Shell) -> None:
    shell.run("build")
    shell.house.write("own", "")
    text = shell.text("build")
    assert "alarm: source own is refused, and what it last said stays in force" in text
    path = shell.house.state / "versions/1/manifest.json"
    path.unlink()
    path.write_bytes(b"{}")
    assert "damaged" in shell.text("versions")
    rows = shell.json("versions")
    assert "is not the one that was written" in rows[0]["error"]
    assert rows[1]["refused"] == ["own"]


def test_an_impossible_state_directory_is_an_error(shell: Shell) -> None:
    shell.house.state.write_text("a file")
    assert "move it away, or move state_dir" in shell.error("build")
    assert "mend its owner or mode" in shell.error("versions")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_what_root_builds_belongs_to_whom_the_state_directory_does() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        root = Path(directory)
        root.chmod(0o755)
        house = House(root)
        house.source("own", "domains")
        house.write("own", "own.example\n")
        house.state.mkdir()
        os.chown(house.state, 65534, 65534)
        assert Shell(house).json("build")["serial"] == 1
        assert {path.stat().st_uid for path in house.state.rglob("*")} == {65534}
        assert os.geteuid() == 0
