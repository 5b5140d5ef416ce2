"""What a ceremony refuses: one key or person in two places, thresholds nobody can meet, a file that is not one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from authority import keys, spec
from authority.ceremony import ceremony
from authority.errors import AuthorityError
from authority.example import EXAMPLE
from blocklists.errors import RedHandError
from tests.authority.cast import NOW, Cast, found

CAST = Cast()


def same_key(document: dict[str, Any]) -> None:
    document["officers"]["north-2"]["key"] = CAST.holder("north-1")


def same_person(document: dict[str, Any]) -> None:
    document["officers"]["north-2"]["key"] = keys.holder(CAST["another key"].key, "north-1")


def officer_holds_root(document: dict[str, Any]) -> None:
    document["root"]["keys"][0] = keys.holder(CAST["another key"].key, "north-1")


def officer_reviews(document: dict[str, Any]) -> None:
    document["reviewers"]["reviewer-1"] = keys.holder(CAST["another key"].key, "north-1")


def officers_key_for_targets(document: dict[str, Any]) -> None:
    document["targets"]["keys"][0] = CAST.holder("south-1")


def root_twice(document: dict[str, Any]) -> None:
    document["root"]["keys"][1] = document["root"]["keys"][0]


def one_person_two_root_keys(document: dict[str, Any]) -> None:
    document["root"]["keys"][1] = keys.holder(CAST["another key"].key, "root-1")


def administrator_is_officer(document: dict[str, Any]) -> None:
    document["administrators"] = ["north-1"]


def operator_has_an_officers_key(document: dict[str, Any]) -> None:
    document["operators"] = {"provider-1": {"name": "Provider", "key": CAST.holder("north-1")}}


def too_high(document: dict[str, Any]) -> None:
    document["root"]["threshold"] = 4


def too_few_officers(document: dict[str, Any]) -> None:
    document["categories"]["fraud"]["threshold"] = 2


def no_such_authority(document: dict[str, Any]) -> None:
    document["categories"]["fraud"]["authorities"] = ["west"]


def odd_origin(document: dict[str, Any]) -> None:
    document["origin"] = "two words"


def no_name(document: dict[str, Any]) -> None:
    document["protected"] = ["not a name"]


def unknown_field(document: dict[str, Any]) -> None:
    document["treshold"] = 1


def missing(document: dict[str, Any]) -> None:
    del document["targets"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (same_key, "same key"),
        (same_person, "'north-1' holds two offices"),
        (officer_holds_root, "north-1"),
        (officer_reviews, "north-1"),
        (officers_key_for_targets, "who checks must not be who is checked"),
        (root_twice, "root: one key stands there twice"),
        (one_person_two_root_keys, "root: 'root-1' holds two of its keys"),
        (administrator_is_officer, "north-1"),
        (operator_has_an_officers_key, "operator provider-1"),
        (too_high, "root: 4 of the 3 keys of 'root' must sign, and cannot"),
        (too_few_officers, "needs 2 officers, and 1 may order it"),
        (no_such_authority, "names the authority 'west'"),
        (odd_origin, "origin"),
        (no_name, "protected: "),
        (unknown_field, "treshold"),
        (missing, "misses 'targets'"),
    ],
)
def test_what_must_not_be_is_refused_and_nothing_is_made(tmp_path: Path, change: Callable[[dict[str, Any]], None], why: str) -> None:
    document = CAST.document()
    change(document)
    with pytest.raises(RedHandError, match=why):
        ceremony(tmp_path / "authority", spec.from_document(document, tmp_path), NOW)
    assert not (tmp_path / "authority").exists()


def test_an_authority_is_made_once(tmp_path: Path) -> None:
    found(CAST, tmp_path / "authority")
    with pytest.raises(AuthorityError, match="is an authority's directory already"):
        ceremony(tmp_path / "authority", spec.from_document(CAST.document(), tmp_path), NOW)


def test_online_keys_are_their_owners_alone(tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(CAST, here)
    assert (here / "online").stat().st_mode & 0o777 == 0o700
    assert sorted(path.name.partition("-")[0] for path in (here / "online").iterdir()) == ["checkpoint", "log", "snapshot", "timestamp"]
    assert {path.stat().st_mode & 0o777 for path in (here / "online").iterdir()} == {0o600}


def test_a_demonstration_is_marked_where_its_holders_sign(tmp_path: Path) -> None:
    for name, fields, marked in (("demo", {"demonstration": "true"}, True), ("real", {}, None)):
        root, _ = ceremony(tmp_path / name, spec.from_document(CAST.document(**fields), tmp_path), NOW)
        assert root.tuf.signed.unrecognized_fields["redhand"].get("demonstration") is marked


def test_the_example_is_a_ceremony(tmp_path: Path) -> None:
    named = set(yaml.safe_load(EXAMPLE)["root"]["keys"] + yaml.safe_load(EXAMPLE)["targets"]["keys"])
    named |= {one["key"] for one in yaml.safe_load(EXAMPLE)["officers"].values()} | set(yaml.safe_load(EXAMPLE)["reviewers"].values())
    for name in named:
        (tmp_path / name).write_bytes(CAST.holder(name.removesuffix(".pub.json")).encode())
    (tmp_path / "ceremony.yaml").write_text(EXAMPLE, encoding="utf-8")
    root, _ = ceremony(tmp_path / "authority", spec.load(tmp_path / "ceremony.yaml"), NOW)
    assert root.tuf.signed.roles["root"].threshold == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [("a: 1\nb: [\n", "is not YAML"), ("a: 1\n---\nb: 2\n", "holds 2 documents"), ("root: 1\n", "misses"), ("", "holds 0 documents")],
)
def test_a_file_that_is_no_ceremony(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "ceremony.yaml").write_text(text)
    with pytest.raises(RedHandError, match=why):
        spec.load(tmp_path / "ceremony.yaml")
