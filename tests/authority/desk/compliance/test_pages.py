"""The pages of compliance over a real server: who may see what, in both languages, and what an export holds."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from importlib import resources

import pytest

from authority.desk.enforcement import penalty
from authority.desk.web import compliance_labels as labels
from authority.desk.web.french_compliance import TEXTS
from tests.authority.desk.compliance.served import NASTY, watched
from tests.authority.desk.web.pages import Pages, plain


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    made = watched(tmp_path_factory.mktemp("pages"))
    yield made
    made.close()


def test_an_officer_sees_the_fleet_at_a_glance(desk: Pages) -> None:
    page = desk.by("officer").get("/compliance")
    said = plain(page)
    assert said.index("op-2") < said.index("op-1")  # who is in trouble comes first
    assert NASTY not in page
    assert "&lt;script&gt;" in page
    assert re.search(r"op-1 .*?log size \d+", said)
    assert "no receipt yet" in said
    assert "<svg" in page
    assert " style=" not in page
    assert re.search(r"2 +op-2 +0.% +0 of 2", said)  # one that ended undone, one that is overdue: silence betters no place
    for weeks in (1, 4, 13, 52):
        desk.by("officer").get(f"/compliance?weeks={weeks}")
    desk.by("officer").get("/compliance?weeks=7", 422)


def test_one_operator_one_order_and_what_would_be_owed(desk: Pages) -> None:
    page = desk.by("auditor").get("/compliance/operators/op-2")
    assert "silent.example" in page
    assert "silent" in plain(page)
    index = re.search(r"/compliance/orders/(\d+)", page)
    assert index is not None
    order = plain(desk.by("clerk").get(f"/compliance/orders/{index[1]}"))
    assert re.search(r"op-2 .*? silent", order)
    for show in ("overdue", "late", "missed", "waiting", "applied", "all"):
        desk.by("officer").get(f"/compliance/operators/op-1?show={show}")
    owed = plain(desk.by("officer").get("/compliance/operators/op-2/penalty?month=2026-09"))
    assert "Hours begun: 7 at 100.00 EUR each: 700.00 EUR." in owed
    assert "Not done yet" in owed
    desk.by("officer").get("/compliance/operators/op-9", 404)
    desk.by("officer").get("/compliance/orders/99999", 404)
    desk.by("officer").get("/compliance/operators/op-1?after=x", 422)
    desk.by("officer").get("/compliance/operators/op-1/penalty?month=9999-01", 422)


def test_an_operator_sees_itself_and_for_it_others_do_not_exist(desk: Pages) -> None:
    mine = desk.by("op-1-account")
    assert mine.http.get("/compliance").headers["location"] == "/compliance/operators/op-1"
    page = mine.get("/compliance/operators/op-1?show=all")
    assert "op-2" not in page
    for path in ("/compliance/operators/op-2", "/compliance/operators/op-2/penalty", "/compliance/export.csv?operator=op-2"):
        mine.get(path, 404)
    for index in set(re.findall(r"/compliance/orders/(\d+)", page)):
        assert "op-2" not in mine.get(f"/compliance/orders/{index}")
    rows = json.loads(mine.get("/compliance/export.json"))
    assert rows
    assert {each["operator"] for each in rows} == {"op-1"}
    mine.get("/cases", 403)


def test_who_is_not_signed_in_sees_nothing(desk: Pages) -> None:
    stranger = desk.by("nobody")
    for path in ("/compliance", "/compliance/operators/op-1", "/compliance/orders/0", "/compliance/export.csv"):
        assert stranger.http.get(path).status_code == 303


def test_exports_agree_and_no_cell_is_a_formula(desk: Pages) -> None:
    rows = json.loads(desk.by("auditor").get("/compliance/export.json"))
    lines = list(csv.DictReader(io.StringIO(desk.by("auditor").get("/compliance/export.csv"))))
    assert [(each["operator"], each["order"], each["state"]) for each in rows] == [(each["operator"], each["order"], each["state"]) for each in lines]
    assert {(each["operator"], each["kind"], each["state"]) for each in rows} >= {
        ("op-1", "block", "applied"), ("op-1", "lift", "applied"), ("op-2", "block", "silent"), ("op-2", "lift", "waiting"),
    }  # fmt: skip
    assert sum(each["penalty"] for each in rows) >= 60_000
    assert not any(value.startswith(("=", "+", "-", "@")) for line in lines for value in line.values() if value)


def test_the_french_is_complete(desk: Pages) -> None:
    folder = resources.files("authority.desk.web") / "templates"
    written = {
        text for each in folder.iterdir() if each.name.startswith("compliance") for text in re.findall(r'_\("([^"]+)"', each.read_text("utf-8"))
    }
    words = {each[0] for each in labels.STATES.values()} | {*labels.WHATS.values(), *labels.ACTIONS.values(), *labels.SHOWS.values()}
    lines = re.findall(r'Line\("([^"]+)"', (resources.files(penalty.__package__ or "") / "penalty.py").read_text("utf-8"))
    assert len(lines) > 8
    assert not (written | words | set(lines)) - TEXTS.keys()
    for text, french in TEXTS.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", french)), text
    page = plain(desk.by("officer", "fr").get("/compliance"))
    assert "Appliqué à temps" in page
    assert "Entamées" not in page
    assert "Heures entamées" in plain(desk.by("officer", "fr").get("/compliance/operators/op-2/penalty?month=2026-09"))
