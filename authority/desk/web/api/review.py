"""What is looked at again: the reviewer's view of every order, recommendations, appeals, and visitors' reports of errors.

Appeals, recommendations and reports of a case are answered by steps of the case; here only what no case made.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy.orm import Session

from authority.desk import appeals, error_reports, queues, reading, reviewing
from authority.desk.desk import Desk
from authority.desk.errors import NotFound
from authority.desk.roles import Actor
from authority.desk.tables import Appeal, Case
from authority.desk.web.api.shapes import review as shapes
from authority.desk.web.api.shapes.cases import Row
from authority.desk.web.api.shapes.common import After, Number
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter(tags=["review"])
Limit = Annotated[int, Query(ge=1, le=200)]
OrderId = Annotated[str, Path(max_length=64, description="The order's public id.")]


@router.get("/review/orders")
def orders(
    who: SignedIn,
    desk: TheDesk,
    waiting: Annotated[bool, Query(description="Only those that are neither published nor dropped.")] = False,
    before: Annotated[int | None, Query(ge=1, lt=1 << 31, description="The id that the page before ended with.")] = None,
    limit: Limit = reviewing.LIMIT,
) -> shapes.AllOrders:
    """Every order of every case, the newest first."""
    with desk.store.reading() as session:
        return all_orders(session, who.actor, before, waiting, limit)


@router.get("/review/emergencies")
def emergencies(who: SignedIn, desk: TheDesk, limit: Limit = reviewing.LIMIT) -> list[Row]:
    """Cases whose order lapses unless the reviewer confirms it, the soonest first."""
    with desk.store.reading() as session:
        return [row_of(each) for each in reviewing.emergencies(session, who.actor, limit)]


@router.get("/review/recommendations")
def recommendations(who: SignedIn, desk: TheDesk, limit: Limit = reviewing.LIMIT) -> list[shapes.Recommendation]:
    """Recommendations that nobody has answered, the soonest due first."""
    with desk.store.reading() as session:
        return unanswered(session, who.actor, limit)


@router.get("/appeals")
def undecided(who: SignedIn, desk: TheDesk, after: After = "", limit: Limit = appeals.LIMIT) -> shapes.Objections:
    """Appeals that nobody has decided, the oldest first."""
    with desk.store.reading() as session:
        return objections(session, who.actor, after, limit)


@router.get("/appeals/{reference}")
def appeal(who: SignedIn, desk: TheDesk, reference: Annotated[str, Path(max_length=100)]) -> shapes.Appeal:
    """One appeal. That its case was read is logged before the answer."""
    return appealed(desk, who.actor, reference)


@router.get("/cases/{number}/appeals")
def appeals_of(who: SignedIn, desk: TheDesk, number: Number) -> list[shapes.Appeal]:
    """Appeals against a case's orders, the newest first: 100 at most."""
    case = reading.opened(desk, who.actor, number)
    with desk.store.reading() as session:
        return [appeal_of(session, each, case) for each in appeals.of_case(session, case)]


@router.get("/reports")
def reports(who: SignedIn, desk: TheDesk, limit: Limit = error_reports.SHOWN) -> shapes.AllReported:
    """Orders that visitors report an error of, and that nobody has answered. Those of a case are answered by its step `answer_report`."""
    with desk.store.reading() as session:
        return reported(session, who.actor, limit)


@router.get("/reports/{order_id}")
def reports_of(who: SignedIn, desk: TheDesk, order_id: OrderId) -> list[shapes.Report]:
    """Reports of an error of one order, those that wait first: 50 at most. Where it has a case, that this was read is logged."""
    return about_order(desk, who.actor, order_id)


@router.post("/reports/{order_id}/answer")
def answer(who: SignedIn, desk: TheDesk, order_id: OrderId, given: shapes.Answer) -> shapes.Answered:
    """Answer reports about an order that no case here made; of a case's, take its step `answer_report`."""
    with desk.store.writing() as session:
        rows = error_reports.answer_without_case(
            session, desk, who.actor, order_id, given.report, given.decision, given.answer, given.language, desk.now()
        )
        return shapes.Answered(reports=len(rows))


