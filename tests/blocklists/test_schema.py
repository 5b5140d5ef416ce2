"""The published schemas, by another implementation: they take what the models take, and refuse what the fields cannot be."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from blocklists import directive, receipt, review, schema
from blocklists.directive import canonical
from blocklists.errors import BadDocument
from tests.blocklists.trust.office import amend, block, follow, logged, make_policy, reviewed, sign, when

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema"
SCHEMAS = schema.schemas()
FULL = block(
    "XX-1",
    ".site.example",
    issuer={"authority": "north", "contact": "north@authority.example", "signers": ["n1", "n2"]},
    evidence=["sha256:00"],
    owner_unidentifiable=None,
    owner_unidentifiable_why=None,
    removal_request={"sent_at": when(-2), "recipient": "host.example", "deadline": when(-1), "outcome": "no answer"},
    enforce_by=when(1),
    review_due=when(90),
    reviewer="r1",
    guards=[{"guard": "popularity", "result": "not among the first 1,000,000", "tool": "guards 1", "data_version": "2026-02"}],
    redress={"url": "https://authority.example/", "deadline_days": 30, "court": "Court", "text": {"en": "Ask us.", "pt-BR": "Peça."}},
    territorial_scope="FR",
    nondisclosure={"until": when(9), "basis": "Law 2"},
    emergency={"ground": "A life is at risk."},
)
RECEIPT = {
    "type": "receipt",
    "version": 1,
    "log": "orders.authority.example/2026",
    "operator": "isp-1",
    "number": 1,
    "previous": None,
    "checkpoint": {"size": 1, "root": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "time": 1},
    "serial": 1,
    "identity": "0" * 64,
    "exceptions": [{"id": "XX-1", "what": "held", "why": "Too many names at once."}],
    "at": 1,
}
DIRECTIVES = [FULL, block(), amend(FULL, "x.example"), follow("withdraw", FULL), follow("suspend", FULL)]


def faults(name: str, document: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMAS[name]).iter_errors(document)]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_what_is_published_is_what_the_models_say(name: str) -> None:
    published = json.loads((PUBLISHED / name).read_text("utf-8"))
    assert published == SCHEMAS[name], "run: python -m blocklists.schema docs/schema"
    Draft202012Validator.check_schema(published)


def test_nothing_else_is_published() -> None:
    assert {path.name for path in PUBLISHED.iterdir()} == SCHEMAS.keys()


@pytest.mark.parametrize(
    ("name", "document"),
    [
        *(("directive.json", each) for each in DIRECTIVES),
        ("review.json", reviewed(FULL)),
        ("policy.json", make_policy().document()),
        ("envelope.json", sign(FULL, "n1").document()),
        ("receipt.json", RECEIPT),
        ("receipt.json", {**RECEIPT, "number": 2, "previous": "sha256:" + "0" * 64}),
        ("acknowledgement.json", {"type": "acknowledgement", "version": 1, "log": "a.example/1", "receipt": "sha256:" + "0" * 64, "at": 1}),
        ("entry.json", json.loads(logged(FULL))),
        ("entry.json", {"logged_at": 1, "receipts": "sha256:" + "0" * 64, "taken": 1}),
        ("entry.json", {"audit": "sha256:" + "0" * 64, "lines": 1, "logged_at": 1}),
    ],
)
def test_what_the_models_write_satisfies_the_schema(name: str, document: Any) -> None:
    assert faults(name, document) == []


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "x"},
        {"nonce": None},
        {"log": None},
        {"type": "review"},
        {"expires_at": None},
        {"expires_at": "2026-03-01"},
        {"targets": []},
        {"targets": [{"fqdn": "x.example"}]},
        {"follows": "sha256:" + "0" * 64},
        {"removal_request": None, "emergency": None},
        {"emergency": {"ground": "x", "confirmed_at": when(0)}},
        {"reasons": {"English": "x"}},
        {"surprise": 1},
    ],
)
def test_the_schema_refuses_what_the_model_refuses(change: dict[str, Any]) -> None:
    document = {name: value for name, value in {**FULL, **change}.items() if value is not None}
    assert faults("directive.json", document)
    with pytest.raises(BadDocument):
        directive.read(canonical(document))


def test_the_receipt_shown_here_is_one() -> None:
    assert receipt.read(canonical(RECEIPT)).document() == RECEIPT


def test_a_follower_needs_what_it_follows_and_a_withdrawal_has_no_targets() -> None:
    assert faults("directive.json", {name: value for name, value in DIRECTIVES[3].items() if name != "follows"})
    assert faults("directive.json", {**DIRECTIVES[3], "targets": FULL["targets"]})


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, item in inner for place in _places(item, (*path, name)))]


ODD = st.sampled_from(
    [None, True, 0, 1, -1, 4000, "", " x", "x", "é", "EN", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00+00:00", [], {}, ["x"], "sha256:" + "0" * 64]
)


@settings(max_examples=500)
@given(st.sampled_from([*DIRECTIVES, reviewed(FULL)]), st.data())
def test_an_order_is_read_exactly_as_signed_and_by_the_schema_or_refused(document: dict[str, Any], data: st.DataObject) -> None:
    document = copy.deepcopy(document)
    place = data.draw(st.sampled_from(_places(document)[1:]))
    inner: Any = document
    for name in place[:-1]:
        inner = inner[name]
    odd = data.draw(ODD)
    if data.draw(st.booleans()):
        inner[place[-1]] = odd
    else:
        del inner[place[-1]]
    payload = canonical(document)
    is_review = document.get("nonce") == reviewed(FULL)["nonce"]
    try:
        found = review.read(payload) if is_review else directive.read(payload)
    except BadDocument:
        return
    assert canonical(found.document()) == payload
    assert faults("review.json" if is_review else "directive.json", document) == []
