"""A whole authority by the command line: people on machines of their own, who pass files to each other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from authority.example import EXAMPLE
from blocklists.errors import RedHandError
from blocklists.log.tree import Tree
from tests.authority.cast import client, order, served
from tests.authority.commands import redhand

PEOPLE = ("root-1", "root-2", "root-3", "targets-1", "targets-2", "targets-3", "officer-1", "officer-2", "officer-3", "reviewer-1")


class People:
    """Each has a directory of their own, as a machine; public keys and packets are what is carried between them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def key(self, name: str) -> Path:
        return self.directory / name / f"{name}.pem"

    def make_keys(self) -> None:
        for name in PEOPLE:
            self.key(name).parent.mkdir(parents=True)
            redhand("key", self.key(name), "--person", f"Person {name}", passphrase=f"secret of {name}")

    def sign(self, packet: Path, typed: str, *names: str) -> str:
        said = ""
        for name in names:
            carried = self.directory / name / packet.name
            carried.write_bytes(packet.read_bytes())
            said = redhand("sign", carried, "--key", self.key(name), "--yes-typed", typed, passphrase=f"secret of {name}")
            packet.chmod(0o644)
            packet.write_bytes(carried.read_bytes())
        return said


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    made = People(tmp_path_factory.mktemp("people"))
    made.make_keys()
    return made


