"""Tells cases what operators' receipts say: `enforced` when every operator has the order in force, `restored` when every one has ended it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.orm import Session

from authority.desk import steps
from authority.desk.desk import Desk
from authority.desk.enforcement.fulfilment import SELF_ENDING
from authority.desk.enforcement.tables import Enforcement, Obligation
from authority.desk.errors import Conflict
from authority.desk.procedure import Procedure
from authority.desk.roles import LOG
from authority.desk.states import CLOSED, ENDING, ORDERED
from authority.desk.tables import Case, Event, Order

TOGETHER = 100
"""Cases in one transaction."""


def settle(desk: Desk, now: int) -> int:
    """Takes the steps that are due at `now` (unix seconds); how many. A case that has yet to hear of its own publication is told at the next look."""
    taken = 0
    after = (-1, "")
    while True:
        with desk.store.writing() as session:
            found = session.scalars(
                select(Obligation)
                .where(
                    Obligation.settled_at.is_(None),
                    Obligation.open_rows == 0,
                    or_(Obligation.terms_rows == 0, Obligation.due_at <= now),
                    tuple_(Obligation.log_index, Obligation.kind) > after,
                )
                .order_by(Obligation.log_index, Obligation.kind)
                .limit(TOGETHER)
            ).all()
            if not found:
                return taken
            procedure = desk.procedure(session)
            cases = _cases(session, {each.order_id for each in found})
            for each in found:
                taken += _tell(session, each, cases.get(each.order_id), procedure, now)
            after = (found[-1].log_index, found[-1].kind)


def _tell(session: Session, obligation: Obligation, case: Case | None, procedure: Procedure, now: int) -> int:
    """One case; whether a step was taken."""
    if case is None or obligation.action == "suspend" or (obligation.kind == "block" and obligation.ended):
        obligation.settled_at = now
        return 0
    if obligation.kind == "lift" and (case.state in CLOSED or _stands_again(session, obligation)):
        obligation.settled_at = now
        return 0
    if obligation.kind == "block" and case.state in ENDING | CLOSED:
        obligation.settled_at = now
        return 0
    if case.state not in (ORDERED if obligation.kind == "block" else ENDING):
        return 0
    details = _details(session, obligation)
    step = "enforced" if obligation.kind == "block" else "restored"
    if _was_told(session, case, step, obligation.log_index):
        obligation.settled_at = now
        return 0
    try:
        steps.take(session, case, step, LOG, _why(obligation, details), now, procedure, index=obligation.log_index, **details)
    except Conflict:
        return 0
    obligation.settled_at = now
    return 1


def _cases(session: Session, ids: set[str]) -> dict[str, Case]:
    """Cases by the public ids of their orders."""
    found: dict[str, Case] = {}
    for order, case in session.execute(select(Order.order_id, Case).join(Case, Case.id == Order.case_id).where(Order.order_id.in_(ids))):
        found[order] = case
    return found | {case.order_id or "": case for case in session.scalars(select(Case).where(Case.order_id.in_(ids)))}


def _stands_again(session: Session, obligation: Obligation) -> bool:
    """Whether an order that ended by its own terms was renewed since."""
    later = (Obligation.order_id == obligation.order_id, Obligation.kind == "block", Obligation.log_index > obligation.log_index)
    return obligation.action in SELF_ENDING and session.scalar(select(Obligation.log_index).where(*later).limit(1)) is not None


def _was_told(session: Session, case: Case, step: str, index: int) -> bool:
    """Whether the case had the step before the tables were made anew."""
    events = session.scalars(select(Event.details).where(Event.case_id == case.id, Event.step == step))
    return any(details.get("index") == index for details in events)


def _details(session: Session, obligation: Obligation) -> dict[str, Any]:
    here = (Enforcement.log_index == obligation.log_index, Enforcement.kind == obligation.kind)
    all_of_them = session.scalar(select(func.count()).where(*here)) or 0
    last = session.execute(
        select(Enforcement.operator, Enforcement.taken_at)
        .where(*here, Enforcement.taken_at.is_not(None))
        .order_by(Enforcement.taken_at.desc())
        .limit(1)
    ).first()
    said = session.scalar(select(func.count()).where(*here, Enforcement.taken_at.is_not(None))) or 0
    found: dict[str, Any] = {"operators": all_of_them, "said": said}
    if last is not None:
        found |= {"last": last[0], "last_at": last[1], "seconds": max(0, (last[1] or 0) - obligation.begins_at)}
    return found


def _why(obligation: Obligation, details: dict[str, Any]) -> str:
    if not details["operators"]:
        return "no operator owes it"
    done = "has the order in force" if obligation.kind == "block" else "has restored the names"
    if details["said"] == details["operators"]:
        return f"every operator {done}, as its receipts say: {details['operators']}, the last {details['last']}"
    return f"the order ended by its own terms, which every operator that had it knows; receipts since: {details['said']} of {details['operators']}"
