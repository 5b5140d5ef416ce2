"""A case from its referral to its end, by every way there is: states, who is told what, and what is on record."""

from __future__ import annotations

from typing import Any

import pytest

from authority.desk import cases, clocks, emergencies, facts, removal, steps
from authority.desk.errors import BadField, Conflict, Forbidden
from authority.desk.roles import LOG
from tests.authority.desk.cases.house import DAY, FLAGGER, HOUR, NOW, House


def test_from_a_referral_to_restored(house: House) -> None:
    """The whole way: nothing is skipped, every step has who, when and why, and the owner hears of both ends."""
    number = house.requested("www.site.test")
    assert house.running(number) == {"owner": DAY}
    house.later(DAY)
    assert house.state(number) == "unanswered"
    house.order(number)
    house.work()
    (told,) = house.messages("owner_block")
    assert (told.recipient, told.sent_at) == ("abuse@host.example", house.time)
    assert "www.site.test" in told.body
    assert set(house.running(number)) == {"operators", "recheck", "renewal"}
    with house.writing() as session:
        steps.step(session, house.desk, LOG, number, "enforced", "all operators say so", house.time, index=7)
    house.time += 80 * DAY
    house.do(cases.recheck, "clerk", number, "still", "seen again")
    assert house.running(number)["recheck"] == 2208 * HOUR
    house.step("officer", number, "renew", order="sha256:r", index=9, enforce_by=house.time + DAY, expires_at=house.time + 90 * DAY)
    house.time += 80 * DAY
    house.do(cases.recheck, "clerk", number, "gone", "the page is empty")
    assert house.running(number)["gone"] == 24 * HOUR
    house.withdraw(number)
    assert set(house.running(number)) == {"restore"}
    assert [message.recipient for message in house.messages("owner_lift")] == ["abuse@host.example"]
    with house.writing() as session:
        steps.step(session, house.desk, LOG, number, "restored", "all operators say so", house.time)
    case = house.case(number)
    assert (case.state, case.closed_at, case.due_at, house.running(number)) == ("restored", house.time, None, {})
    for event in house.timeline(number):
        assert event.who, event.step
        assert event.why, event.step
        assert NOW <= event.at <= house.time
    assert house.taken(number) == [
        "refer", "assess", "request_removal", "record_posted", "request_sent", "deadline_passed", "draft", "open_signing", "add_signature",
        "add_signature", "publish", "notify_owner", "record_posted", "enforced", "recheck", "renew", "recheck", "withdraw", "notify_owner",
        "restored",
    ]  # fmt: skip


def test_the_content_is_removed_and_no_order_follows(house: House) -> None:
    number = house.requested()
    house.do(removal.removed, "clerk", number, "looked at 14:00, gone")
    assert (house.state(number), house.running(number)) == ("removed", {})
    house.later(2 * DAY)
    assert "deadline_passed" not in house.taken(number)
    house.do(cases.reopen, "officer", number, "it is back")
    assert (house.state(number), house.running(number)) == ("assessed", {"request": DAY})


def test_what_came_before_an_order_is_what_the_timeline_says(house: House) -> None:
    def before(number: str) -> dict[str, Any]:
        with house.desk.store.reading() as session:
            return facts.before(session, steps.find(session, number))

    silent = house.requested("a.test")
    sent = house.time
    assert before(silent) == {}
    house.later(DAY)
    assert before(silent)["removal_request"] == {
        "sent_at": facts.instant(sent), "recipient": "abuse@host.example", "deadline": facts.instant(sent + DAY),
        "outcome": "no answer by the deadline",
    }  # fmt: skip
    refusing = house.unanswered("b.test")
    assert before(refusing)["removal_request"]["outcome"] == "refused: they say it is satire"
    nobody = house.assessed("c.test")
    house.do(removal.unidentifiable, "officer", nobody, "no imprint, no answer from the registrar")
    assert before(nobody) == {"owner_unidentifiable": True, "owner_unidentifiable_why": "no imprint, no answer from the registrar"}
    urgent = house.emergency("d.test")
    assert before(urgent) == {"emergency": {"ground": "an attack is announced for tonight"}}
    house.step("officer", urgent, "abandon_draft")
    assert before(urgent) == {}, "what was given up is not said of the next order"
    assert before(house.assessed("e.test")) == {}


