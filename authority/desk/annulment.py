"""A court annulled an order: recorded with court and date, told to all officers at once, and a short clock until it is withdrawn."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import alerts, steps
from authority.desk.desk import Desk
from authority.desk.errors import BadField
from authority.desk.roles import Actor
from authority.desk.states import ORDERED
from authority.desk.tables import Case, Clock
from authority.desk.words import clean


def annul(
    session: Session,
    desk: Desk,
    actor: Actor,
    number: str,
    court: str,
    decided_at: int,
    why: str,
    now: int,
    *,
    reference: str = "",
    version: int | None = None,
) -> Case:
    """`decided_at`: unix seconds of the judgment; `reference`: its number. The withdrawal is signed as every other."""
    court = clean(court, "court", 200, line=True)
    reference = clean(reference, "reference", 100, line=True)
    if not 0 < decided_at <= now + 86_400:
        raise BadField("decided_at", "a judgment is not in the future; write the day it was given")
    case = steps.step(session, desk, actor, number, "annul", why, now, version, court=court, decided_at=decided_at, reference=reference)
    if case.state in ORDERED:
        due = session.scalar(select(Clock.due_at).where(Clock.case_id == case.id, Clock.name == "annulment", Clock.ended_at.is_(None)))
        said = {**alerts.values(desk, case), "court": court, "why": why, "due": due or now}
        alerts.tell(session, desk, "annulled", alerts.people(session, ("officer", "reviewer"), case), now, case, **said)
    return case
