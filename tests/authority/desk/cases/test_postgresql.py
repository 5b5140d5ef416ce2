"""The same on PostgreSQL: a case's whole way, clocks that take steps, files with bad lines, steps that fail inside a transaction."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authority.desk import appeals, cases, error_reports, removal
from authority.desk.errors import BadField, Conflict
from tests.authority.desk import postgresql
from tests.authority.desk.cases.house import DAY, HOUR, House
from tests.authority.desk.cases.test_error_reports import answered, carried, names, send
from tests.authority.desk.cases.test_referrals import brought, faults


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One desk on a server of its own."""
    with postgresql.serving() as server:
        made = House(tmp_path_factory.mktemp("house"), database=server.database(), hook="/bin/true")
        yield made
        made.desk.close()


def test_a_case_to_its_end(house: House) -> None:
    number = house.requested("a.test")
    house.later(DAY)
    assert house.state(number) == "unanswered"
    house.order(number, days=10)
    filed = house.do(appeals.file, "clerk", number, "owner", "No.", "a letter came")
    house.later(10 * DAY)
    assert house.state(number) == "expired"
    assert house.messages("owner_lift")
    house.do(cases.restored, "officer", number, "all said so")
    assert house.running(number) == {"appeal": 50 * DAY}
    house.do(appeals.decide, "officer", filed.reference, "upheld", "It was right.", "so")
    assert house.case(number).due_at is None


def test_what_is_refused_changes_nothing(house: House) -> None:
    number = house.refer("b.test").number
    before = house.case(number)
    for refused in (
        lambda: house.do(cases.assess, "officer", number, "", "x", "so"),
        lambda: house.do(removal.request, "clerk", number, "a@host.example", "host", "so"),
    ):
        with pytest.raises((BadField, Conflict)):
            refused()
    assert (house.case(number).version, house.messages("removal_request")[1:]) == (before.version, [])


def test_a_file_with_bad_lines(house: House) -> None:
    row = brought(house, b"names,contact\nx1.test,\n..,\nx2.test,nobody\nx1.test,\n")
    assert (row.taken, row.joined, row.bad) == (1, 1, 2)
    assert [line for line, _ in faults(house, row)] == [3, 4]


def test_a_threat_and_what_is_overdue(house: House) -> None:
    number = house.refer("c.test", threat=True).number
    assert house.later(HOUR).told >= 1
    assert number in house.messages("overdue")[-1].body or any(number in message.body for message in house.messages("overdue"))


def test_reports_of_an_error(house: House) -> None:
    number = house.in_force("d.test")
    first, second, third = names(3)
    for _ in range(2):
        send(house, f"XX-{number}", first, second)
        send(house, "XX-NONE", third)
        carried(house)
    assert house.running(number)["report"] == DAY
    with house.desk.store.reading() as session:
        (row,) = error_reports.waiting(session, house["officer"])
        assert len(error_reports.of_case(session, house.case(number))) == row.number == 2
    house.do(error_reports.answer, "officer", number, f"all-{row.last}", "amended", "One name too many.", "en", "so")
    carried(house)
    assert {each: outcome.decision for each, outcome in answered(house).items()} == {first: "amended", second: "amended", third: "unknown"}
    house.time += error_reports.RETAIN_SECONDS + HOUR
    assert error_reports.forget(house.desk, house.time) == 3
