"""`redhand authority operator …`: a token once, the registration for people to sign, and what status and list say of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from authority import packets, tokens
from authority.ceremony import TARGETS
from authority.keys import generate, holder
from authority.places import Places
from authority.publisher import Publisher
from tests.authority.cast import NOW, Cast, found


def redhand(*arguments: object, fails: bool = False) -> str:
    done = subprocess.run([sys.executable, "-m", "redhand", "authority", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


def test_operators_are_registered_listed_and_removed(tmp_path: Path) -> None:
    cast, directory = Cast(), tmp_path / "authority"
    publisher: Publisher = found(cast, directory)
    given = {}
    for name in ("operator-1", "operator-2"):
        key = tmp_path / f"{name}.pub.json"
        key.write_bytes(holder(generate().key, name).encode())
        said = redhand("operator", "add", directory, name, "--name", f"{name} Telecom", "--key", key).splitlines()
        given[name] = said[1]
    known = tokens.Tokens(tokens.path_of(Places(directory)))
    assert {known.operator(f"Bearer {token}".encode()) for token in given.values()} == set(given)
    listed = redhand("operator", "list", directory)
    assert not any(token in listed for token in given.values())
    assert "no key in the policy" in listed

    waiting = packets.load(directory / "packets" / TARGETS)  # the second draft took the first one along
    publisher.publish([cast.sign(waiting, "targets-1", "targets-2")], NOW)
    assert publisher.present is not None
    assert {one.name for one in publisher.present.policy.operators.values()} == {"operator-1 Telecom", "operator-2 Telecom"}
    assert "no key in the policy" not in redhand("operator", "list", directory)
    status = json.loads(subprocess.run(
        [sys.executable, "-m", "redhand", "authority", "status", str(directory), "--json"], capture_output=True, text=True, check=False
    ).stdout)  # fmt: skip
    assert [(each["operator"], each["token"], each["number"]) for each in status["operators"]] == [("operator-1", True, 0), ("operator-2", True, 0)]

    redhand("operator", "remove", directory, "operator-1")
    known.look()
    assert known.operator(f"Bearer {given['operator-1']}".encode()) is None
    assert known.operator(f"Bearer {given['operator-2']}".encode()) == "operator-2"
    publisher.publish([cast.sign(packets.load(directory / "packets" / TARGETS), "targets-1", "targets-2")], NOW)
    assert set(publisher.present.policy.operators) == {"operator-2"}
    assert "is no operator here" in redhand("operator", "remove", directory, "operator-1", fails=True)


def test_a_server_that_cannot_begin_says_why(tmp_path: Path) -> None:
    assert "is no authority's directory" in redhand("serve", tmp_path, fails=True)
    directory = tmp_path / "authority"
    found(Cast(), directory)
    for listen in ("nowhere", "192.0.2.1:8443", "127.0.0.1:0"):
        assert f"cannot listen on {listen}" in redhand("serve", directory, "--listen", listen, fails=True)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"operators": {}, "type": "operators", "version": 1}', b"\xff", b'{"operators":[],"type":"operators","version":1}'],
)
def test_a_damaged_file_of_tokens_lets_nobody_in(tmp_path: Path, content: bytes) -> None:
    token = tokens.issue(Places(tmp_path), "operator-1", NOW)
    path = tokens.path_of(Places(tmp_path))
    known = tokens.Tokens(path)
    assert known.operator(f"Bearer {token}".encode()) == "operator-1"
    path.chmod(0o644)
    path.write_bytes(content)
    known.look()
    assert known.operator(f"Bearer {token}".encode()) is None
