"""The reviewer recommends that an order be withdrawn, and is answered within a clock: followed, or refused with reasons; then the court is open."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authority.desk import alerts, steps
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, NotFound
from authority.desk.roles import Actor
from authority.desk.tables import Case, Clock, Recommendation
from authority.desk.words import clean


def recommend(
    session: Session, desk: Desk, actor: Actor, number: str, why: str, now: int, *, index: int | None = None, version: int | None = None
) -> Recommendation:
    """Officers are told at once. `index`: of the reviewer's own entry in the public log, when it stands there."""
    case = steps.find(session, number)
    said = {} if index is None else {"index": index}
    row = Recommendation(case_id=case.id, why=why.strip(), made_by=actor.name, made_at=now, due_at=now)
    session.add(row)
    session.flush()
    steps.step(session, desk, actor, number, "recommend_withdrawal", why, now, version, recommendation=row.id, **said)
    running = select(func.max(Clock.due_at)).where(Clock.case_id == case.id, Clock.name == "reviewer", Clock.subject == str(row.id))
    row.due_at = session.scalar(running) or now
    values = {**alerts.values(desk, case), "why": row.why, "due": row.due_at}
    alerts.tell(session, desk, "recommendation", alerts.people(session, ("officer",), case), now, case, **values)
    return row


def find(session: Session, recommendation_id: int) -> Recommendation:
    """Raises NotFound."""
    row = session.get(Recommendation, recommendation_id)
    if row is None:
        raise NotFound(f"there is no recommendation {recommendation_id}")
    return row


def of_case(session: Session, case: Case, limit: int = 100) -> list[Recommendation]:
    """A case's, the newest first."""
    return list(session.scalars(select(Recommendation).where(Recommendation.case_id == case.id).order_by(Recommendation.id.desc()).limit(limit)))


def answer(
    session: Session, desk: Desk, actor: Actor, recommendation_id: int, answer: str, why: str, now: int, *, version: int | None = None
) -> Recommendation:
    """`followed`: the withdrawal has a clock of its own; `refused`: `why` are the reasons."""
    row = find(session, recommendation_id)
    if answer not in ("followed", "refused"):
        raise BadField("answer", f"{answer[:20]!r} is none; write followed or refused")
    if row.answered_at is not None:
        raise Conflict(f"recommendation {row.id} was answered already: {row.answer}")
    case = session.get_one(Case, row.case_id)
    steps.step(session, desk, actor, case.number, "answer_recommendation", why, now, version, recommendation=row.id, answer=answer)
    row.answered_at, row.answer, row.reason = now, answer, why.strip()
    return row


def to_court(session: Session, desk: Desk, actor: Actor, number: str, court: str, why: str, now: int, *, version: int | None = None) -> Case:
    """The reviewer goes to court."""
    return steps.step(session, desk, actor, number, "refer_to_court", why, now, version, court=clean(court, "court", 200, line=True))
