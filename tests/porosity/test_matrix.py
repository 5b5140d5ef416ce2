"""The matrix: orders in other servers' forms mean the same there, and what comes of a run of it is what is so."""

from __future__ import annotations

import pytest

from porosity.lab.addresses import LANDING
from porosity.lab.scenario import Counts
from porosity.matrix import forms, results
from porosity.matrix.house import RED_HAND, House
from porosity.matrix.peers import PEERS
from tests.tools import require

VECTORS = ("type-a", "type-https", "transport-tcp", "name-www", "name-cname", "name-svcb-alias", "name-svcb-service")
TESTED = ("dnsdist", "dnsdist-plain", "unbound", "dnsmasq", "knot", "knot-script", "powerdns-script")
NAMES = Counts(apex=1, deep=1, exact=1, signed=0, canaries=1, neighbours=3)


def test_an_exact_order_covers_nothing_below_in_any_form() -> None:
    orders = [("listed.example", "subtree"), ("one.example", "exact")]
    zone = forms.policy_zone(orders, LANDING).splitlines()
    assert f"*.listed.example A {LANDING[0]}" in zone
    assert f"one.example AAAA {LANDING[1]}" in zone
    assert not [line for line in zone if line.startswith("*.one.")]
    assert "address=/one.example/" not in forms.dnsmasq(orders, LANDING, best=False)
    assert "server=/*.one.example/#" in forms.dnsmasq(orders, LANDING, best=True)
    assert "only:add(newDNSName('one.example.'))" in forms.dnsdist(orders, LANDING, best=False)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, results.Row]:
    for name in ("dnsdist", "unbound", "dnsmasq", "kresd", "pdns_recursor"):
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
    assert row.ways["name-svcb-service"].covered == 3
    assert "name-svcb-alias" not in row.ways, "an alias leads to the name, and has nothing of it"
    assert row.landing[0] == row.landing[1] > 0
    assert row.ede[0] == row.ede[1] > 0


def test_what_a_peer_lets_through_at_its_best_is_told_with_its_reason(rows: dict[str, results.Row]) -> None:
    assert set(rows["dnsdist-plain"].open) == {"name-cname", "name-svcb-service", "type-https"}
    assert {id: set(row.open) for id, row in rows.items() if id not in (RED_HAND, "dnsdist-plain")} == {
        "dnsdist": {"name-cname", "name-svcb-service"},
        "dnsmasq": {"name-cname", "name-svcb-service"},
        "knot": {"name-cname", "name-svcb-service"},
        "unbound": {"name-svcb-service"},
        "knot-script": set(),
        "powerdns-script": set(),
    }
    assert all(peer.reason(vector) for peer in PEERS if peer.form == "best" and peer.id in rows for vector in rows[peer.id].open)
    table = results.table(rows, {id: id for id in rows})
    assert table[-1].startswith("| type-https | · | ")
    assert all(not row.overblocked and not row.differ for row in rows.values())
