"""Those who object and those who check: appeals, who decides them, recommendations, courts."""

from __future__ import annotations

import pytest

from authority.desk import annulment, appeals, cases, recommendations
from authority.desk.errors import BadField, Conflict, Forbidden, NotFound
from authority.desk.tables import Person
from tests.authority.desk.cases.house import DAY, HOUR, NOW, PUBLIC, House


def test_an_appeal_outlives_its_order_and_is_answered(house: House) -> None:
    number = house.in_force()
    with house.writing() as session:
        case = appeals.find_by_order(session, f"XX-{number}")
        filed = appeals.file(
            session, house.desk, PUBLIC, case.number, "owner", "It is satire.", "by the public form", house.time, contact="me@site.test"
        )
    other = house.do(appeals.file, "clerk", number, "visitor", "I need it.", "a letter came")
    assert house.case(number).appeals == 2
    assert [message.recipient for message in house.messages("appeal_filed")] == ["me@site.test"]
    house.withdraw(number)
    house.do(cases.restored, "officer", number, "all said so")
    house.time += DAY
    assert house.state(number) == "restored"
    assert house.running(number) == {"appeal": 59 * DAY}
    assert house.case(number).due_at == house.time + 59 * DAY
    with pytest.raises(NotFound):
        house.do(appeals.decide, "officer", "AAAA", "upheld", "No.", "so")
    house.do(appeals.decide, "officer", filed.reference, "upheld", "It was not satire.", "read twice")
    with pytest.raises(Conflict):
        house.do(appeals.decide, "officer", filed.reference, "lifted", "Yes.", "so")
    (answer,) = house.messages("appeal_decided")
    assert "It was not satire." in answer.body
    house.later(60 * DAY)
    assert "officer" in house.told("overdue"), "the other is still to be answered"
    house.do(appeals.decide, "officer", other.reference, "upheld", "Find another.", "so")
    assert (house.case(number).appeals, house.running(number)) == (0, {})


def test_an_appeal_that_was_right_has_a_clock_until_the_order_is_gone(house: House) -> None:
    number = house.in_force()
    for decision, clock in (("amended", "mend"), ("lifted", "lift")):
        filed = house.do(appeals.file, "clerk", number, "owner", "Not mine.", "a letter came")
        house.do(appeals.decide, "officer", filed.reference, decision, "You are right.", "so")
        assert clock in house.running(number)
    filed = house.do(appeals.file, "clerk", number, "other", "Why?", "a letter came")
    house.do(appeals.decide, "officer", filed.reference, "upheld", "Because.", "so")
    assert "lift" in house.running(number), "another's appeal does not undo it"
    house.withdraw(number)
    assert set(house.running(number)) == {"restore"}


def test_who_signed_an_order_does_not_decide_its_appeal(house: House) -> None:
    """While another officer is there; where none is, the timeline says who decided."""
    number = house.unanswered()
    house.step("clerk", number, "draft", order="sha256:x")
    house.step("officer", number, "open_signing", order="sha256:x")
    house.step("officer", number, "add_signature", order="sha256:x", office="officer")
    house.step("officer", number, "publish", order="sha256:x", index=7, enforce_by=house.time + DAY, expires_at=house.time + 90 * DAY)
    first, second = (house.do(appeals.file, "clerk", number, "owner", "Not mine.", "a letter came") for _ in range(2))
    with pytest.raises(Conflict, match="second"):
        house.do(appeals.decide, "officer", first.reference, "upheld", "It is yours.", "so")
    house.do(appeals.decide, "second", first.reference, "upheld", "It is yours.", "so")
    assert "own_order" not in house.timeline(number)[-1].details
    with house.writing() as session:
        session.get_one(Person, house["second"].person).ended_at = house.time
    house.do(appeals.decide, "officer", second.reference, "upheld", "It is yours.", "so")
    assert house.timeline(number)[-1].details["own_order"] == "signed"


def test_an_office_signs_whoever_brings_its_signature(house: House) -> None:
    number = house.in_force()
    with house.writing() as session:
        session.get_one(Person, house["officer"].person).office = "north-1"
        session.get_one(Person, house["second"].person).office = "north-2"
    house.step("second", number, "add_signature", order="sha256:x", office="north-1")
    filed = house.do(appeals.file, "clerk", number, "owner", "Not mine.", "a letter came")
    with pytest.raises(Conflict):
        house.do(appeals.decide, "officer", filed.reference, "upheld", "It is yours.", "so")
    house.do(appeals.decide, "second", filed.reference, "upheld", "It is yours.", "so")


def test_a_recommendation_is_answered_within_its_clock(house: House) -> None:
    number = house.in_force()
    with pytest.raises(Forbidden):
        house.do(recommendations.recommend, "officer", number, "it names too much")
    first = house.do(recommendations.recommend, "reviewer", number, "it names too much")
    second = house.do(recommendations.recommend, "reviewer", number, "and the wrong site")
    assert (first.due_at, house.told("recommendation")) == (house.time + 72 * HOUR, ["officer", "officer", "second", "second"])
    house.do(recommendations.answer, "officer", first.id, "refused", "it does not")
    assert "reviewer" in house.running(number), "the second is not answered by the first's answer"
    house.do(recommendations.to_court, "reviewer", number, "Administrative court", "refused without reasons")
    house.later(72 * HOUR)
    assert "officer" in house.told("overdue")
    house.do(recommendations.answer, "officer", second.id, "followed", "so it is")
    assert "reviewer" not in house.running(number)
    assert house.running(number)["follow"] == 24 * HOUR
    with pytest.raises(Conflict):
        house.do(recommendations.answer, "officer", second.id, "refused", "no")
    with pytest.raises(NotFound):
        house.do(recommendations.answer, "officer", 99, "refused", "no")


def test_a_court_annuls(house: House) -> None:
    number = house.in_force()
    with pytest.raises(Forbidden):
        house.do(annulment.annul, "clerk", number, "Court", NOW, "judgment 12")
    with pytest.raises(BadField):
        house.do(annulment.annul, "officer", number, "Court", NOW + 3 * DAY, "judgment 12")
    house.do(annulment.annul, "reviewer", number, "Court", NOW - DAY, "judgment 12", reference="12/2026")
    assert house.running(number)["annulment"] == HOUR
    assert house.told("annulled") == ["officer", "reviewer", "second"]
    house.later(HOUR)
    assert house.told("overdue")
    house.withdraw(number)
    assert "annulment" not in house.running(number)
    details = next(event.details for event in house.timeline(number) if event.step == "annul")
    assert details == {"court": "Court", "decided_at": NOW - DAY, "reference": "12/2026"}