def all_orders(session: Session, actor: Actor, before: int | None, waiting: bool, limit: int) -> shapes.AllOrders:
    """A page of orders. Raises Forbidden."""
    lines, following = reviewing.orders(session, actor, before, waiting, limit)
    made = []
    for order, case, at in lines:
        own = {name: getattr(order, name) for name in ("id", "digest", "order_id", "what", "made_at", "made_by", "log_index", "published_at")}
        of = {"case": case.number, "title": case.title, "category": case.category, "state": case.state}
        made.append(shapes.Ordered.model_validate({**own, **of, "at": at}))
    return shapes.AllOrders(orders=made, before=following)


def unanswered(session: Session, actor: Actor, limit: int) -> list[shapes.Recommendation]:
    """Recommendations. Raises Forbidden."""
    return [recommendation(each, case) for each, case in reviewing.recommendations(session, actor, limit)]


def recommendation(found: object, case: Case) -> shapes.Recommendation:
    """One, of a case."""
    fields = {name: getattr(found, name) for name in shapes.Recommendation.model_fields if name != "case"}
    return shapes.Recommendation(**fields, case=case.number)


def objections(session: Session, actor: Actor, after: str, limit: int) -> shapes.Objections:
    """A page of appeals. Raises Forbidden, BadField."""
    found = appeals.waiting(session, actor, after, limit)
    made = [
        shapes.Objection(
            reference=each.reference, case=row_of(case), standing=each.standing, filed_at=each.filed_at, due_at=found.due_at.get(each.reference)
        )
        for each, case in found.rows
    ]
    return shapes.Objections(appeals=made, after=found.after or None)


def appealed(desk: Desk, actor: Actor, reference: str) -> shapes.Appeal:
    """One appeal, its case read and logged. Raises Forbidden, NotFound."""
    actor.require("case.read")
    with desk.store.reading() as session:
        found = appeals.find(session, reference)
        number = session.get_one(Case, found.case_id).number
    case = reading.opened(desk, actor, number)
    with desk.store.reading() as session:
        return appeal_of(session, found, case)


def reported(session: Session, actor: Actor, limit: int) -> shapes.AllReported:
    """Orders that reports wait about. Raises Forbidden."""
    found = error_reports.waiting(session, actor, limit)
    places = error_reports.placed(session, found)
    made = []
    for each in found:
        case, due = places[each.case_id] if each.case_id is not None else (None, None)
        number = case.number if case else None
        made.append(shapes.Reported(order_id=each.order_id, case=number, number=each.number, since=each.since, due_at=due, last=each.last))
    return shapes.AllReported(waiting=error_reports.count(session), orders=made)


def about_order(desk: Desk, actor: Actor, order_id: str) -> list[shapes.Report]:
    """Reports of one order, its case, if there is one, read and logged. Raises Forbidden, NotFound."""
    actor.require("case.read")
    with desk.store.reading() as session:
        try:
            number = appeals.find_by_order(session, order_id).number
        except NotFound:
            bare = error_reports.without_case(session, actor, order_id)
            if not bare:
                raise NotFound(f"no report waits about an order {order_id}, and no case here made it") from None
            return [shapes.Report.model_validate(each) for each in bare]
    case = reading.opened(desk, actor, number)
    with desk.store.reading() as session:
        return [shapes.Report.model_validate(each) for each in error_reports.of_case(session, case)]


def row_of(case: Case) -> Row:
    """A case in a list."""
    return Row.model_validate({name: getattr(case, name) for name in queues.Row._fields})


def appeal_of(session: Session, found: Appeal, case: Case) -> shapes.Appeal:
    """One, of a case."""
    fields = {name: getattr(found, name) for name in shapes.Appeal.model_fields if name not in ("case", "due_at")}
    return shapes.Appeal(**fields, case=case.number, due_at=appeals.status(session, found.reference).due_at)
