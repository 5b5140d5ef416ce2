"""The lists of cases: queues, and search. Pages only; `authority.desk.queues` and `authority.desk.search` find."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authority.desk import error_reports, queues, reading, search
from authority.desk.roles import Actor
from authority.desk.tables import Appeal, Person
from authority.desk.web import labels
from authority.desk.web.page import page
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter()


@router.get("/cases")
def cases(request: Request, who: SignedIn, desk: TheDesk, queue: str = "", after: str = "") -> HTMLResponse:
    """One queue: by default what waits for who asks."""
    now = desk.now()
    with desk.store.reading() as session:
        counts = queues.counts(session, who.actor, now)
        chosen = queue or _first(who.actor, counts)
        listed = queues.page(session, who.actor, chosen, now, after)
        people = names_of(session, (row.officer_id for row in listed.rows))
        appeals = session.scalar(select(func.count()).select_from(Appeal).where(Appeal.decided_at.is_(None))) or 0
        reports = error_reports.count(session)
    return page(
        request, who, "cases.html", queue=chosen, listed=listed, counts=counts, people=people, first=not after, labels=labels, appeals=appeals,
        reports=reports, may_open=who.actor.may("case.open"), text="",
    )  # fmt: skip


@router.get("/search")
def find(request: Request, who: SignedIn, desk: TheDesk, q: Annotated[str, Query(max_length=search.LONGEST)] = "") -> HTMLResponse:
    """Cases that a text points to. What is searched for is logged: it says whom somebody is interested in."""
    text = q.strip()
    hits = reading.searched(desk, who.actor, text)
    with desk.store.reading() as session:
        people = names_of(session, (hit.case.officer_id for hit in hits))
    return page(request, who, "search.html", text=text, hits=hits, people=people, labels=labels, most=search.LIMIT)


def names_of(session: Session, persons: Iterable[int | None]) -> dict[int, str]:
    """What people are called, by their rows."""
    wanted = {each for each in persons if each is not None}
    return {row.id: row.name for row in session.execute(select(Person.id, Person.name).where(Person.id.in_(wanted)))} if wanted else {}


def _first(actor: Actor, counts: dict[str, int]) -> str:
    """The queue that a person sees who asks for none."""
    if counts["mine"]:
        return "mine"
    return "received" if actor.may("case.work") else "due"
