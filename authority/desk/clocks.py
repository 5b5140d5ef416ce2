"""The clocks of a case as pages show them: what is due, what is overdue and by how much, and how long each step took. Pure reading."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk.states import CLOSED
from authority.desk.tables import Case, Clock, Event


class Shown(NamedTuple):
    """One clock. Times are unix seconds."""

    name: str
    subject: str
    """Which appeal, recommendation or message it is for; empty for the case's own."""
    began_at: int
    due_at: int
    ended_at: int | None
    """None while it runs."""
    overdue: bool
    """Whether it ran out: while it runs, or before it was stopped."""
    left_seconds: int
    """Until it is due, or was when it was stopped; negative: so long after."""
    took_seconds: int
    """From its start until it was stopped, or until now."""


class Took(NamedTuple):
    """How long a case was in one state, once."""

    state: str
    since: int
    seconds: int
    by: str
    """The step that led there."""


def shown(session: Session, case: Case, now: int) -> list[Shown]:
    """All clocks of a case: those that run first, the soonest first; then those that were stopped, the newest first."""
    clocks = session.scalars(select(Clock).where(Clock.case_id == case.id)).all()
    found = [
        Shown(
            name=clock.name,
            subject=clock.subject,
            began_at=clock.began_at,
            due_at=clock.due_at,
            ended_at=clock.ended_at,
            overdue=(clock.ended_at or now) > clock.due_at,
            left_seconds=clock.due_at - (clock.ended_at or now),
            took_seconds=(clock.ended_at or now) - clock.began_at,
        )
        for clock in clocks
    ]
    return sorted(found, key=lambda one: (one.ended_at is not None, one.due_at if one.ended_at is None else -one.ended_at))


def took(session: Session, case: Case, now: int) -> list[Took]:
    """How long it was in each state, in order; the last until now, unless the case is closed: then its time there is 0."""
    events = session.execute(select(Event.at, Event.step, Event.before, Event.after).where(Event.case_id == case.id).order_by(Event.number)).all()
    moves = [(row.at, row.after, row.step) for place, row in enumerate(events) if place == 0 or row.before != row.after]
    ended = [*moves, (now, "", "")]
    return [Took(state, at, 0 if state in CLOSED else until - at, step) for (at, state, step), (until, _, _) in pairwise(ended)]
