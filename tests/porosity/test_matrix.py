"""The matrix: orders in other servers' forms mean the same there, and what comes of a run of it is what is so."""

from __future__ import annotations

import pytest

from porosity.lab.addresses import LANDING
from porosity.lab.scenario import Counts
from porosity.matrix import forms, results
from porosity.matrix.house import RED_HAND, House
from porosity.matrix.peers import PEERS
from tests.tools import require

VECTORS = ("type-a", "type-https", "transport-tcp", "name-www", "name-cname", "name-svcb-alias")
TESTED = ("dnsdist", "dnsdist-changed", "unbound")
NAMES = Counts(apex=1, deep=1, exact=1, signed=0, canaries=1, neighbours=3)


def test_an_exact_order_covers_nothing_below_in_any_form() -> None:
    orders = [("listed.example", "subtree"), ("one.example", "exact")]
    zone = forms.policy_zone(orders, LANDING).splitlines()
    assert f"*.listed.example A {LANDING[0]}" in zone
    assert f"one.example AAAA {LANDING[1]}" in zone
    assert not [line for line in zone if line.startswith("*.one.")]
    assert "address=/one.example/" not in forms.dnsmasq(orders, LANDING, others=True)
    assert "only:add(newDNSName('one.example.'))" in forms.dnsdist(orders, LANDING, others=False)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, results.Row]:
    for name in ("dnsdist", "unbound"):
        require(name)
    directory = tmp_path_factory.mktemp("matrix")
    with House([each for each in PEERS if each.id in TESTED], NAMES, VECTORS, 1, 7, directory / "lab") as lab:
        planned = lab.plan(directory / "study")
        lab.probe(directory / "study", timeout=2.0, tries=2)
        assert not lab.dead()
    return results.judge(planned.study, lab.world, LANDING)


def test_red_hand_is_open_by_no_way_and_delivers(rows: dict[str, results.Row]) -> None:
    row = rows[RED_HAND]
    assert not row.open
    assert row.ways["name-svcb-alias"].covered == 3
    assert row.landing[0] == row.landing[1] > 0
    assert row.ede[0] == row.ede[1] > 0


def test_what_a_peer_lets_through_is_told_and_what_its_change_closes(rows: dict[str, results.Row]) -> None:
    assert set(rows["dnsdist"].open) == {"name-cname", "name-svcb-alias", "type-https"}
    assert set(rows["dnsdist-changed"].open) == {"name-cname", "name-svcb-alias"}
    assert set(rows["unbound"].open) == {"name-svcb-alias"}
    table = results.table(rows, {id: id for id in rows})
    assert table[-1].startswith("| type-https | · | ")
    assert all(not row.overblocked and not row.differ for row in rows.values())
