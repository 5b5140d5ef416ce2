"""Clocks as data: by category, by a changed document; who is told, once; what a clock cannot do; and the worker that does all this."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from authority.desk import audit, drawn, imports, notices, procedure, removal, steps, worker
from authority.desk.desk import Desk
from authority.desk.errors import BadField
from authority.desk.tables import Audit, Clock, Person
from tests.authority.desk.cases.house import DAY, HOUR, House
from tests.tools import DEADLINE, wait_for

DOCS = Path(__file__).parents[4] / "docs"


def test_the_clocks_of_a_category(house: House) -> None:
    """The French day; TCO's hour, and the G7's two from the referral on."""
    assert house.running(house.requested("a.test")) == {"owner": DAY}
    number = house.refer("b.test").number
    house.time += HOUR
    fast = house.requested("b.test", category="terrorist-content")
    assert (fast, house.running(fast)) == (number, {"owner": HOUR, "removal": HOUR})
    house.later(HOUR)
    assert house.state(fast) == "unanswered"
    assert any("removal" in message.body for message in house.messages("overdue"))


def test_two_persons_change_the_clocks_and_the_next_case_goes_by_them(house: House) -> None:
    before = house.requested("a.test")
    house.document("procedure", procedure.DEFAULT.replace("{retain_days: 183}", "{clocks: {owner: 2.5}, retain_days: 183}", 1))
    assert house.running(house.requested("b.test")) == {"owner": round(2.5 * HOUR)}
    assert house.running(before) == {"owner": DAY}, "who was given a day has a day"


def test_a_clock_that_is_no_more_in_the_procedure_stops_at_the_next_step(house: House) -> None:
    number = house.refer().number
    rules = procedure.DEFAULT
    start = rules.index("  assess:")
    house.document("procedure", rules[:start] + rules[rules.index("  threat:") :])
    house.later(2 * DAY)
    house.step("clerk", number, "note")
    assert (house.running(number), house.case(number).due_at) == ({}, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clocks: {a: {begins: [fly], hours: 1}}", "no step of a case"),
        ("clocks: {a: {begins: [refer], hours: 0}}", "greater than 0"),
        ("clocks: {a: {begins: [refer], hours: 1, takes: withdraw}}", "no clock may take"),
        ("clocks: {a: {begins: [refer], hours: 1, only: dated}}", "needs until"),
        ("clocks: {a: {begins: [refer], hours: 1, states: [asleep]}}", "states"),
        ("clocks: {a: {begins: [refer], hours: 1, colour: red}}", "colour"),
        ("clocks: {}\ncategories: {x: {clocks: {a: 1}}}", "there is no clock 'a'"),
        ("clocks: [", "line"),
        ("", "0 documents"),
    ],
)
def test_a_procedure_that_cannot_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadField, match=said):
        procedure.load(text)


def test_what_is_overdue_is_told_once_to_whom_it_concerns(house: House) -> None:
    house.refer("a.test")
    house.refer("b.test")
    assert house.later(DAY - 1).told == 0
    ran = house.later(1)
    assert ran.told == 2
    (message,) = house.messages("overdue")[:1]
    assert house.told("overdue") == ["clerk"], "one message about both"
    assert "a.test" in message.body
    assert "b.test" in message.body
    assert (house.later(DAY).told, house.told("overdue")) == (0, ["clerk"])
    assert [hook["kind"] for hook in house.hooks()] == ["overdue"]
    with house.desk.store.reading() as session:
        assert session.scalar(select(func.count()).where(Audit.action == "clock.overdue")) == 2


def test_everybody_reads_their_own_language(house: House) -> None:
    house.unanswered()
    house.later(48 * HOUR)
    subjects = {message.recipient.partition("@")[0]: message.subject for message in house.messages("overdue")}
    assert "overdue" in subjects["officer"]
    assert "en retard" in subjects["second"]


def test_the_cases_own_officer_is_told_too(house: House) -> None:
    number = house.refer().number
    with house.writing() as session:
        steps.find(session, number).officer_id = house["second"].person
    house.later(DAY)
    assert house.told("overdue") == ["clerk", "second"]


def test_who_has_left_is_told_nothing(house: House) -> None:
    house.refer()
    with house.writing() as session:
        session.get_one(Person, house["clerk"].person).ended_at = house.time
    house.later(DAY)
    assert (house.told("overdue"), [hook["kind"] for hook in house.hooks()]) == ([], ["overdue"])


def test_many_are_told_in_one_message(house: House) -> None:
    for number in range(60):
        house.refer(f"n{number}.test")
    assert house.later(DAY).told == 60
    assert len(house.messages("overdue")) == 2, "the clerk's, and the program's"
    assert "10 more" in house.messages("overdue")[0].body


def test_a_clock_whose_step_is_not_to_be_had_is_void_and_on_record(house: House) -> None:
    """It neither runs out again every second, nor keeps others waiting."""
    odd = house.refer("a.test").number
    other = house.requested("b.test")
    with house.writing() as session:
        case = steps.find(session, odd)
        session.add(Clock(case_id=case.id, name="renewal", began_at=house.time, due_at=house.time))
    assert house.later(DAY).taken == 1
    assert (house.state(odd), house.state(other)) == ("received", "unanswered")
    assert "renewal" not in house.running(odd)
    with house.desk.store.reading() as session:
        (line,) = session.scalars(select(Audit).where(Audit.action == "clock.void"))
        assert line.object == f"case:{odd}"
        assert audit.verify(session)[1] is None


def test_one_case_that_fails_stops_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = house.in_force("a.test", days=10), house.in_force("b.test", days=10)
    follow = notices.follow

    def broken(session: Any, desk: Any, case: Any, step: str, now: int) -> None:
        if case.number == first:
            raise RuntimeError("out of order")
        follow(session, desk, case, step, now)

    with monkeypatch.context() as patch:
        patch.setattr(notices, "follow", broken)
        house.later(10 * DAY)
        assert (house.state(first), house.state(second)) == ("in_force", "expired")
        house.later(2 * 60)
        assert any("renewal" in message.body for message in house.messages("overdue")), "and people hear of it"
    house.work()
    assert house.state(first) == "expired"


# --- the worker


def test_the_worker_does_all_this_until_it_is_told_to_stop(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    house.time = int(time.time()) - DAY - 5
    number = house.assessed()
    with house.writing() as session:
        removal.request(session, house.desk, house["clerk"], number, "abuse@host.example", "host", "so", house.time)
    row = imports.begin(house.desk, house["clerk"], b"names\na.test\nb.test\n", "x", house.time)
    job = {"settings": house.desk.settings.model_dump(mode="json"), "base": str(house.base)}
    with subprocess.Popen([sys.executable, "-m", "authority.desk.worker"], stdin=subprocess.PIPE) as child:
        try:
            assert child.stdin is not None
            child.stdin.write(json.dumps(job).encode() + b"\n")
            child.stdin.flush()

            def left() -> bool:
                house.post()
                return "request_sent" in house.taken(number)

            wait_for(left, "the request left")

            def read() -> bool:
                with house.desk.store.reading() as session:
                    return imports.find(session, row.id).ended_at is not None

            wait_for(read, "the file was read")
            house.time = int(time.time()) - HOUR
            house.refer("c.test", threat=True)
            wait_for(
                lambda: house.messages("threat") and all(message.sent_at for message in house.messages("threat")), "people were told of a threat"
            )
            wait_for(lambda: house.messages("overdue"), "people were told what is overdue")
            child.stdin.close()
            assert child.wait(DEADLINE) == 0
        finally:
            child.kill()
    house.desk.close()


def test_a_task_that_fails_is_tried_later_and_later_and_stops_no_other(house: House) -> None:
    calls: list[str] = []

    def fails(desk: Desk, now: int) -> None:
        calls.append("fails")
        raise OSError("no disk")

    work = [worker.Task("one", 0.0, fails), worker.Task("two", 0.0, lambda desk, now: calls.append("works"))]
    worker.run(house.desk, work, lambda seconds: len(calls) > 20)
    assert calls.count("fails") == 1
    assert calls.count("works") >= 20
    assert work[0].due > time.monotonic() + 1


def test_a_store_that_hangs_holds_up_no_clock(house: House) -> None:
    """What waits for something outside has a thread of its own, and is not begun a second time."""
    calls: list[str] = []
    hangs = threading.Event()

    def sweep(desk: Desk, now: int) -> None:
        calls.append("sweep")
        hangs.wait()

    work = [worker.Task("sweep", 0.0, sweep, apart=True), worker.Task("clocks", 0.0, lambda desk, now: calls.append("clocks"))]
    try:
        worker.run(house.desk, work, lambda seconds: calls.count("clocks") > 5)
        assert calls.count("sweep") == 1
    finally:
        hangs.set()
    assert {task.name for task in worker.tasks() if task.apart} == {"compliance.refresh", "error_reports.carry", "evidence.sweeping.sweep", "mail"}


def test_the_worker_knows_the_other_parts() -> None:
    assert {"publishing.follow_log", "anchoring.anchor", "compliance.refresh", "evidence.sweeping.sweep", "clocks", "mail", "imports"} <= {
        task.name for task in worker.tasks()
    }


# --- the page


def test_the_page_is_what_the_program_does() -> None:
    written = (DOCS / "case.md").read_text(encoding="utf-8")
    assert written == drawn.page(procedure.load(procedure.DEFAULT)), "write it again: python -m authority.desk.drawn > docs/case.md"
