"""What the passing of time does: a clock that has run out takes its step, or those whom it concerns are told, once; some are told before.

A worker calls `run` every second. Each step is a transaction of its own; one that fails harms no other.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from authority.desk import alerts, audit, notices, steps, texts
from authority.desk.desk import Desk
from authority.desk.errors import DeskError
from authority.desk.outbox import hook
from authority.desk.procedure import Procedure
from authority.desk.roles import CLOCK
from authority.desk.tables import Case, Clock, Person
from authority.desk.wording import Kind

BATCH = 200
"""Clocks looked at in one run."""
LINES = 50
"""Cases that one message names."""
PATIENCE = 60
"""Seconds that a clock may take over its own step before people are told that it has not."""
_log = logging.getLogger("authority")


class Ran(NamedTuple):
    """What one run did."""

    taken: int
    """Steps that clocks took."""
    told: int
    """Clocks of which people were told that they are overdue."""
    warned: int
    """Clocks of which people were told that they soon will be."""


def run(desk: Desk, now: int) -> Ran:
    """Does all that is due at `now` (unix seconds), up to BATCH of each; call it again until it did nothing."""
    with desk.store.reading() as session:
        procedure = desk.procedure(session)
        taking = [name for name, rule in procedure.clocks.items() if rule.takes]
        due = session.scalars(_open().where(Clock.due_at <= now, Clock.name.in_(taking)).order_by(Clock.due_at).limit(BATCH)).all()
        found = [clock.id for clock in due]
        overdue = session.scalars(_overdue(now, taking)).first() is not None
        soon = any(session.scalars(_soon(name, hours, now)).first() is not None for name, hours in _warning(procedure))
    taken = sum(_take(desk, each, now) for each in found)
    told = warned = 0
    if overdue or soon:
        with desk.store.writing() as session:
            late = session.scalars(_overdue(now, taking)).all()
            for clock in late:
                clock.notified_at = now
            told = _tell(session, desk, procedure, late, "overdue", now)
            early = [clock for name, hours in _warning(procedure) for clock in session.scalars(_soon(name, hours, now))]
            for clock in early:
                clock.warned_at = now
            warned = _tell(session, desk, procedure, early, "soon", now)
    return Ran(taken, told, warned)


def _open() -> Select[Clock]:
    return select(Clock).where(Clock.ended_at.is_(None))


def _overdue(now: int, taking: list[str]) -> Select[Clock]:
    """What takes a step by itself is overdue only when that failed for a while."""
    late = or_(Clock.due_at <= now - PATIENCE, and_(Clock.due_at <= now, Clock.name.not_in(taking)))
    return _open().where(Clock.due_at <= now, late, Clock.notified_at.is_(None)).order_by(Clock.due_at).limit(BATCH)


def _warning(procedure: Procedure) -> list[tuple[str, float]]:
    return [(name, rule.warn) for name, rule in procedure.clocks.items() if rule.warn]


def _soon(name: str, hours: float, now: int) -> Select[Clock]:
    until = now + round(hours * 3600)
    return _open().where(Clock.name == name, Clock.due_at > now, Clock.due_at <= until, Clock.warned_at.is_(None)).limit(BATCH)


def _take(desk: Desk, clock_id: int, now: int) -> bool:
    """Lets one clock take its step; whether it did."""
    try:
        with desk.store.writing() as session:
            clock = session.get_one(Clock, clock_id)
            procedure = desk.procedure(session)
            rule = procedure.clocks.get(clock.name)
            if clock.ended_at is not None or clock.due_at > now or rule is None:
                return False
            case = session.get_one(Case, clock.case_id)
            clock.ended_at = now
            try:
                steps.take(session, case, rule.takes, CLOCK, f"the clock {clock.name} ran out: due {texts.shown(clock.due_at)}", now, procedure)
            except DeskError as error:
                # The step is not to be had: the clock is void, and stands so in the audit log; it would else run out again every second.
                audit.record(session, CLOCK, "clock.void", f"case:{case.number}", now, clock=clock.name, why=str(error))
                steps.due(session, case)
                return False
            notices.follow(session, desk, case, rule.takes, now)
            return True
    except Exception:  # one case's fault must not stop the clocks of all others
        _log.exception("clock %d could not take its step", clock_id)
        return False


def _tell(session: Session, desk: Desk, procedure: Procedure, clocks: Sequence[Clock], kind: Kind, now: int) -> int:
    """One message to each person about all of it."""
    concerned: dict[int, tuple[Person, list[dict[str, object]]]] = {}
    lines: list[dict[str, object]] = []
    for clock in clocks:
        case = session.get_one(Case, clock.case_id)
        rule = procedure.clocks.get(clock.name)
        line: dict[str, object] = {"number": case.number, "clock": clock.name, "due": clock.due_at, "title": case.title}
        lines.append(line)
        for person in alerts.people(session, (rule.tell if rule else "officer",), case):
            concerned.setdefault(person.id, (person, []))[1].append(line)
        audit.record(session, CLOCK, f"clock.{kind}", f"case:{case.number}", now, clock=clock.name, due=clock.due_at)
    for person, own in concerned.values():
        said = {"lines": own[:LINES], "more": max(0, len(own) - LINES), "url": desk.settings.url}
        alerts.tell(session, desk, kind, [person], now, None, **said)
    if lines and kind == "overdue":
        hook(session, desk, "overdue", now, None, clocks=lines)
    return len(lines)
