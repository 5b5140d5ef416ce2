"""The reviewer's view: every order there is, what waits for the reviewer, and what was recommended and not answered. Pages only, nothing written.

A recommendation is made on the page of the case; so are its answer, and going to court.
"""

from __future__ import annotations

from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from authority.desk.errors import BadField
from authority.desk.states import ORDERED
from authority.desk.tables import Case, Order, Recommendation
from authority.desk.web import labels, view
from authority.desk.web.page import page
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter()
LIMIT = 50


class Line(NamedTuple):
    """One order, with its case."""

    order: Order
    case: Case
    at: str
    """Where it stands: draft, waiting, published or dropped."""


@router.get("/review")
def review(request: Request, who: SignedIn, desk: TheDesk, before: str = "", only: str = "") -> HTMLResponse:
    """Orders, the newest first; `only` waiting: those that are neither published nor dropped."""
    who.actor.require("review.read")
    with desk.store.reading() as session:
        lines, place = _orders(session, _place(before), only == "waiting")
        emergencies = _emergencies(session) if not before else []
        open_ones = _recommendations(session) if not before else []
    return page(
        request, who, "review.html", lines=lines, place=place, emergencies=emergencies, recommendations=open_ones, labels=labels, only=only,
        first=not before,
    )  # fmt: skip


def _orders(session: Session, before: int | None, waiting: bool) -> tuple[list[Line], int | None]:
    query = select(Order, Case).join(Case, Case.id == Order.case_id).order_by(Order.id.desc()).limit(LIMIT + 1).options(defer(Order.packet))
    if waiting:
        query = query.where(Order.published_at.is_(None), Order.ended_at.is_(None))
    if before is not None:
        query = query.where(Order.id < before)
    found = [Line(order, case, view.state_of(order, case)) for order, case in session.execute(query)]
    return found[:LIMIT], found[LIMIT - 1].order.id if len(found) > LIMIT else None


def _emergencies(session: Session) -> list[Case]:
    """Orders that lapse unless the reviewer confirms them."""
    # Few are unconfirmed at any time; by their state alone a database would look through all that is in force.
    query = select(Case).where(Case.emergency.is_(True)).order_by(Case.due_at).limit(10 * LIMIT)
    return [case for case in session.scalars(query) if case.state in ORDERED][:LIMIT]


def _recommendations(session: Session) -> list[tuple[Recommendation, Case]]:
    """Unanswered ones, the soonest due first."""
    query = select(Recommendation, Case).join(Case, Case.id == Recommendation.case_id).where(Recommendation.answered_at.is_(None))
    return [(each, case) for each, case in session.execute(query.order_by(Recommendation.due_at).limit(LIMIT))]


def _place(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadField("before", f"{text[:40]!r} is no place in this list; begin at its first page")
    return int(text)
