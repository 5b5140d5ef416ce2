"""The audit log, for those who check: who did what and who saw what, and whether the chain is whole."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import select

from authority.desk import anchoring
from authority.desk import audit as log
from authority.desk.tables import Anchor, Audit
from authority.desk.web import page as pages
from authority.desk.web.who import Posted, SignedIn, TheDesk

router = APIRouter(prefix="/audit")
PAGE = 100


@router.get("")
def lines(request: Request, who: SignedIn, desk: TheDesk, before: int | None = None, of: str = "") -> Response:
    """The newest lines first; `of`: only what was done to one thing, such as case:2026-000123."""
    who.actor.require("audit.read")
    wanted = select(Audit).order_by(Audit.number.desc()).limit(PAGE + 1)
    if of:
        wanted = wanted.where(Audit.object == of)
    if before is not None:
        wanted = wanted.where(Audit.number < before)
    with desk.store.reading() as session:
        found = list(session.scalars(wanted))
        anchored = session.scalar(select(Anchor).order_by(Anchor.number.desc()).limit(1))
        number, digest = log.head(session)
    more = found[PAGE - 1].number if len(found) > PAGE else None
    return pages.page(request, who, "audit.html", lines=found[:PAGE], more=more, of=of, anchored=anchored, number=number, digest=digest, checked=None)


@router.post("")
def verify(request: Request, who: Posted, desk: TheDesk) -> Response:
    """Goes through the whole chain, and compares it with what the public log says of it."""
    who.actor.require("audit.read")
    with desk.store.reading() as session:
        count, broken = log.verify(session)
        checked = count, [broken.why] if broken else []
        if desk.places.log.is_dir():
            checked = count, anchoring.verify(desk, session)
        anchored = session.scalar(select(Anchor).order_by(Anchor.number.desc()).limit(1))
        number, digest = log.head(session)
    return pages.page(request, who, "audit.html", lines=[], more=None, of="", anchored=anchored, number=number, digest=digest, checked=checked)
