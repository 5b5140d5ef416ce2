"""The audit log's head in the public log: who changes the desk's memory afterwards contradicts what every operator holds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from authority import anchors, batches
from authority.desk import anchoring, audit, publishing
from authority.desk.tables import Anchor, Audit
from authority.publisher import publish
from authority.repository import published
from authority.standing import standings
from tests.authority.desk.orders.house import DAY, HOUR, House
from tests.authority.feeding import registered, serving


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.desk.close()


def lines(house: House, count: int) -> None:
    with house.desk.store.writing() as session:
        for _ in range(count):
            audit.record(session, house["auditor"], "report.read", "report:1", house.now)


def public(house: House) -> list[int]:
    """Of each head in the public log: how many lines."""
    return [head.lines for _, head in anchors.logged(house.tree())]


def faults(house: House) -> list[str]:
    with house.desk.store.reading() as session:
        return anchoring.verify(house.desk, session)


def test_the_head_goes_out_each_day_and_each_thousand_lines(house: House) -> None:
    assert not anchoring.anchor(house.desk, house.now)
    lines(house, 1)
    assert anchoring.anchor(house.desk, house.now)
    lines(house, 999)
    assert not anchoring.anchor(house.desk, house.now + DAY - 1)
    lines(house, 1)
    assert anchoring.anchor(house.desk, house.now + 1)
    lines(house, 1)
    house.now += DAY + 1
    assert anchoring.anchor(house.desk, house.now)
    assert not anchoring.anchor(house.desk, house.now + 2 * DAY)
    assert public(house) == [1, 1001, 1002]
    assert faults(house) == []


def test_each_publication_takes_it_along_once(house: House) -> None:
    house.ordered()
    (anchored,) = public(house)
    with house.desk.store.reading() as session:
        line = session.get_one(Audit, anchored)
    assert line.action == "order.publish"
    assert faults(house) == []
    _, second = house.ordered()
    assert len(public(house)) == 2
    house.publish(second)
    assert len(public(house)) == 2


def test_nobody_who_reads_the_log_can_try_out_what_the_lines_say(house: House) -> None:
    lines(house, 1)
    anchoring.anchor(house.desk, house.now)
    ((_, head),) = anchors.logged(house.tree())
    with house.desk.store.reading() as session:
        known = session.get_one(Anchor, 1)
    assert known.hash not in head.audit
    assert anchoring.head_of(known) == head
    assert anchoring.head_of(Anchor(number=1, hash=known.hash, salt="0" * 32)) != head


def _rewritten(session: Session) -> None:
    """Another history, its chain whole: what the administrator of a database can make."""
    before = audit.BEGINNING
    for line in session.scalars(select(Audit).order_by(Audit.number)):
        line.who = "nobody"
        before = line.hash = audit._hash(before, line)


def _all_rewritten(session: Session) -> None:
    _rewritten(session)
    session.flush()
    for each in session.scalars(select(Anchor)):
        each.hash = session.get_one(Audit, each.number).hash


@pytest.mark.parametrize(
    ("crime", "words"),
    [
        (lambda session: session.execute(update(Audit).where(Audit.number == 2).values(who="nobody")), "line 2 is not what was written"),
        (lambda session: session.execute(delete(Audit).where(Audit.number == 2)), "line 2 is missing"),
        (lambda session: session.execute(delete(Audit).where(Audit.number > 1)), "line 5 is missing here"),
        (lambda session: session.execute(delete(Anchor)), "this database did not make it"),
        (_rewritten, "line 5 is another here"),
        (_all_rewritten, "this database did not make it"),
    ],
    ids=["changed", "removed", "shortened", "without anchors", "rewritten", "rewritten with its anchors"],
)
def test_what_is_changed_afterwards_is_noticed(house: House, crime: Callable[[Session], object], words: str) -> None:
    lines(house, 5)
    anchoring.anchor(house.desk, house.now)
    lines(house, 3)
    assert faults(house) == []
    with house.desk.store.writing() as session:
        crime(session)
    assert any(words in fault for fault in faults(house)), faults(house)


def test_an_older_database_put_back_is_not_anchored_over_the_newer(house: House, caplog: pytest.LogCaptureFixture) -> None:
    lines(house, 5)
    anchoring.anchor(house.desk, house.now)
    with house.desk.store.writing() as session:
        session.execute(delete(Anchor))
        session.execute(delete(Audit).where(Audit.number > 2))
    with caplog.at_level(logging.ERROR):
        assert anchoring.anchor(house.desk, house.now, sure=True)
    assert "ALARM audit" in caplog.text
    assert public(house) == [5]
    assert faults(house)
    number, _ = house.ordered()
    assert house.blocked()[house.row(number).title] == number


def test_an_anchor_killed_before_it_was_noted_is_found_in_the_log(house: House) -> None:
    lines(house, 2)
    assert anchoring.prepare(house.desk, house.now)
    publish(house.directory, [], house.now)
    with house.desk.store.reading() as session:
        assert session.get_one(Anchor, 2).log_index is None
    publishing.follow_log(house.desk, house.now)
    with house.desk.store.reading() as session:
        assert session.get_one(Anchor, 2).log_index == 0
    assert not anchoring.anchor(house.desk, house.now)
    assert public(house) == [2]


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"audit":7,"lines":1}', b'{"audit":"sha256:00","lines":1}', b"\xff", b'{"audit":"x","lines":-1}'])
def test_a_damaged_head_keeps_no_order_waiting(house: House, damage: bytes) -> None:
    (house.directory / "desk" / "head.json").write_bytes(damage)
    assert anchors.unlogged(house.desk.places, house.tree(), house.now) is None
    lines(house, 1)
    assert anchoring.anchor(house.desk, house.now)
    assert public(house) == [1]


def test_where_the_log_was_read_to_may_be_lost(house: House) -> None:
    lines(house, 1)
    anchoring.anchor(house.desk, house.now)
    house.ordered()
    count = len(public(house))
    for damage in (b"", b"99999 1 -\n", b"\xff"):
        (house.directory / "desk" / "anchored").write_bytes(damage)
        publish(house.directory, [], house.now)
        assert len(public(house)) == count
    assert anchors.newest(house.desk.places, house.tree()).lines == public(house)[-1]


def test_operators_owe_no_receipt_for_it_and_it_counts_as_no_receipts(tmp_path: Path) -> None:
    house = House(tmp_path, int(time.time()))
    operator = registered(house.cast, house.directory, "operator-1", house.now)
    house.ordered("one.test")
    with serving(house.directory) as server:
        data = operator.receipt(house.tree())
        assert server.ask("receipts", "POST", data, Authorization=operator.bearer).status == 200
        before = batches.logged(house.desk.places, house.tree())
        lines(house, 3)
        assert anchoring.anchor(house.desk, house.now, sure=True)
        assert batches.logged(house.desk.places, house.tree()) == before + 1
    rules = published(house.desk.places).policy
    (standing,) = [each for each in standings(house.desk.places, rules, house.tree()) if each.operator == "operator-1"]
    assert standing.behind == 0
    assert house.tree().size > standing.size
    assert house.blocked(house.now + HOUR)
    house.desk.close()
