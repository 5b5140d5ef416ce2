"""A step of a case, taken whole: timeline, state, clocks and audit line in one transaction. Nothing else changes a case's state.

The caller holds a writing session (`Store.writing`), and adds in it whatever else belongs to the step: a message, an order, a referral.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authority.desk import audit, states
from authority.desk.desk import Desk
from authority.desk.errors import Conflict, NotFound
from authority.desk.procedure import ClockRule, Procedure
from authority.desk.roles import Actor
from authority.desk.states import CLOSED, ENDING, State
from authority.desk.tables import Case, Clock, Counter, Event


def take(session: Session, case: Case, step: str, actor: Actor, why: str, now: int, procedure: Procedure, **details: Any) -> Event:
    """Takes one step at `now` (unix seconds); details are JSON, times in them unix seconds.

    Raises Conflict, Forbidden or BadField, and has changed nothing then.
    """
    before = cast(State, case.state)
    after = states.check(before, step, actor, why, details)
    number = 1 + (session.scalar(select(func.max(Event.number)).where(Event.case_id == case.id)) or 0)
    event = Event(case_id=case.id, number=number, at=now, who=actor.name, step=step, before=before, after=after, why=why.strip(), details=details)
    session.add(event)
    case.version += 1
    if after != before:
        case.state, case.state_since = after, now
        case.closed_at = now if after in CLOSED else None
    if step == "escalate":
        case.urgent = True
    if step == "declare_emergency":
        case.emergency = True
    elif step in ("confirm_emergency", "abandon_draft") or after in ENDING | CLOSED:
        case.emergency = False
    if step == "stand_down":
        case.urgent = False
    _wind(session, case, step, now, procedure, details)
    audit.record(session, actor, f"case.{step}", f"case:{case.number}", now, why=event.why, before=before, after=after)
    return event


def step(session: Session, desk: Desk, actor: Actor, number: str, name: str, why: str, now: int, version: int | None = None, **details: Any) -> Case:
    """Finds a case and takes one step of it. Raises NotFound, and as `take` and `require_version`."""
    case = find(session, number)
    require_version(case, version)
    take(session, case, name, actor, why, now, desk.procedure(session), **details)
    return case


def require_version(case: Case, version: int | None) -> None:
    """Raises Conflict when the case took a step since who asks looked at it."""
    if version is not None and case.version != version:
        raise Conflict(f"case {case.number} has changed since you looked at it; look again, and decide then")


def find(session: Session, number: str) -> Case:
    """The case with a number. Raises NotFound."""
    case = session.scalar(select(Case).where(Case.number == number))
    if case is None:
        raise NotFound(f"there is no case {number[:40]}")
    return case


def count(session: Session, series: str, many: int = 1) -> int:
    """The next number of a series, from 1, given once; of many, the last."""
    counter = session.get(Counter, series)
    if counter is None:
        counter = Counter(name=series, value=0)
        session.add(counter)
    counter.value += many
    session.flush()
    return counter.value


def due(session: Session, case: Case) -> None:
    """Brings the case's `due_at` up to date with its clocks."""
    session.flush()
    # The database gives them all: asked for the soonest open one, SQLite would go through the open clocks of every case until it met one of this.
    found = session.execute(select(Clock.due_at, Clock.ended_at).where(Clock.case_id == case.id))
    case.due_at = min((due_at for due_at, ended_at in found if ended_at is None), default=None)


def _wind(session: Session, case: Case, step: str, now: int, procedure: Procedure, details: dict[str, Any]) -> None:
    """Stops and starts the clocks that the step stops and starts."""
    closed = case.state in CLOSED
    running = list(session.scalars(select(Clock).where(Clock.case_id == case.id, Clock.ended_at.is_(None)).order_by(Clock.id)))
    for clock in running:
        rule = procedure.clocks.get(clock.name)
        left = rule is None or (closed and not rule.outlives) or (rule.states and case.state not in rule.states)
        if left or (rule is not None and step in rule.ends and _stops(rule, clock, details)):
            clock.ended_at = now
    for clock in started(case, step, now, procedure, details, running):
        session.add(clock)
    due(session, case)


def started(case: Case, step: str, now: int, procedure: Procedure, details: dict[str, Any], running: Sequence[Clock] = ()) -> list[Clock]:
    """The clocks that the step starts, yet to be added; those of `running` that they take the place of are stopped."""
    found: list[Clock] = []
    for name, rule in procedure.clocks.items():
        hours = procedure.hours(name, case.category)
        if step not in rule.begins or hours is None or (case.state in CLOSED and not rule.outlives) or not _starts(rule, case, details):
            continue
        subject = _subject(rule, details)
        same = [clock for clock in running if (clock.name, clock.subject) == (name, subject) and clock.ended_at is None]
        if same and not rule.anew:
            continue
        for clock in same:
            clock.ended_at = now
        until = details.get(rule.until) if rule.until else None
        since = case.opened_at if rule.since == "referral" else now
        due_at = int(until) if until is not None else since + round(hours * 3600)
        found.append(Clock(case_id=case.id, name=name, subject=subject, began_at=now, due_at=due_at))
    return found


def _starts(rule: ClockRule, case: Case, details: dict[str, Any]) -> bool:
    if rule.states and case.state not in rule.states:
        return False
    if (rule.only == "emergency" and not case.emergency) or (rule.only == "urgent" and not case.urgent):
        return False
    if rule.only == "dated" and details.get(rule.until) is None:
        return False
    return all(details.get(name) == value for name, value in rule.when.items())


def _stops(rule: ClockRule, clock: Clock, details: dict[str, Any]) -> bool:
    """A step stops only the clock of its own subject; a step that has none, as a withdrawal, stops all."""
    if rule.each and rule.each in details and clock.subject != _subject(rule, details):
        return False
    return all(details[name] == value for name, value in rule.ends_when.items() if name in details)


def _subject(rule: ClockRule, details: dict[str, Any]) -> str:
    return str(details.get(rule.each, "")) if rule.each else ""
