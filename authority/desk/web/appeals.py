"""Appeals that nobody has decided, the oldest first. A page only; an appeal is decided on the page of its case."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select, tuple_

from authority.desk.errors import BadField
from authority.desk.tables import Appeal, Case, Clock
from authority.desk.web import labels
from authority.desk.web.page import page
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter()
LIMIT = 50


@router.get("/appeals")
def appeals(request: Request, who: SignedIn, desk: TheDesk, after: str = "") -> HTMLResponse:
    """One page of them."""
    who.actor.require("case.list")
    query = select(Appeal, Case).join(Case, Case.id == Appeal.case_id).where(Appeal.decided_at.is_(None))
    if after:
        filed, _, number = after.partition(".")
        if not all(each.isascii() and each.isdigit() and len(each) < 19 for each in (filed, number)):
            raise BadField("after", f"{after[:40]!r} is no place in this list; begin at its first page")
        query = query.where(tuple_(Appeal.filed_at, Appeal.id) > (int(filed), int(number)))
    with desk.store.reading() as session:
        found = [(each, case) for each, case in session.execute(query.order_by(Appeal.filed_at, Appeal.id).limit(LIMIT + 1))]
        lines = found[:LIMIT]
        # Which of them run is asked here, not of SQLite: it would look through every clock of the desk that runs.
        clocks = select(Clock.subject, Clock.due_at, Clock.ended_at).where(Clock.case_id.in_([case.id for _, case in lines]))
        due_at = {row.subject: row.due_at for row in session.execute(clocks) if row.ended_at is None}
    last = lines[-1][0] if len(found) > LIMIT else None
    return page(
        request, who, "appeals.html", lines=lines, due_at=due_at, after=f"{last.filed_at}.{last.id}" if last else "", first=not after, labels=labels
    )
