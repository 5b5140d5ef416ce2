"""The audit log, for the auditor and the reviewer: read page by page, and the check of the whole chain."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from authority.desk import anchoring, audit
from authority.desk.desk import Desk
from authority.desk.roles import Actor
from authority.desk.web.api.shapes import audit as shapes
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("")
def lines(
    who: SignedIn,
    desk: TheDesk,
    of: Annotated[str, Query(max_length=120, description="Only what was done to one thing, such as case:2026-000123 or person:a.martin.")] = "",
    before: Annotated[int | None, Query(ge=1, lt=1 << 62, description="The number that the page before ended with.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> shapes.Lines:
    """Who did what and who saw what."""
    with desk.store.reading() as session:
        return page(session, who.actor, of, before, limit)


@router.post("/check")
def check(who: SignedIn, desk: TheDesk) -> shapes.Checked:
    """Go through the whole chain, and compare it with what the public log says of it. It changes nothing; it takes a second per 100,000 lines."""
    with desk.store.reading() as session:
        return checked(desk, session, who.actor)


def page(session: Session, actor: Actor, of: str, before: int | None, limit: int) -> shapes.Lines:
    """A page of lines. Raises Forbidden."""
    found = audit.page(session, actor, of, before, limit + 1)
    made = [
        shapes.Line(
            number=each.number, at=each.at, who=each.who, action=each.action, object=each.object, details=json.loads(each.details), hash=each.hash
        )
        for each in found[:limit]
    ]
    return shapes.Lines(**_head(session, actor).model_dump(), lines=made, before=made[-1].number if len(found) > limit else None)


def checked(desk: Desk, session: Session, actor: Actor) -> shapes.Checked:
    """The check. Raises Forbidden."""
    count, faults = anchoring.checked(desk, session, actor)
    return shapes.Checked(**_head(session, actor).model_dump(), lines=count, faults=faults)


def _head(session: Session, actor: Actor) -> shapes.Head:
    number, digest, anchor = anchoring.state(session, actor)
    return shapes.Head(
        number=number,
        hash=digest,
        anchored_number=anchor.number if anchor else None,
        anchored_at=anchor.at if anchor else None,
        anchored_index=anchor.log_index if anchor else None,
    )