@pytest.fixture(scope="module")
def model(people: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ceremony's file, with the public keys handed over beside it, and an authority whose first metadata are published."""
    directory = tmp_path_factory.mktemp("model")
    for name in PEOPLE:
        shutil.copy(people.directory / name / f"{name}.pub.json", directory)
    (directory / "ceremony.yaml").write_text(redhand("init", "--example"), encoding="utf-8")
    here = directory / "authority"
    redhand("init", here, directory / "ceremony.yaml")
    root, targets = (here / "packets" / f"{name}.packet.json" for name in ("root", "targets"))
    people.sign(root, ORIGIN, "root-1", "root-3")
    people.sign(targets, ORIGIN, "targets-2", "targets-3")
    redhand("publish", here, root, targets)
    return directory


@pytest.fixture
def ceremony(model: Path, tmp_path: Path) -> Path:
    """A copy of the ceremony's file, of one's own."""
    shutil.copytree(model, tmp_path / "model")
    return tmp_path / "model" / "ceremony.yaml"


@pytest.fixture
def here(ceremony: Path) -> Path:
    """A copy of the authority, of one's own."""
    return ceremony.parent / "authority"


ORIGIN: str = yaml.safe_load(EXAMPLE)["origin"]


def written(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def test_from_keys_to_an_order_that_a_client_verifies_and_its_withdrawal(people: People, here: Path, tmp_path: Path) -> None:
    draft = tmp_path / "order.packet.json"
    said = redhand("draft", written(tmp_path / "order.yaml", order()), "--dir", here, "-o", draft)
    assert "0 of 2, 2 missing" in said
    assert "1 of 2, 1 missing" in people.sign(draft, "www.site.test", "officer-3")
    with pytest.raises(RedHandError, match="2 officers of one authority must sign it, and 1 did"):
        redhand("publish", here, draft)
    people.sign(draft, "www.site.test", "officer-1")
    assert "XX-1: entry 0 of the log, sha256:" in redhand("publish", here, draft)
    someone = client(tmp_path / "client", here)
    with served(here) as base:
        assert someone.look(base).size == 1
        lift = {"id": "XX-1", "action": "withdraw", "issuer": order()["issuer"], "reasons": {"en": "Gone."}, "issued_at": "2026-09-22T00:00:00Z"}
        redhand("draft", written(tmp_path / "lift.yaml", lift), "--dir", here, "-o", tmp_path / "lift.packet.json")
        people.sign(tmp_path / "lift.packet.json", "XX-1", "reviewer-1")
        done = json.loads(redhand("publish", here, tmp_path / "lift.packet.json", "--json"))
        assert (done["size"], done["orders"][0]["index"]) == (2, 1)
        assert someone.look(base).size == 2
        before = someone.look(base)
        redhand("refresh", here)
        assert someone.look(base).root == before.root


def test_signing_asks_for_the_name_and_for_the_passphrase(people: People, here: Path, tmp_path: Path) -> None:
    draft = tmp_path / "order.packet.json"
    redhand("draft", written(tmp_path / "order.yaml", order()), "--dir", here, "-o", draft)
    untouched = draft.read_bytes()
    for typed in ("site.test\nsecret of officer-1\n", "\n\n\nwww.site.tes\nsecret of officer-1\n"):
        with pytest.raises(RedHandError, match=r"'www\.site\.test' stands there: nothing is signed"):
            redhand("sign", draft, "--key", people.key("officer-1"), typed=typed)
    with pytest.raises(RedHandError, match="check the passphrase"):
        redhand("sign", draft, "--key", people.key("officer-1"), typed="www.site.test\nwrong\n")
    assert draft.read_bytes() == untouched
    said = redhand("sign", draft, "--key", people.key("officer-1"), typed="www.site.test\nsecret of officer-1\n")
    assert "To sign this, type www.site.test" in said
    assert "secret of officer-1" not in said
    file = tmp_path / "passphrase"
    file.write_text("secret of officer-2\n")
    redhand("sign", draft, "--key", people.key("officer-2"), "--yes-typed", "www.site.test", "--passphrase-file", file)
    assert "entry 0" in redhand("publish", here, draft)


def test_a_key_is_asked_for_twice_and_needs_a_passphrase(tmp_path: Path) -> None:
    assert "private key, encrypted" in redhand("key", tmp_path / "a.pem", "--person", "A", typed="one\none\n")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(RedHandError, match="the passphrase is empty"):
        redhand("key", tmp_path / "b.pem", "--person", "B", "--passphrase-file", tmp_path / "empty")
    assert not (tmp_path / "b.pem").exists()
    with pytest.raises(RedHandError, match=r"a\.pub\.json exists"):
        redhand("key", tmp_path / "a.pem", "--person", "A", passphrase="x")


def test_every_role_is_rotated_and_a_stolen_key_taken_out(people: People, here: Path, tmp_path: Path) -> None:
    packets = {name: here / "packets" / f"{name}.packet.json" for name in ("root", "targets")}
    publics = [people.directory / name / f"{name}.pub.json" for name in ("targets-2", "targets-3")]
    someone = client(tmp_path / "client", here)
    with served(here) as base:
        someone.look(base)
        for role, given in (("snapshot", "root"), ("timestamp", "root"), ("checkpoint", "targets"), ("log", "targets"), ("root", "root")):
            assert "When signed: redhand authority publish" in redhand("rotate", here, role)
            people.sign(packets[given], ORIGIN, *((f"{given}-1", f"{given}-2")))
            redhand("publish", here, packets[given])
            someone.look(base)
        redhand("rotate", here, "targets", "--key", publics[0], "--key", publics[1], "--threshold", "1")
        people.sign(packets["root"], ORIGIN, "root-2", "root-3")
        people.sign(packets["targets"], ORIGIN, "targets-2", "targets-3")
        redhand("publish", here, *packets.values())
        draft = tmp_path / "order.packet.json"
        redhand("draft", written(tmp_path / "order.yaml", order()), "--dir", here, "-o", draft)
        people.sign(draft, "www.site.test", "officer-1", "officer-2")
        redhand("revoke", here, "officer-2", "--since", "0")
        people.sign(packets["targets"], ORIGIN, "targets-3")
        redhand("publish", here, packets["targets"])
        seen = someone.look(base)
        assert someone.policy is not None
        assert [each.since for each in someone.policy.compromised] == [0]
        assert client(tmp_path / "new", here).look(base) == seen
    with pytest.raises(RedHandError, match=r"without compromised keys 1 did.*signature\.compromised"):
        redhand("publish", here, draft)
    redhand("draft", tmp_path / "order.yaml", "--dir", here, "-o", draft)
    with pytest.raises(RedHandError, match="does not count for this directive"):
        people.sign(draft, "www.site.test", "officer-2")


def test_the_ceremonys_file_edited_is_the_next_policy(people: People, here: Path, ceremony: Path) -> None:
    document = yaml.safe_load(ceremony.read_text(encoding="utf-8"))
    document["limits"]["names_per_hour"] = 7
    document["protected"].append("hospital.example")
    written(ceremony, document)
    packet = ceremony.parent / "policy.packet.json"
    assert "targets packet" in redhand("draft", ceremony, "--dir", here, "-o", packet)
    people.sign(packet, ORIGIN, "targets-1", "targets-2")
    assert "targets 2" in redhand("publish", here, packet)
    with pytest.raises(RedHandError, match=r"hospital\.example: is a protected name"):
        redhand("draft", written(ceremony.parent / "order.yaml", order("X", "hospital.example")), "--dir", here, "-o", packet)


def test_status_says_what_expires_and_what_waits(people: People, here: Path, ceremony: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(redhand("status", here, "--json"))
    assert {name: round(role["days_left"]) for name, role in found["roles"].items()} == {
        "root": 365,
        "targets": 365,
        "checkpoint": 7,
        "snapshot": 7,
        "timestamp": 1,
    }
    assert found["roles"]["root"]["holders"][0]["person"] == "Person root-1"
    assert (found["origin"], found["log"]["size"], found["last_order"], found["waiting"]) == (ORIGIN, 0, None, [])
    redhand("rotate", here, "root")
    people.sign(here / "packets" / "root.packet.json", ORIGIN, "root-1")
    (waits,) = json.loads(redhand("status", here, "--json"))["waiting"]
    assert [(need["threshold"], need["missing"]) for need in waits["needs"]] == [(2, 1)]
    text = redhand("status", here)
    assert "1 of 2 missing for root role of root version 1: Person root-2, Person root-3" in text
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 364 * 86_400)
    with pytest.raises(typer.Exit):
        redhand("status", here)


def test_status_before_anything_is_published(ceremony: Path) -> None:
    directory = ceremony.parent / "another"
    redhand("init", directory, ceremony)
    text = redhand("status", directory)
    assert "nothing is published yet" in text
    assert "2 of 2 missing for root role of root version 1" in text
    with pytest.raises(RedHandError, match="the first time needs the packets root and targets together"):
        redhand("publish", directory)
    with pytest.raises(RedHandError, match="the root packet needs 2 signatures of the root role and lacks 2"):
        redhand("publish", directory, *(directory / "packets").iterdir())
    with pytest.raises(RedHandError, match=r"nothing is published in .* yet; have packets/root"):
        redhand("rotate", directory, "timestamp")
    assert Tree(directory / "public" / "log").size == 0


def test_the_program_refuses_in_one_line(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "redhand", "authority", "status", str(tmp_path / "nowhere")], capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 1
    assert run.stderr.startswith("redhand: ")
    assert "is no authority's directory; make one" in run.stderr
    assert run.stderr.count("\n") == 1
