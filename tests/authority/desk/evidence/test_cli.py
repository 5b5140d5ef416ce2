"""The commands, as a person at the server runs them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from authority.desk.errors import BadField, DeskError, Forbidden, NotFound
from authority.desk.evidence.cli import app
from tests.authority.desk.evidence.house import DAY, NOW, ONE, House, sha256

PAGE = b"<html>the page</html>" * 5000


def run(home: House, *words: object, **more: Any) -> str:
    """What a command says. Raises what it refuses with."""
    done = attempt(home, *words, **more)
    if done.exception is not None:
        raise done.exception
    return done.output


def attempt(home: House, *words: object, **more: Any) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], obj=home.desk, **more)


def test_a_file_is_kept_listed_read_and_proved(home: House, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(PAGE)
    said = run(home, "add", ONE, tmp_path / "page.html", "--label", "The page", "--why", "Seen by us", "--as", "clerk")
    assert said.startswith("evidence 1: 105000 octets, kept until 2027-07-")
    listed = run(home, "list", ONE, "--as", "auditor")
    assert "1  text/html  105000 octets  The page" in listed
    assert json.loads(run(home, "list", ONE, "--as", "auditor", "--json"))[0]["stored_by"] == "clerk"
    out = tmp_path / "out.html"
    said = run(home, "read", "1", "-o", out, "--as", "officer", "--why", "to show it to the court")
    assert out.read_bytes() == PAGE
    assert out.stat().st_mode & 0o777 == 0o600
    assert sha256(PAGE) in said
    # What it says to run proves the commitment, by tools that are not ours.
    command = re.search(r"^the commitment is: (.*)$", said, re.MULTILINE)
    assert command is not None
    proved = subprocess.run(["/bin/sh", "-c", command[1]], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert home.row(1).commitment == f"sha256:{proved.split()[0]}"
    assert home.audited("evidence.read")[0].who == "officer"


def test_standard_input_is_kept(home: House) -> None:
    run(home, "add", ONE, "-", "--label", "Piped", "--why", "Seen", "--type", "video/mp4", "--as", "clerk", input=PAGE)
    assert home.text(1) == PAGE
    assert home.row(1).media_type == "video/mp4"


def test_an_observation_is_kept_without_content(home: House) -> None:
    run(home, "observe", ONE, "https://site.example/x", "--label", "Seen", "--why", "Reported", "--status", 200, "--as", "clerk")
    assert json.loads(home.text(1)) == {"location": "https://site.example/x", "seen_at": NOW, "sha256": "", "status": 200, "words": ""}
    with pytest.raises(BadField, match="sha256"):
        run(home, "observe", ONE, "https://site.example/x", "--label", "Seen", "--why", "Reported", "--sha256", "x", "--as", "clerk")


def test_what_could_not_be_read_whole_is_no_file(home: House, tmp_path: Path) -> None:
    kept = home.add(PAGE)
    path = Path(home.desk.vault.objects._path(kept.address))
    path.chmod(0o600)
    octets = bytearray(path.read_bytes())
    octets[-1] ^= 1
    path.write_bytes(bytes(octets))
    before = set(tmp_path.iterdir())
    with pytest.raises(DeskError, match="chunk 2"):
        run(home, "read", kept.id, "-o", tmp_path / "out", "--as", "officer")
    assert set(tmp_path.iterdir()) == before


def test_a_file_that_is_there_is_not_overwritten_and_nothing_is_said_to_be_read(home: House, tmp_path: Path) -> None:
    home.add(PAGE)
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(DeskError, match="exists"):
        run(home, "read", "1", "-o", tmp_path / "mine", "--as", "officer")
    assert (tmp_path / "mine").read_text() == "mine"
    assert home.audited("evidence.read") == []


def test_holding_releasing_and_deleting_take_who_they_take(home: House) -> None:
    home.add(PAGE)
    assert "held: Court of Example" in run(home, "hold", 1, "--why", "Court of Example", "--as", "reviewer")
    with pytest.raises(DeskError, match="is held"):
        run(home, "shred-propose", 1, "--why", "old", "--early", "--as", "officer")
    assert run(home, "release", 1, "--why", "decided", "--as", "officer").startswith("proposal 1:")
    assert home.row(1).hold, "a proposal releases nothing"
    assert "held: Court" in run(home, "list", ONE, "--as", "officer")
    assert "until 2027-" in run(home, "extend", 1, "--days", 200, "--why", "goes on", "--as", "officer")
    with pytest.raises(Forbidden):
        run(home, "hold", 1, "--why", "x", "--as", "administrator")
    with pytest.raises(NotFound):
        run(home, "hold", 1, "--why", "x", "--as", "nobody")


def test_what_is_due_is_listed_and_proposed_and_nothing_is_deleted(home: House) -> None:
    home.add(PAGE, now=NOW - 300 * DAY)
    assert run(home, "shred-propose", "--due", "--why", "ended", "--as", "officer") == "nothing is past its retention\n"
    home.case(state="restored")
    assert "retention has ended" in run(home, "due", "--as", "officer")
    assert run(home, "shred-propose", "--due", "--why", "ended", "--as", "officer").startswith("proposal 1, evidence 1:")
    assert run(home, "due", "--as", "officer") == ""
    assert home.text(1) == PAGE
    for words in ([], [1, "--due"]):
        with pytest.raises(BadField):
            run(home, "shred-propose", *words, "--why", "ended", "--as", "officer")


def test_verify_says_what_is_wrong_by_its_status_too(home: House) -> None:
    home.add(PAGE)
    home.add(b"second")
    assert run(home, "verify") == "2 objects read, 105006 octets; 0 tombstones; 0 faults\n"
    home.desk.vault.objects.remove(home.row(2).address)
    done = attempt(home, "verify", "--as", "auditor")
    assert done.exit_code == 1
    assert f"evidence 2 of case {ONE}" in done.output
    done = attempt(home, "verify", "--json")
    assert (done.exit_code, json.loads(done.stdout)["faults"][0]["evidence"]) == (1, 2)
    assert [line.who for line in home.audited("evidence.verify")] == ["setup", "auditor", "setup"]


def test_the_key_is_changed_and_the_store_swept(home: House) -> None:
    home.add(PAGE)
    assert run(home, "change-key").startswith("1 keys wrapped anew")
    assert home.text(1) == PAGE
    home.shredded(1)
    assert run(home, "sweep") == "1 shredded, 0 without a row and 0 broken uploads removed\n"
    assert "shredded 2027-01-15" in run(home, "list", ONE, "--as", "officer")


def test_a_file_that_cannot_be_read_is_named(home: House, tmp_path: Path) -> None:
    with pytest.raises(DeskError, match=r"missing\.png"):
        run(home, "add", ONE, tmp_path / "missing.png", "--label", "x", "--why", "x", "--as", "clerk")
