"""Who could take the content away is asked first: a host, publisher or registrar, by a message whose sending and deadline stand in the timeline.

Or it is recorded why nobody can be asked. What was asked, and what came of it, is what a directive later says under `removal_request`.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import alerts, outbox, speaking, steps, texts
from authority.desk.desk import Desk
from authority.desk.errors import BadField
from authority.desk.roles import Actor
from authority.desk.tables import Case, Event, Message, Referral
from authority.desk.words import clean

Kind = Literal["host", "publisher", "registrar"]
KINDS: tuple[Kind, ...] = get_args(Kind)
HOURS = 24
"""When the procedure has no clock `owner`."""


class Asked(NamedTuple):
    """One request for removal."""

    recipient: str
    kind: str
    asked_at: int
    deadline: int
    """As the timeline has it: later than the message says when that left late."""
    sent_at: int | None
    """When it left; None while it has not."""
    proof: str
    """What the mail server answered, or the file it became; why it failed."""
    outcome: Literal["waiting", "unsent", "failed", "silent", "refused", "removed", "overtaken"]


def request(
    session: Session,
    desk: Desk,
    actor: Actor,
    number: str,
    recipient: str,
    kind: str,
    why: str,
    now: int,
    *,
    deadline: int | None = None,
    language: str | None = None,
    version: int | None = None,
) -> Case:
    """Asks for removal by a message that leaves at once, or without a mail server once a person has posted it (`delivery.posted`).

    `deadline` in unix seconds; without one, the hours of the category's clock from now. Without a language, `speaking.of_case`.
    """
    case = steps.find(session, number)
    procedure = desk.procedure(session)
    if kind not in KINDS:
        raise BadField("kind", f"{kind[:20]!r} is none; write one of {', '.join(KINDS)}")
    recipient = outbox.address(recipient)
    if deadline is None:
        hours = procedure.hours("owner", case.category) if "owner" in procedure.clocks else None
        deadline = now + round((hours or HOURS) * 3600)
    if not now < deadline <= now + 366 * 86_400:
        raise BadField("deadline", "it is not within a year from now; write a later time, or none")
    where = session.scalar(select(Referral.location).where(Referral.case_id == case.id, Referral.location != "").order_by(Referral.id).limit(1))
    rule = procedure.category(case.category)
    said = {**alerts.values(desk, case), "kind": kind, "location": where or "", "category": case.category, "legal_basis": rule.legal_basis}
    language = language or speaking.of_case(session, desk, case, "removal_request")
    text = texts.render(session, desk, "removal_request", language, **said, deadline=deadline)
    steps.require_version(case, version)
    message = outbox.post(session, desk, "removal_request", recipient, text.subject, text.body, now, case=case)
    details: dict[str, Any] = {"recipient": recipient, "kind": kind, "language": language, "deadline": deadline, "message": message.identity}
    return steps.step(session, desk, actor, number, "request_removal", why, now, **details)


def refused(session: Session, desk: Desk, actor: Actor, number: str, why: str, now: int, *, version: int | None = None) -> Case:
    """Who was asked will not; `why` has their answer."""
    return steps.step(session, desk, actor, number, "record_refusal", why, now, version)


def removed(session: Session, desk: Desk, actor: Actor, number: str, why: str, now: int, *, version: int | None = None) -> Case:
    """The content is gone: seen by whom, and how."""
    return steps.step(session, desk, actor, number, "record_removed", why, now, version)


def unidentifiable(session: Session, desk: Desk, actor: Actor, number: str, why: str, now: int, *, version: int | None = None) -> Case:
    """Nobody can be found who could take it away: what was tried. It stands in the order."""
    return steps.step(session, desk, actor, number, "owner_unidentifiable", clean(why, "why", 500, line=True), now, version)


def asked(session: Session, case: Case) -> list[Asked]:
    """All requests of a case since it was last opened, in order."""
    found: list[Asked] = []
    events = _events(session, case)
    messages = {each.identity: each for each in session.scalars(select(Message).where(Message.case_id == case.id, Message.kind == "removal_request"))}
    answer = next((_ANSWERS[event.step] for event in reversed(events) if event.step in _ANSWERS), None)
    late = {str(event.details["message"]): int(event.details["deadline"]) for event in events if event.step == "request_sent"}
    for event in events:
        if event.step != "request_removal":
            continue
        details = event.details
        message = messages.get(details["message"])
        sent_at, failed, proof = (message.sent_at, message.failed_at is not None, message.proof) if message else (None, False, "")
        outcome: Any = "failed" if failed else "unsent" if sent_at is None else answer or "waiting"
        deadline = late.get(details["message"], int(details["deadline"]))
        found.append(Asked(details["recipient"], details["kind"], event.at, deadline, sent_at, proof, outcome))
    return found


def owner(session: Session, case: Case) -> str:
    """Whom messages about the order go to: who was asked last and could be reached; empty when nobody was."""
    reached = [each for each in asked(session, case) if each.sent_at is not None]
    return reached[-1].recipient if reached else ""


_ANSWERS: dict[str, Literal["silent", "refused", "removed", "overtaken"]] = {
    "deadline_passed": "silent",
    "record_refusal": "refused",
    "record_removed": "removed",
    "declare_emergency": "overtaken",
    "owner_unidentifiable": "overtaken",
}


def _events(session: Session, case: Case) -> list[Event]:
    """Those since the case was last opened, in order."""
    events = list(session.scalars(select(Event).where(Event.case_id == case.id).order_by(Event.number)))
    opened = max((place for place, event in enumerate(events) if event.step in ("reopen", "abandon_draft")), default=0)
    return events[opened:]
