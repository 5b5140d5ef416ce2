"""What the reviewer looks at: every order there is, emergencies that wait for a confirmation, recommendations that wait for an answer. Only reads."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from authority.desk.ordering import state_of
from authority.desk.roles import Actor
from authority.desk.states import ORDERED
from authority.desk.tables import Case, Order, Recommendation

LIMIT = 50


class Line(NamedTuple):
    """One order, with its case."""

    order: Order
    case: Case
    at: str
    """Where it stands: draft, waiting, published or dropped."""


def orders(session: Session, actor: Actor, before: int | None = None, waiting: bool = False, limit: int = LIMIT) -> tuple[list[Line], int | None]:
    """Orders, the newest first, and where the next page begins; `waiting`: those that are neither published nor dropped. Raises Forbidden."""
    actor.require("review.read")
    query = select(Order, Case).join(Case, Case.id == Order.case_id).order_by(Order.id.desc()).limit(limit + 1).options(defer(Order.packet))
    if waiting:
        query = query.where(Order.published_at.is_(None), Order.ended_at.is_(None))
    if before is not None:
        query = query.where(Order.id < before)
    found = [Line(order, case, state_of(order, case)) for order, case in session.execute(query)]
    return found[:limit], found[limit - 1].order.id if len(found) > limit else None


def emergencies(session: Session, actor: Actor, limit: int = LIMIT) -> list[Case]:
    """Orders that lapse unless the reviewer confirms them, the soonest first. Raises Forbidden."""
    actor.require("review.read")
    # Few are unconfirmed at any time; by their state alone a database would look through all that is in force.
    query = select(Case).where(Case.emergency.is_(True)).order_by(Case.due_at).limit(10 * limit)
    return [case for case in session.scalars(query) if case.state in ORDERED][:limit]


def recommendations(session: Session, actor: Actor, limit: int = LIMIT) -> list[tuple[Recommendation, Case]]:
    """Unanswered ones, the soonest due first. Raises Forbidden."""
    actor.require("review.read")
    query = select(Recommendation, Case).join(Case, Case.id == Recommendation.case_id).where(Recommendation.answered_at.is_(None))
    return [(each, case) for each, case in session.execute(query.order_by(Recommendation.due_at).limit(limit))]
