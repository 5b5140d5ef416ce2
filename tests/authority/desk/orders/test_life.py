"""An order from draft to its end, as the desk tells it and as an operator judges the log by himself."""

from __future__ import annotations

import pytest

from authority.desk import composing, ordering, publishing
from authority.desk.errors import BadField, Conflict, DeskError, Forbidden
from blocklists.directive import Directive
from tests.authority.desk.orders.house import DAY, HOUR, House


def directive(order: ordering.Order) -> Directive:
    found = composing.directive_of(order)
    assert isinstance(found, Directive)
    return found


def test_a_case_becomes_an_order_that_operators_put_in_force(house: House) -> None:
    number, order = house.ordered("bad.site.test")
    assert house.blocked()["bad.site.test"] == number == order.order_id
    case = house.row(number)
    assert (case.state, case.order_id, case.ends_at) == ("in_force", number, int(directive(order).ends))
    published = house.last(number)
    assert (published.step, published.who, published.why) == ("publish", "officer", "all have signed")
    assert published.details["index"] == order.log_index
    assert published.details["enforce_by"] == house.now + DAY
    said = directive(order)
    assert said.owner_unidentifiable_why == "Nobody answers at the registrar."
    assert said.issuer.authority == "North"
    assert {each.guard for each in said.guards or ()} == {
        "protected_name", "public_suffix", "popularity", "shared_hosting", "other_names", "resolution",
    }  # fmt: skip


def test_what_was_asked_of_the_owner_comes_from_the_timeline_alone(house: House) -> None:
    number = house.case(until="assessed")
    sent, deadline = house.now, house.now + DAY
    asked = {"recipient": "abuse@host.example", "kind": "host", "deadline": deadline, "message": 7}
    house.step(number, "request_removal", "clerk", **asked)
    with pytest.raises(Conflict):
        house.draft(number)
    house.tick_request(number, sent, deadline)
    house.tick("deadline_passed", number)
    asked_of = directive(house.draft(number)).removal_request
    assert asked_of is not None
    assert (asked_of.recipient, asked_of.outcome) == ("abuse@host.example", "no answer by the deadline")
    assert int(asked_of.deadline.timestamp()) == deadline


def test_no_order_without_reasons_a_law_and_a_way_to_appeal(house: House) -> None:
    number = house.case()
    for field in ("reasons", "redress", "legal_basis"):
        house.state(number, **{field: None})
        with pytest.raises(BadField, match=field):
            house.draft(number)
        house.state(number, reasons={"en": "It is so."}, legal_basis="Law 1", redress={"url": "https://a.example/", "deadline_days": 9, "court": "C"})
    house.draft(number)


def test_a_renewal_is_a_new_order_with_new_dates_and_new_signatures(house: House) -> None:
    number, first = house.ordered("renewed.test")
    house.now += 30 * DAY
    renewal = house.draft(number, "renew")
    with pytest.raises(Conflict, match="lacks signatures: 2 of officers of North"):
        house.publish(renewal)
    house.bring(renewal, "north-1", "north-3")
    renewed = house.publish(renewal)
    assert directive(renewed).follows == first.digest
    assert house.row(number).ends_at == directive(renewed).ends > directive(first).ends
    assert house.blocked(directive(first).ends + HOUR)["renewed.test"] == number


def test_an_amendment_changes_what_is_said_and_not_when_it_ends(house: House) -> None:
    number, first = house.ordered("amended.test")
    house.now += DAY
    house.state(number, reasons={"en": "Said better."})
    amended = house.follow(number, "amend", "north-1", "north-2")
    assert directive(amended).reasons == {"en": "Said better."}
    assert directive(amended).expires_at == directive(first).expires_at
    assert house.row(number).state == "in_force"


def test_a_withdrawal_lifts_and_the_next_order_has_another_id(house: House) -> None:
    number, _ = house.ordered("lifted.test")
    house.follow(number, "withdraw", "north-1", why="the content is gone")
    assert "lifted.test" not in house.blocked()
    assert house.row(number).state == "withdrawn"
    house.step(number, "restored", "officer")
    house.step(number, "reopen", "officer", why="it is back")
    with house.desk.store.reading() as session:
        assert ordering.facts.missing(session, house.desk, house.row(number)) == ["removal_request"]
    house.step(number, "owner_unidentifiable", "officer")
    again = house.opened(number)
    house.bring(again, "north-1", "north-2")
    assert house.publish(again).order_id == f"{number}.2"
    assert house.blocked()["lifted.test"] == f"{number}.2"


