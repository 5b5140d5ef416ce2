"""Would a name be blocked, by what, and why: one table, and the forms for people and machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blocklists import store
from blocklists.check import check
from blocklists.errors import BadName
from tests.blocklists.lists import AS_OF, House, documents, order


@pytest.fixture
def version(tmp_path: Path) -> store.Version:
    """Two orders, one of them yet to begin, an own list and a pass list."""
    house = House(tmp_path)
    house.source("orders", "directives")
    house.source("own", "domains", mode="nxdomain")
    house.source("hosts", "hosts")
    house.source("passed", "domains", action="pass")
    later = order("FR-2", "later.example", expires="2090-01-01T00:00:00Z").replace("2026-01-03", "2030-01-01")
    house.write("orders", documents(order("FR-1", "one.example"), order("FR-3", "deep.one.example"), later))
    house.write("own", "own.example\none.example\nsub.passed.example\npassed.example\n")
    house.write("hosts", "192.0.2.1 exact.example\n")
    house.write("passed", "passed.example\none.example\n")
    house.build()
    return store.open_current(house.state)


@pytest.mark.parametrize(
    ("name", "now", "verdict", "decides", "effects"),
    [
        ("other.example", AS_OF, "not listed", None, []),
        ("own.example", AS_OF, "blocked", "own", ["in force, decides"]),
        ("www.own.example", AS_OF, "blocked", "own", ["in force, decides"]),
        ("exact.example", AS_OF, "blocked", "hosts", ["in force, decides"]),
        ("www.exact.example", AS_OF, "not listed", None, []),
        ("notown.example", AS_OF, "not listed", None, []),
        ("later.example", AS_OF, "not listed", None, ["not yet in force: starts 2030-01-01T00:00:00Z"]),
        ("later.example", 1_900_000_000, "blocked", "FR-2", ["in force, decides"]),
        ("later.example", 3_900_000_000, "not listed", None, ["no longer in force: ended 2090-01-01T00:00:00Z"]),
        ("passed.example", AS_OF, "passed", "passed", ["in force, but passed by the operator", "in force, decides"]),
        (
            "sub.passed.example",
            AS_OF,
            "passed",
            "passed",
            ["in force, but passed by the operator", "in force, but passed by the operator", "in force, decides"],
        ),
        (
            "x.deep.one.example",
            AS_OF,
            "blocked",
            "FR-3",
            [
                "in force, decides",
                "in force; a directive with a longer listed name, or listed before it, decides",
                "in force, but a directive outranks it",
                "in force, but a directive outranks it",
            ],
        ),
    ],
)
def test_verdicts(version: store.Version, name: str, now: int, verdict: str, decides: str | None, effects: list[str]) -> None:
    report = check(version, name, now)
    assert report.verdict == verdict
    assert (report.decides.rule.reference if report.decides else None) == decides
    assert [covering.effect for covering in report.covering] == effects


def test_a_machine_reads_all_of_it(version: store.Version) -> None:
    report = json.loads(json.dumps(check(version, "WWW.One.example.", AS_OF).to_json()))
    assert (report["name"], report["verdict"], report["now"]) == ("www.one.example", "blocked", AS_OF)
    assert report["version"] == {"serial": 1, "identity": version.identity}
    decides = report["decides"]
    assert (decides["kind"], decides["mode"], decides["reference"], decides["match"], decides["listed"]) == (
        "directive",
        "redirect",
        "FR-1",
        "subtree",
        "one.example",
    )
    assert (decides["basis"]["id"], decides["basis"]["layer"], decides["basis"]["source"]) == ("FR-1", "local", "orders")
    assert [covering["kind"] for covering in report["covering"]] == ["directive", "own", "pass"]


def test_a_person_reads_what_matters(version: store.Version) -> None:
    assert check(version, "www.one.example", AS_OF).to_text().splitlines()[:4] == [
        "www.one.example: blocked (redirect) by directive FR-1, which lists one.example and everything under it",
        "  source: orders (layer local)",
        "  verified: no: a transcription by the operator",
        "  category: terrorism",
    ]
    assert check(version, "later.example", AS_OF).to_text().splitlines()[:3] == [
        "later.example: not blocked; no rule in force covers it",
        "  also listed:",
        "    directive FR-2, which lists later.example and everything under it (not yet in force: starts 2030-01-01T00:00:00Z)",
    ]
    assert check(version, "other.example", AS_OF).to_text().splitlines()[0] == "other.example: not blocked; nothing lists it"
    assert check(version, "passed.example", AS_OF).to_text().splitlines()[0] == (
        "passed.example: not blocked; passed by the operator's pass list passed, which lists passed.example and everything under it"
    )


def test_what_is_no_name_is_refused(version: store.Version) -> None:
    with pytest.raises(BadName, match="empty label"):
        check(version, "a..example", AS_OF)
