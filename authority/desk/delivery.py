"""What follows when a message has left, or cannot: its row, and in a case's timeline when a removal request left, to whom, and until when they have.

A host's time runs from the sending: a mail server that is down takes none of it away.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import alerts, steps, texts
from authority.desk.desk import Desk
from authority.desk.outbox import Sent, again_after
from authority.desk.roles import CLOCK
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
            _request(session, desk, case, message, now)
        if message.failed_at is not None and message.channel == "mail":
            alerts.undelivered(session, desk, case, message, now)


def _request(session: Session, desk: Desk, case: Case, message: Message, now: int) -> None:
    procedure = desk.procedure(session)
    if message.failed_at is not None:
        why = f"it cannot be delivered: {message.proof}"
        steps.take(session, case, "request_failed", CLOCK, why, now, procedure, message=message.identity, recipient=message.recipient)
        return
    asked = session.scalars(select(Event).where(Event.case_id == case.id, Event.step == "request_removal").order_by(Event.number.desc()))
    deadline = next((int(event.details["deadline"]) for event in asked if event.details.get("message") == message.identity), now)
    late = now - message.made_at
    deadline += late if late > TOLERATED else 0
    running = session.scalar(select(Clock.due_at).where(Clock.case_id == case.id, Clock.name == "owner", Clock.ended_at.is_(None)))
    deadline = max(deadline, running or 0)
    why = f"it left at {texts.shown(now)}: {message.proof}"
    steps.take(session, case, "request_sent", CLOCK, why, now, procedure, message=message.identity, recipient=message.recipient, deadline=deadline)
