"""What takes two persons: asked by one, confirmed or refused by another."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from authority.desk.people import proposals
from authority.desk.people.kinds import KINDS
from authority.desk.tables import Proposal
from authority.desk.web.api.shapes import proposals as shapes
from authority.desk.web.api.shapes.common import Id
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter(tags=["proposals"])
_HIDDEN = frozenset({"half"})
"""Of a body: digests of codes."""


@router.get("/proposals")
def waiting(
    who: SignedIn,
    desk: TheDesk,
    decided: Annotated[bool, Query(description="Those that were decided, the newest first, instead of those that wait.")] = False,
    before: Annotated[int | None, Query(ge=1, lt=1 << 31)] = None,
) -> list[shapes.Proposal]:
    """What waits for a second person."""
    with desk.store.reading() as session:
        found = proposals.decided(session, who.actor, before) if decided else proposals.waiting(session, who.actor, desk.now())
        return [_shape(each) for each in found]


@router.get("/proposals/{id}")
def one(who: SignedIn, desk: TheDesk, id: Id) -> shapes.Proposal:
    """One proposal."""
    with desk.store.reading() as session:
        return _shape(proposals.opened(session, who.actor, id))


@router.post("/proposals", status_code=201, description=f"Propose something. Kinds: {', '.join(name for name, kind in KINDS.items() if kind.here)}.")
def make(who: SignedIn, desk: TheDesk, given: shapes.Propose) -> shapes.Done:
    """Propose something."""
    with desk.store.writing() as session:
        done = proposals.make(session, desk, who.actor, given.kind, dict(given.body), given.why, desk.now())
        return shapes.Done(proposal=_shape(done.proposal), shown=done.shown)


@router.post("/proposals/{id}/decision")
def decide(who: SignedIn, desk: TheDesk, id: Id, given: shapes.Decide) -> shapes.Done:
    """Confirm a proposal, which does it, or refuse it."""
    with desk.store.writing() as session:
        done = proposals.decide(session, desk, who.actor, id, given.confirm, given.reason, desk.now())
        return shapes.Done(proposal=_shape(done.proposal), shown=done.shown)


def _shape(found: Proposal) -> shapes.Proposal:
    shape = shapes.Proposal.model_validate(found)
    shape.body = {name: value for name, value in shape.body.items() if name not in _HIDDEN}
    return shape