def test_one_request_waits_for_another(house: House) -> None:
    """Host and publisher are both asked: the case waits for whoever has longer."""
    number = house.requested()
    house.time += HOUR
    house.do(removal.request, "clerk", number, "press@site.test", "publisher", "the imprint names them", deadline=house.time + 2 * HOUR)
    house.work()
    assert house.running(number) == {"owner": 23 * HOUR}
    house.later(3 * HOUR)
    assert house.state(number) == "requested"
    with house.desk.store.reading() as session:
        both = removal.asked(session, steps.find(session, number))
    assert [(one.recipient, one.kind, one.outcome) for one in both] == [
        ("abuse@host.example", "host", "waiting"),
        ("press@site.test", "publisher", "waiting"),
    ]
    house.later(DAY)
    assert house.state(number) == "unanswered"


@pytest.mark.parametrize(
    ("recipient", "kind", "deadline", "field"),
    [
        ("nobody", "host", None, "recipient"),
        ("a@b.example\r\nBcc: all@c.example", "host", None, "recipient"),
        ("a@b.example, c@d.example", "host", None, "recipient"),
        ("abuse@host.example", "friend", None, "kind"),
        ("abuse@host.example", "host", NOW, "deadline"),
        ("abuse@host.example", "host", NOW + 400 * DAY, "deadline"),
    ],
)
def test_a_request_that_cannot_be_sent_is_refused(house: House, recipient: str, kind: str, deadline: int | None, field: str) -> None:
    number = house.assessed()
    with pytest.raises(BadField) as error:
        house.do(removal.request, "clerk", number, recipient, kind, "so", deadline=deadline)
    assert (error.value.field, house.messages(), house.state(number)) == (field, [], "assessed")


def test_an_emergency_lapses_unless_the_reviewer_confirms_it(house: House) -> None:
    number = house.order(house.emergency("a.test"), lapses_at=house.time + 72 * HOUR)
    confirmed = house.order(house.emergency("b.test"), lapses_at=house.time + 72 * HOUR)
    house.work()
    assert "reviewer" in house.told("soon"), "the reviewer hears of it at once"
    with pytest.raises(Forbidden):
        house.step("officer", confirmed, "confirm_emergency", index=9)
    house.step("reviewer", confirmed, "confirm_emergency", index=9)
    house.later(72 * HOUR - 1)
    assert house.state(number) == "in_force"
    house.later(1)
    assert (house.state(number), house.case(number).emergency) == ("lapsed", False)
    assert (house.state(confirmed), house.case(confirmed).emergency) == ("in_force", False)
    assert house.timeline(number)[-1].who == "clock"
    assert "owner_lift" in house.running(number), "nobody was asked before, so a person must tell them"


def test_an_emergency_needs_its_ground_and_an_officer(house: House) -> None:
    number = house.assessed()
    with pytest.raises(Forbidden):
        house.do(emergencies.declare, "clerk", number, "tonight", "so")
    with pytest.raises(BadField):
        house.do(emergencies.declare, "officer", number, "  ", "so")
    house.do(emergencies.declare, "officer", number, "tonight", "so")
    assert house.running(number)["act"] == 2 * HOUR
    house.step("officer", number, "abandon_draft")
    assert (house.state(number), house.case(number).emergency) == ("assessed", False)


def test_a_suspension_ends_after_72_hours(house: House) -> None:
    number = house.in_force()
    house.step("reviewer", number, "suspend", order="sha256:s", index=9, ends_at=house.time + 72 * HOUR)
    assert house.running(number)["suspension"] == 72 * HOUR
    house.later(72 * HOUR)
    assert house.state(number) == "in_force"
    assert "resume" in house.taken(number)
    assert "suspension" not in house.running(number)


def test_an_order_expires_by_itself_after_people_were_warned(house: House) -> None:
    number = house.in_force(days=90)
    house.later(76 * DAY)
    assert "officer" in house.told("soon")
    house.later(14 * DAY - 1)
    assert house.state(number) == "in_force"
    house.later(1)
    assert (house.state(number), set(house.running(number))) == ("expired", {"restore"})
    assert [message.recipient for message in house.messages("owner_lift")] == ["abuse@host.example"]
    house.do(cases.restored, "officer", number, "asked each operator")
    assert house.state(number) == "restored"


def test_an_amendment_moves_the_end_and_not_the_quarterly_look(house: House) -> None:
    number = house.in_force(days=30)
    before = house.running(number)
    house.time += 10 * DAY
    house.step("officer", number, "amend", order="sha256:a", index=9, enforce_by=house.time + DAY, expires_at=house.time + 60 * DAY)
    after = house.running(number)
    assert (after["renewal"], after["recheck"]) == (60 * DAY, before["recheck"] - 10 * DAY)


