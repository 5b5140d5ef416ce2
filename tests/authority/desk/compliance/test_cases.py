"""Receipts move cases: through a real authority, its publisher, its book of receipts and the operators' own judge of the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from authority.desk import compliance
from authority.desk.enforcement.tables import Obligation
from authority.desk.roles import Actor
from authority.receipts import Book
from authority.repository import published
from blocklists.directive import NEVER
from tests.authority.desk.orders.house import DAY, HOUR, House
from tests.authority.feeding import Operator, registered

ADMINISTRATOR = Actor("a.admin", frozenset({"administrator"}), 1)


@pytest.fixture(scope="module")
def operators(house: House) -> list[Operator]:
    return [registered(house.cast, house.directory, name, house.now) for name in ("op-1", "op-2")]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"), limits={"names_per_hour": 1000, "names_per_day": 5000})
    yield made
    made.desk.close()


def confirm(house: House, operator: Operator) -> None:
    """The operator has the log in force, and the authority takes its receipt."""
    book = Book(house.desk.places)
    try:
        policy = published(house.desk.places).policy
        book.take(operator.receipt(house.tree(), at=house.now), operator.name, policy, house.tree, house.now)
    finally:
        book.close()


def steps_of(house: House, number: str) -> list[str]:
    return [each.step for each in house.events(number)]


def look(house: House) -> int:
    return compliance.refresh(house.desk, house.now).steps


def test_a_case_hears_when_all_have_enforced_and_when_all_have_restored(house: House, operators: list[Operator]) -> None:
    number, order = house.ordered()
    assert look(house) == 0
    house.now += 5
    confirm(house, operators[0])
    assert look(house) == 0
    house.now += 5
    confirm(house, operators[1])
    assert look(house) == 1
    last = house.events(number)[-1]
    assert (last.step, last.who, last.details["index"]) == ("enforced", "log", order.log_index)
    assert (last.details["operators"], last.details["last"], last.details["seconds"]) == (2, "op-2", 10)
    assert "operators" not in [each.name for each in house.clocks(number)]
    assert look(house) == 0
    house.follow(number, "withdraw", "north-1")
    confirm(house, operators[0])
    assert look(house) == 0
    confirm(house, operators[1])
    assert look(house) == 1
    assert house.row(number).state == "restored"
    assert steps_of(house, number)[-1] == "restored"
    before = steps_of(house, number)
    compliance.anew(house.desk, ADMINISTRATOR, "to try it", house.now)  # and no case is told twice
    assert steps_of(house, number) == before


def test_an_expired_order_is_restored_by_its_terms_when_nobody_has_anything_to_send(house: House, operators: list[Operator]) -> None:
    number, _ = house.ordered(expires_days=5, review_days=4)
    for each in operators:
        confirm(house, each)
    look(house)
    house.now += 5 * DAY + HOUR
    house.tick("expire", number)
    assert (look(house), house.row(number).state) == (0, "expired")
    confirm(house, operators[0])
    assert (look(house), house.row(number).state) == (0, "expired")
    house.now += DAY
    assert (look(house), house.row(number).state) == (1, "restored")
    assert "by its own terms" in house.events(number)[-1].why
    assert house.events(number)[-1].details["said"] == 1


def test_what_binds_is_what_every_operator_judges_to_be_in_force(house: House, operators: list[Operator]) -> None:
    """The obligations agree with the docket, signatures and all."""
    one, _ = house.ordered()
    two, _ = house.ordered(until="emergency")
    three, _ = house.ordered(until="emergency")
    house.ordered()
    house.now += 6 * HOUR
    house.follow(one, "withdraw", "north-1")
    house.follow(three, "confirm", "reviewer-1", who="reviewer", publisher="reviewer")
    look(house)
    docket = house.docket()
    with house.desk.store.reading() as session:
        found = {(each.order_id, each.log_index): each.end_at for each in session.scalars(select(Obligation).where(Obligation.kind == "block"))}
    assert len(docket.cases) >= 4
    for identity, case in docket.cases.items():
        stretches = {order.index: ends for order, _, ends in case.by_log()}
        assert NEVER not in stretches.values()
        for order in case.chain:
            if order.index in stretches:
                assert found[identity, order.index] == stretches[order.index]
            else:  # withdrawn: the docket counts it as over from the beginning
                assert (found[identity, order.index] or NEVER) <= house.now
    assert house.row(two).state == "in_force"