def test_one_officer_or_the_reviewer_suspends_for_72_hours(house: House) -> None:
    for who, signer in (("clerk", "north-3"), ("reviewer", "reviewer-1")):
        number, _ = house.ordered()
        name = house.row(number).title
        suspended = house.follow(number, "suspend", signer, who=who, publisher="officer" if who == "clerk" else "reviewer")
        assert name not in house.blocked()
        event = house.last(number)
        assert (event.step, event.details["ends_at"]) == ("suspend", house.now + 72 * HOUR)
        assert house.row(number).state == "suspended"
        assert name in house.blocked(house.now + 72 * HOUR)
        assert suspended.threshold == 1


def test_a_court_annuls_and_the_withdrawal_says_so(house: House) -> None:
    number, _ = house.ordered("annulled.test")
    house.step(number, "annul", "officer", court="Court of Appeal", decided_at=house.now)
    order = house.follow(number, "withdraw", "north-1", reasons={"en": "It is lifted.", "fr": "Levée."})
    said = directive(order).reasons
    assert said["en"].startswith("A court has annulled this order: Court of Appeal, 2026-1")
    assert said["fr"].startswith("Une juridiction a annulé")
    assert house.row(number).state == "withdrawn"
    assert "annulled.test" not in house.blocked()


def test_an_emergency_lapses_unless_the_reviewer_confirms_it(house: House) -> None:
    number, order = house.ordered("urgent.test", until="emergency")
    assert directive(order).emergency is not None
    assert house.last(number).details["lapses_at"] == house.now + 72 * HOUR
    assert house.row(number).emergency
    later = house.now + 73 * HOUR
    assert "urgent.test" in house.blocked()
    assert "urgent.test" not in house.blocked(later)
    with pytest.raises(Forbidden):
        house.draft(number, "confirm", "officer")
    confirmed = house.follow(number, "confirm", "reviewer-1", who="reviewer", publisher="reviewer")
    assert "urgent.test" in house.blocked(later)
    assert not house.row(number).emergency
    assert house.last(number).step == "confirm_emergency"
    assert confirmed.action == "review"


def test_an_emergency_that_is_renewed_waits_for_the_reviewer_again(house: House) -> None:
    number, _ = house.ordered("twice.test", until="emergency")
    house.follow(number, "confirm", "reviewer-1", who="reviewer", publisher="reviewer")
    house.now += DAY
    house.follow(number, "renew", "north-1", "north-2")
    assert house.row(number).emergency
    clocks = {each.name: each.due_at for each in house.clocks(number)}
    assert clocks["confirm"] == house.now + 72 * HOUR


def test_an_order_that_nobody_could_obey_in_time_is_not_published(house: House) -> None:
    order = house.opened(house.case("late.test"))
    house.bring(order, "north-1", "north-2")
    house.now += 25 * HOUR
    with pytest.raises(Conflict, match="had to be carried out by"):
        house.publish(order)
    assert "late.test" not in house.blocked()


def test_an_order_lasts_no_longer_than_its_review_and_category_allow(house: House) -> None:
    number = house.case(expires_days=200)
    with pytest.raises(BadField, match="expires_days"):
        house.draft(number)


def test_who_may_not_may_not(house: House) -> None:
    number = house.case()
    for who in ("administrator", "auditor", "reviewer"):
        with pytest.raises(Forbidden):
            house.draft(number, "block", who)
    order = house.draft(number)
    with pytest.raises(Forbidden):
        ordering.open_signing(house.desk, house["clerk"], order.digest, "go", house.now)
    with pytest.raises(DeskError):
        publishing.publish(house.desk, house["clerk"], order.digest, "go", house.now)
    with pytest.raises(Forbidden):
        publishing.publish(house.desk, house["administrator"], order.digest, "go", house.now)
