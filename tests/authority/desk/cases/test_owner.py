"""Whom an order concerns is told, in a language that they read, or it is on record why not."""

from __future__ import annotations

import pytest

from authority.desk import appeals, notices, removal, steps
from authority.desk.errors import BadField
from tests.authority.desk.cases.house import DAY, House


def test_the_owner_is_told_or_it_is_recorded_why_not(house: House) -> None:
    nobody = house.assessed("a.test")
    house.do(removal.unidentifiable, "officer", nobody, "no imprint")
    house.order(nobody)
    event = house.timeline(nobody)[-1]
    assert (event.step, event.who, event.details["occasion"]) == ("owner_not_notified", "clock", "block")
    assert "no imprint" in event.why
    unknown = house.order(house.emergency("b.test"))
    assert house.running(unknown)["owner_block"] == DAY, "nobody was asked before: a person must find out"
    house.later(DAY)
    assert any("owner_block" in message.body for message in house.messages("overdue"))
    house.do(notices.notify_owner, "clerk", unknown, "block", "owner@site.test", "found in the register")
    assert "owner_block" not in house.running(unknown)
    with pytest.raises(BadField):
        house.do(notices.not_notified, "clerk", unknown, "party", "so")


def test_an_order_that_may_not_be_disclosed_is_told_when_it_may_be(house: House) -> None:
    number = house.unanswered()
    with house.writing() as session:
        steps.find(session, number).facts = {"nondisclosure": {"until": house.time + 10 * DAY, "basis": "an inquiry is on"}}
    house.order(number)
    assert house.taken(number)[-1] == "owner_not_notified"
    assert "an inquiry is on" in house.timeline(number)[-1].why
    assert house.messages("owner_block") == []
    assert house.running(number)["disclose"] == 10 * DAY
    house.later(10 * DAY)
    assert any("disclose" in message.body for message in house.messages("overdue"))
    house.do(notices.notify_owner, "officer", number, "block", "abuse@host.example", "the inquiry is over")
    assert "disclose" not in house.running(number)


def test_the_owner_reads_the_language_that_was_used_with_them(house: House) -> None:
    """Else that of the case's reasons, else the first of the house's own texts; English only when nothing says otherwise."""
    asked = house.assessed("a.test")
    house.do(removal.request, "clerk", asked, "abuse@host.example", "host", "so", language="fr")
    house.work()
    house.do(removal.refused, "clerk", asked, "no")
    house.order(asked)
    assert "bloqués" in house.messages("owner_block")[-1].subject
    house.withdraw(asked)
    assert "a pris fin" in house.messages("owner_lift")[-1].body
    reasoned = house.order(house.emergency("b.test"))
    with house.writing() as session:
        steps.find(session, reasoned).facts = {"reasons": {"de": "…", "fr": "C'est un appel au terrorisme."}}
    house.do(notices.notify_owner, "clerk", reasoned, "block", "owner@site.test", "found in the register")
    assert "C'est un appel au terrorisme." in house.messages("owner_block")[-1].body
    assert "bloqués" in house.messages("owner_block")[-1].subject
    nothing = house.order(house.emergency("c.test"))
    house.do(notices.notify_owner, "clerk", nothing, "block", "owner@site.test", "found in the register")
    assert "are blocked" in house.messages("owner_block")[-1].subject
    house.document("texts", 'owner_block: {nl: {subject: "Bevel {{ order }}", body: "Geblokkeerd."}}')
    house.do(notices.notify_owner, "clerk", nothing, "amend", "owner@site.test", "found in the register")
    assert "has changed" in house.messages("owner_amend")[-1].subject
    house.do(notices.notify_owner, "clerk", nothing, "block", "owner@site.test", "found in the register")
    assert house.messages("owner_block")[-1].body == "Geblokkeerd.\n"


def test_an_appeal_is_answered_in_its_language(house: House) -> None:
    number = house.in_force()
    filed = house.do(appeals.file, "clerk", number, "owner", "Non.", "une lettre", contact="moi@site.test", language="fr")
    house.do(appeals.decide, "officer", filed.reference, "lifted", "Vous avez raison.", "so")
    (answer,) = house.messages("appeal_decided")
    assert answer.body.startswith("Nous vous donnons raison")
