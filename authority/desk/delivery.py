"""What follows when a message has left, or cannot: its row, and in a case's timeline when a removal request left, to whom, and until when they have.

A host's time runs from the sending: a mail server that is down takes none of it away, and a file that nobody has posted yet does not start it.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import alerts, steps, texts
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, NotFound
from authority.desk.outbox import BY_HAND, Sent, again_after
from authority.desk.roles import CLOCK, Actor
from authority.desk.tables import Case, Clock, Event, Message

TOLERATED = 60
"""Seconds between writing and sending that cost a host nothing worth a new deadline."""


def settle(desk: Desk, message_id: int, result: Sent, now: int) -> None:
    """Writes down what became of a message."""
    with desk.store.writing() as session:
        message = session.get_one(Message, message_id)
        if message.sent_at is not None:
            return
        message.tries += 1
        message.proof = result.proof
        if result.by_hand:
            message.again_at = BY_HAND
            return
        if result.done:
            message.sent_at = now
        elif result.for_good:
            message.failed_at = now
        else:
            message.again_at = now + again_after(message.tries)
            return
        case = session.get(Case, message.case_id) if message.case_id else None
        if case is None:
            return
        if message.kind == "removal_request":
            _request(session, desk, case, message, now, now)
        if message.failed_at is not None and message.channel == "mail":
            alerts.undelivered(session, desk, case, message, now)


def of_case(session: Session, case: Case, limit: int = 100) -> list[Message]:
    """Mail about a case, sent or not, the newest first."""
    about = select(Message).where(Message.case_id == case.id, Message.channel == "mail")
    return list(session.scalars(about.order_by(Message.id.desc()).limit(limit)))


def by_hand(session: Session, case: Case) -> list[Message]:
    """Files that wait until a person has posted them, the oldest first."""
    waiting = (Message.case_id == case.id, Message.sent_at.is_(None), Message.failed_at.is_(None), Message.again_at == BY_HAND)
    return list(session.scalars(select(Message).where(*waiting).order_by(Message.id)))


def posted(
    session: Session,
    desk: Desk,
    actor: Actor,
    number: str,
    message_id: int,
    why: str,
    now: int,
    *,
    posted_at: int | None = None,
    version: int | None = None,
) -> Case:
    """Somebody posted a file of the outbox, at `posted_at` (unix seconds, by default now); `why`: how. What was asked for runs from then.

    Raises NotFound, BadField for a time before the message was written or to come, Conflict when it does not wait for this.
    """
    case = steps.find(session, number)
    steps.require_version(case, version)
    message = session.get(Message, message_id)
    if message is None or message.case_id != case.id:
        raise NotFound(f"case {case.number} has no message {message_id}")
    if message.sent_at is not None or message.failed_at is not None or message.again_at != BY_HAND:
        raise Conflict(f"message {message_id} does not wait to be posted; look at the case's messages")
    at = now if posted_at is None else posted_at
    if not message.made_at <= at <= now:
        raise BadField("hours", f"the message was written {texts.shown(message.made_at)}; it was posted between then and now")
    procedure = desk.procedure(session)
    details = {"message": message.identity, "recipient": message.recipient, "posted_at": at}
    steps.take(session, case, "record_posted", actor, why, now, procedure, **details)
    message.sent_at = at
    message.proof = f"{message.proof.partition(';')[0]}; posted {texts.shown(at)}, says {actor.name}"
    if message.kind == "removal_request":
        _request(session, desk, case, message, at, now)
    return case


def _request(session: Session, desk: Desk, case: Case, message: Message, left_at: int, now: int) -> None:
    procedure = desk.procedure(session)
    if message.failed_at is not None:
        why = f"it cannot be delivered: {message.proof}"
        steps.take(session, case, "request_failed", CLOCK, why, now, procedure, message=message.identity, recipient=message.recipient)
        return
    asked = session.scalars(select(Event).where(Event.case_id == case.id, Event.step == "request_removal").order_by(Event.number.desc()))
    deadline = next((int(event.details["deadline"]) for event in asked if event.details.get("message") == message.identity), now)
    late = left_at - message.made_at
    deadline += late if late > TOLERATED else 0
    running = session.scalar(select(Clock.due_at).where(Clock.case_id == case.id, Clock.name == "owner", Clock.ended_at.is_(None)))
    deadline = max(deadline, running or 0)
    why = f"it left at {texts.shown(left_at)}: {message.proof}"
    details = {"message": message.identity, "recipient": message.recipient, "sent_at": left_at, "deadline": deadline}
    steps.take(session, case, "request_sent", CLOCK, why, now, procedure, **details)
