"""Evidence of a case: added as it arrives, listed, read, held, kept longer, proposed for deletion. Who reads it is logged before the first octet."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from authority.desk import reading
from authority.desk.desk import Desk
from authority.desk.evidence import keeping, shredding
from authority.desk.evidence.keeping import Observation
from authority.desk.roles import Actor
from authority.desk.tables import Proposal as Row
from authority.desk.web import upload
from authority.desk.web.api import proposals
from authority.desk.web.api.shapes import common
from authority.desk.web.api.shapes import evidence as shapes
from authority.desk.web.api.shapes.common import Id, Number
from authority.desk.web.api.shapes.proposals import Proposal
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter(tags=["evidence"])
_OCTETS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
Because = Annotated[str, Query(min_length=1, max_length=2000)]


@router.get("/cases/{number}/evidence")
def of_case(who: SignedIn, desk: TheDesk, number: Number) -> list[shapes.Evidence]:
    """What is kept of a case, and what was. That the case was read is logged."""
    reading.opened(desk, who.actor, number)
    with desk.store.reading() as session:
        return [shapes.Evidence.model_validate(each) for each in keeping.of_case(session, who.actor, number)]


@router.post("/cases/{number}/evidence", status_code=201, openapi_extra={"requestBody": {"required": True, "content": _OCTETS}})
def add(
    request: Request, who: SignedIn, desk: TheDesk, number: Number, label: Annotated[str, Query(min_length=1, max_length=255)], why: Because
) -> shapes.Evidence:
    """Keep the body as evidence, of the media type that its Content-Type says. It is encrypted before it touches a disk."""
    media_type = request.headers.get("content-type", "application/octet-stream").partition(";")[0].strip().lower()
    kept = keeping.add(desk, who.actor, number, upload.body(request), label, media_type, why, desk.now())
    return shapes.Evidence.model_validate(kept)


@router.post("/cases/{number}/observations", status_code=201)
def observe(who: SignedIn, desk: TheDesk, number: Number, given: shapes.Observe) -> shapes.Evidence:
    """Keep the address, the time and the digest of what was seen, and nothing of it: where the law forbids to have the content."""
    seen = Observation(location=given.location, seen_at=given.seen_at, sha256=given.sha256, status=given.status, words=given.words)
    return shapes.Evidence.model_validate(keeping.observe(desk, who.actor, number, seen, given.label, given.why, desk.now()))


@router.get(
    "/evidence/{id}/content", response_class=StreamingResponse, responses={200: {"content": _OCTETS}, 410: {"description": "It was shredded."}}
)
def read(who: SignedIn, desk: TheDesk, id: Id, why: Because) -> StreamingResponse:
    """The evidence itself."""
    opened = keeping.read(desk, who.actor, id, desk.now(), why)
    return StreamingResponse(opened.chunks, headers=keeping.headers(opened.evidence))


@router.post("/evidence/{id}/hold")
def hold(who: SignedIn, desk: TheDesk, id: Id, given: common.Because) -> shapes.Evidence:
    """Forbid its deletion until two persons release it."""
    return shapes.Evidence.model_validate(keeping.hold(desk, who.actor, id, given.why, desk.now()))


@router.post("/evidence/{id}/extend")
def extend(who: SignedIn, desk: TheDesk, id: Id, given: shapes.Extend) -> shapes.Evidence:
    """Keep it longer than its category says."""
    return shapes.Evidence.model_validate(keeping.extend(desk, who.actor, id, given.until, given.why, desk.now()))


@router.post("/evidence/{id}/release", status_code=201)
def release(who: SignedIn, desk: TheDesk, id: Id, given: common.Because) -> Proposal:
    """Propose that a hold ends."""
    return _proposal(desk, who.actor, shredding.propose_release(desk, who.actor, id, given.why, desk.now()))


@router.post("/evidence/shred", status_code=201)
def shred(who: SignedIn, desk: TheDesk, given: shapes.Shred) -> Proposal:
    """Propose that evidence is made unreadable for ever."""
    return _proposal(desk, who.actor, shredding.propose(desk, who.actor, given.evidence, given.why, desk.now(), given.early))


def _proposal(desk: Desk, actor: Actor, made: Row) -> Proposal:
    with desk.store.reading() as session:
        return proposals.shaped(session, actor, [made])[0]
