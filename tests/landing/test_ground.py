"""What is believed of the authority's policy, and what it says of each order."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from blocklists import store
from landing.ground import NOTHING, Ground, Words, is_due, load

CLOCKS = {"owner_hours": 24, "operator_hours": 24, "review_hours": 2208, "grace_hours": 336, "restore_hours": 12}


def epoch(begins: int, words: str, **fields: Any) -> dict[str, Any]:
    return {
        "begins": begins,
        "authorities": {
            "north": {"name": "North", "contact": "north@authority.example", "register_url": "https://north.authority.example/"},
            "south": {"name": "South", "contact": "south@authority.example"},
        },
        "categories": {
            "terrorism": {"authorities": ["north"], "texts": {"en": words, "fr": f"{words} (fr)"}, "clocks": CLOCKS},
            "fraud": {"authorities": ["north", "south"], "texts": {"en": "It defrauds."}, "clocks": CLOCKS},
        },
        "officers": {"n1": {"role": "officer"}, "r1": {"role": "reviewer"}},
        **fields,
    }


GROUND = Ground("", {"epochs": [epoch(0, "old words"), epoch(7, "new words", officers={"n1": {"role": "officer"}})]})


def basis(index: int = 0, category: str = "terrorism", authority: str = "North", **fields: Any) -> dict[str, Any]:
    return {"index": index, "category": category, "issuer": {"authority": authority}, "layer": "orders", "verified": True, **fields}


def test_an_order_is_spoken_of_by_the_policy_of_its_own_place_in_the_log() -> None:
    assert GROUND.of(basis(6)) == Words({"en": "old words", "fr": "old words (fr)"}, 12, True, "https://north.authority.example/")
    assert GROUND.of(basis(7)) == Words({"en": "new words", "fr": "new words (fr)"}, 12, False, "https://north.authority.example/")


@pytest.mark.parametrize(("authority", "register"), [("North", "https://north.authority.example/"), ("South", ""), ("East", "")])
def test_of_several_authorities_the_one_that_the_order_names_has_the_page(authority: str, register: str) -> None:
    assert GROUND.of(basis(category="fraud", authority=authority)).register == register


@pytest.mark.parametrize(
    "found",
    [
        basis(layer="local"),
        basis(verified=False),
        basis(category="witchcraft"),
        basis(index=-1),
        {key: value for key, value in basis().items() if key != "index"},
        {},
    ],
)
def test_what_the_log_did_not_bring_is_not_given_the_authoritys_words(found: dict[str, Any]) -> None:
    assert GROUND.of(found) == NOTHING


def test_only_the_policy_that_the_version_names_is_believed(tmp_path: Path) -> None:
    def version(data: bytes | None) -> store.Version:
        return cast("store.Version", SimpleNamespace(manifest={"orders": data and {"policy": sha256(data).hexdigest()}}))

    def written(words: str) -> bytes:
        return json.dumps({"epochs": [epoch(0, words)]}).encode()

    def words(ground: Ground | None) -> str:
        return "" if ground is None else ground.of(basis()).category["en"]

    first, second = written("first"), written("second")
    path = tmp_path / "trust" / "policy.json"
    assert load(tmp_path, version(first), None) is None, "there is no file"
    path.parent.mkdir()
    path.write_bytes(first)
    assert load(tmp_path, version(None), None) is None, "no log brought an order"
    assert load(tmp_path, version(second), None) is None, "it is another one"
    found = load(tmp_path, version(first), None)
    assert words(found) == "first"
    # The feed puts a version in force a moment before it replaces the file.
    kept = load(tmp_path, version(second), found)
    assert words(kept) == "first"
    assert is_due(version(second), kept)
    path.write_bytes(second)
    new = load(tmp_path, version(second), kept)
    assert words(new) == "second"
    assert not is_due(version(second), new)
    path.unlink()
    assert load(tmp_path, version(second), new) is new, "it is not read again"