def test_a_threat_to_life_is_told_at_once_and_has_its_own_clock(house: House) -> None:
    number = house.refer("www.site.test", threat=True, words="He says tonight, at the station.", who=FLAGGER, source="flagger").number
    assert house.case(number).urgent
    assert house.running(number) == {"assess": DAY, "threat": HOUR}
    assert house.told("threat") == ["clerk", "officer", "second"]
    assert house.hooks()[0]["kind"] == "threat"
    assert house.hooks()[0]["number"] == number
    house.refer("www.site.test", threat=True)
    assert house.running(number)["threat"] == HOUR
    house.later(HOUR)
    assert any(hook["kind"] == "overdue" and hook["clocks"][0]["clock"] == "threat" for hook in house.hooks())
    house.do(cases.alert, "clerk", number, "police, 17", "called at 14:40")
    assert "threat" not in house.running(number)
    house.do(cases.stand_down, "officer", number, "a song text")
    assert not house.case(number).urgent


def test_a_threat_in_what_is_blocked_already_is_told_too(house: House) -> None:
    number = house.in_force()
    assert house.refer("www.site.test", threat=True).number == number
    assert "threat" in house.running(number)
    house.do(cases.alert, "clerk", number, "police", "called")


def test_names_of_a_case(house: House) -> None:
    number = house.refer("www.site.test").number
    house.do(cases.set_names, "clerk", number, [("Mirror.Test.", "subtree"), ("www.site.test", "exact")], "a mirror")
    case = house.case(number)
    assert {(name.name, name.match) for name in case.names} == {("mirror.test", "subtree"), ("www.site.test", "exact")}
    assert case.title == "mirror.test"
    for bad in ([], [("192.0.2.1", "exact")], [("a.test", "all")], [("a..test", "exact")]):
        with pytest.raises(BadField):
            house.do(cases.set_names, "clerk", number, bad, "so")
    number = house.unanswered("other.test")
    house.step("clerk", number, "draft", order="sha256:x")
    with pytest.raises(Conflict):
        house.do(cases.set_names, "clerk", number, [("a.test", "exact")], "after the draft")


def test_a_case_is_given_to_somebody(house: House) -> None:
    number = house.refer().number
    house.do(cases.assign, "officer", number, "clerk", "knows the matter")
    assert house.case(number).officer_id == house["clerk"].person
    for nobody in ("admin", "reviewer", "nobody", "auditor"):
        with pytest.raises(BadField):
            house.do(cases.assign, "officer", number, nobody, "so")


def test_a_form_that_is_too_old_changes_nothing(house: House) -> None:
    number = house.refer().number
    seen = house.case(number).version
    house.do(cases.note, "clerk", number, "first", version=seen)
    with pytest.raises(Conflict):
        house.do(cases.assess, "officer", number, "terrorism", "x", "late", version=seen)
    assert (house.case(number).category, house.taken(number)) == ("", ["refer", "note"])


def test_the_category_can_be_mended_until_somebody_is_asked(house: House) -> None:
    number = house.assessed(category="fraud")
    house.do(cases.assess, "officer", number, "terrorism", "read again", "it is worse")
    assert house.case(number).category == "terrorism"
    house.do(removal.request, "clerk", number, "abuse@host.example", "host", "so")
    with pytest.raises(Conflict):
        house.do(cases.assess, "officer", number, "fraud", "x", "so")


def test_how_long_each_step_took(house: House) -> None:
    number = house.requested()
    house.later(DAY)
    house.time += HOUR
    with house.desk.store.reading() as session:
        case = steps.find(session, number)
        took = [(one.state, one.seconds, one.by) for one in clocks.took(session, case, house.time)]
        shown = {one.name: one for one in clocks.shown(session, case, house.time)}
    assert took == [
        ("received", 0, "refer"),
        ("assessed", 0, "assess"),
        ("requested", DAY, "request_removal"),
        ("unanswered", HOUR, "deadline_passed"),
    ]
    assert (shown["draft"].left_seconds, shown["draft"].overdue, shown["owner"].took_seconds) == (47 * HOUR, False, DAY)
    with house.desk.store.reading() as session:
        late = clocks.shown(session, case, house.time + 48 * HOUR)
    assert (late[0].name, late[0].overdue, late[0].left_seconds) == ("draft", True, -HOUR)
