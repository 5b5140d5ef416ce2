"""The audit log, for those who check: who did what and who saw what, and whether the chain is whole."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from authority.desk import anchoring, audit
from authority.desk.web import page as pages
from authority.desk.web.who import Posted, SignedIn, TheDesk

router = APIRouter(prefix="/audit")
PAGE = 100


@router.get("")
def lines(request: Request, who: SignedIn, desk: TheDesk, before: int | None = None, of: str = "") -> Response:
    """The newest lines first; `of`: only what was done to one thing, such as case:2026-000123."""
    with desk.store.reading() as session:
        found = audit.page(session, who.actor, of, before, PAGE + 1)
        number, digest, anchored = anchoring.state(session, who.actor)
    more = found[PAGE - 1].number if len(found) > PAGE else None
    return pages.page(request, who, "audit.html", lines=found[:PAGE], more=more, of=of, anchored=anchored, number=number, digest=digest, checked=None)


@router.post("")
def verify(request: Request, who: Posted, desk: TheDesk) -> Response:
    """Goes through the whole chain, and compares it with what the public log says of it."""
    with desk.store.reading() as session:
        checked = anchoring.checked(desk, session, who.actor)
        number, digest, anchored = anchoring.state(session, who.actor)
    return pages.page(request, who, "audit.html", lines=[], more=None, of="", anchored=anchored, number=number, digest=digest, checked=checked)
