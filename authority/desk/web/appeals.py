"""Appeals that nobody has decided, the oldest first. A page only; an appeal is decided on the page of its case."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from authority.desk import appeals
from authority.desk.web import labels
from authority.desk.web.page import page
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter()


@router.get("/appeals")
def waiting(request: Request, who: SignedIn, desk: TheDesk, after: str = "") -> HTMLResponse:
    """One page of them."""
    with desk.store.reading() as session:
        found = appeals.waiting(session, who.actor, after)
    return page(request, who, "appeals.html", lines=found.rows, due_at=found.due_at, after=found.after, first=not after, labels=labels)
