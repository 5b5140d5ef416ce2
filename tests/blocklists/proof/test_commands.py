"""`redhand prove`, `verify`, `lift`, `decide`, `receipts` and `blocklist rebuild`, as people and machines use them."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from blocklists import receipts
from blocklists.private_key import load
from blocklists.receipts import InForce, Outbox
from tests.blocklists.feed.authority import Authority
from tests.blocklists.feed.mirror import Mirror
from tests.blocklists.feed.operator import Operator
from tests.blocklists.proof.history import at, text, written
from tests.blocklists.trust import office


class Shell:
    """An operator's machine. The authority is not reachable from it any more."""

    def __init__(self, place: Path, authority: Authority) -> None:
        mirror = Mirror(lambda: authority.files)
        operator = Operator(place, authority.root_json(), mirror.url)
        assert operator.fault() == ""
        operator.close()
        mirror.stop()
        self.place = place
        self.operator = operator
        feed = {"urls": [mirror.url], "root": "root.json", "token_file": "token", "operator": "isp-1", "receipt_key": "key.pem"}
        settings = {"state_dir": "var", "feed": feed, "blocklists": {"sources": []}}
        (place / "config.yaml").write_text(yaml.safe_dump(settings))

    def run(self, *arguments: str, expected: int = 0, place: Path | None = None) -> str:
        """Its standard output, or what it complains of."""
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "COLUMNS": "300"}
        found = subprocess.run(
            [sys.executable, "-m", "redhand", *arguments],
            cwd=place or self.place, env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert found.returncode == expected, found.stderr + found.stdout
        return found.stderr if expected else found.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Shell:
    return Shell(tmp_path_factory.mktemp("shell"), authority)


def test_a_proof_made_here_is_checked_on_a_machine_with_nothing_else(shell: Shell, tmp_path: Path, authority: Authority) -> None:
    said = shell.run("prove", "WWW.Site.example", "--at", text(2), "-o", str(tmp_path / "proof.json"))
    assert "redhand verify" in said
    (tmp_path / "root.json").write_bytes(authority.root_json())
    assert sorted(os.listdir(tmp_path)) == ["proof.json", "root.json"]
    words = shell.run("verify", "proof.json", "--root", "root.json", place=tmp_path)
    assert "In force: by all that the log dates" in words
    assert "It does not prove:" in words
    found = json.loads(shell.run("verify", "proof.json", "--root", "root.json", "--json", place=tmp_path))
    assert (found["holds"], found["in_force"], found["orders"], found["name"]) == (True, True, ["XX-1"], "www.site.example")
    (tmp_path / "root.json").write_bytes(Authority(seed="other ").root_json())
    assert "REFUSED" in shell.run("verify", "proof.json", "--root", "root.json", expected=1, place=tmp_path)


def test_a_short_proof_claims_less(shell: Shell, tmp_path: Path) -> None:
    data = shell.run("prove", "site.example", "--short", "-o", "-")
    (tmp_path / "proof.json").write_text(data)
    found = shell.json("verify", str(tmp_path / "proof.json"), "--root", "root.json")
    assert found["in_force"] is None
    assert not any(line.startswith("In force") for line in found["proved"])


def test_times_that_are_none_are_named(shell: Shell) -> None:
    assert "--at: 'yesterday' is no time" in shell.run("prove", "site.example", "--at", "yesterday", "-o", "-", expected=2)


def test_rebuild_prints_the_identity(shell: Shell) -> None:
    found = shell.json("blocklist", "rebuild", "--upto", "7", "--at", str(at(5.5)))
    assert found["size"] == 7
    assert found["identity"] in shell.run("blocklist", "rebuild", "--upto", "7", "--at", str(at(5.5)))


def test_a_decision_is_applied_by_the_command_where_nothing_follows_the_feed(tmp_path: Path) -> None:
    shell = Shell(tmp_path, written())
    blocked = shell.operator.blocked()
    assert blocked == {".site.example", "deep.site.example"}
    found = shell.json("decide", "suspend", "XX-4", "--by", "A. Duty", "--reason", "court order 17/26")
    assert (found["number"], found["what"], found["by"]) == (1, "suspend", "A. Duty")
    assert shell.operator.blocked() == {".site.example"}
    assert "recorded and applied" in shell.run("decide", "resume", "XX-4", "--by", "A. Duty", "--reason", "lifted on appeal")
    assert shell.operator.blocked() == blocked


def test_a_lift_needs_no_feed(tmp_path: Path) -> None:
    authority = written()
    shell = Shell(tmp_path, authority)
    order = json.loads(base64.b64decode(json.loads(authority.entries[5])["envelope"]["payload"]))
    signed = office.sign(office.follow("withdraw", order), "n1")
    (tmp_path / "lift.json").write_bytes(signed.encode())
    assert "XX-4 is withdrawn" in shell.run("lift", "lift.json")
    assert shell.operator.blocked() == {".site.example"}
    (tmp_path / "bad.json").write_bytes(office.sign(office.follow("withdraw", order), "s1").encode())
    assert "signature" in shell.run("lift", "bad.json", expected=1)


def test_the_packet_that_officers_signed_lifts_like_the_envelope_in_it(tmp_path: Path) -> None:
    authority = written()
    shell = Shell(tmp_path, authority)
    order = json.loads(base64.b64decode(json.loads(authority.entries[5])["envelope"]["payload"]))
    signed = office.sign(office.follow("withdraw", order), "n1")
    packet = {"type": "packet", "version": 1, "kind": "directive", "signed": signed.document(), "files": {"suffixes.dat": "A" * 100_000}, "roots": []}
    (tmp_path / "packet.json").write_text(json.dumps({**packet, "signed": signed._replace(signatures=()).document()}, indent=1))
    assert "signature" in shell.run("lift", "packet.json", expected=1)
    (tmp_path / "packet.json").write_text(json.dumps({**packet, "signed": [["no", "envelope"]]}))
    assert "is not a DSSE envelope of ours" in shell.run("lift", "packet.json", expected=1)
    (tmp_path / "packet.json").write_text(json.dumps(packet, indent=1))
    assert "XX-4 is withdrawn" in shell.run("lift", "packet.json")
    assert shell.operator.blocked() == {".site.example"}


def test_receipts_are_listed_and_their_key_is_made(shell: Shell) -> None:
    assert "No receipt yet" in shell.run("receipts")
    public = json.loads(shell.run("receipts", "key", "key.pem"))
    assert (public["type"], public["person"], public["key"]["keytype"]) == ("key", "isp-1", "ed25519")
    state_dir = shell.operator.state_dir
    facts = {
        "origin": office.ORIGIN,
        "size": 8,
        "root": "ab" * 32,
        "skipped": [],
        "held": [{"id": "XX-1", "why": "many", "index": 0}],
        "decisions": [],
    }
    key = load(shell.place / "key.pem")
    assert key.key.document == public["key"]
    receipts.write(Outbox(state_dir), "isp-1", key, InForce(facts, at(6), 3, "c" * 64), lambda *_: True, at(7))
    (row,) = shell.json("receipts")
    assert (row["number"], row["serial"], row["acknowledged"], row["exceptions"][0]["id"]) == (1, 3, None, "XX-1")
    assert "not acknowledged yet" in shell.run("receipts")
