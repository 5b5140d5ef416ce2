"""What takes two persons: asked by one, confirmed or refused by another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk.desk import Desk
from authority.desk.people import changes, proposals
from authority.desk.people.kinds import KINDS
from authority.desk.people.proposals import GOOD_SECONDS
from authority.desk.roles import Actor
from authority.desk.tables import Person, Proposal
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
    before: Annotated[int | None, Query(ge=1, lt=1 << 31, description="Of decided ones: the id that the page before ended with.")] = None,
) -> list[shapes.Proposal]:
    """What waits for a second person: 200 at most. What was decided: 50 at a time."""
    with desk.store.reading() as session:
        return listed(session, desk, who.actor, decided, before)


@router.get("/proposals/{id}")
def one(who: SignedIn, desk: TheDesk, id: Id) -> shapes.Shown:
    """One proposal; of a document, with what would change."""
    with desk.store.reading() as session:
        return shown(session, desk, who.actor, id)


@router.get("/proposals/{id}/text", response_class=PlainTextResponse)
def text(who: SignedIn, desk: TheDesk, id: Id) -> PlainTextResponse:
    """The whole of a document that is proposed."""
    with desk.store.reading() as session:
        return PlainTextResponse(proposals.document(session, who.actor, id))


def _said() -> str:
    lines = ["Propose something. Kinds, and what their `body` has:", ""]
    lines += [f"- `{name}`: {kind.title}; {', '.join(f'`{each}`' for each in sorted(kind.fields))}" for name, kind in KINDS.items() if kind.here]
    return "\n".join(lines)


@router.post("/proposals", status_code=201, description=_said())
def make(who: SignedIn, desk: TheDesk, given: shapes.Propose) -> shapes.Done:
    """Propose something."""
    with desk.store.writing() as session:
        done = proposals.make(session, desk, who.actor, given.kind, dict(given.body), given.why, desk.now())
        return done_of(session, who.actor, done)


@router.post("/proposals/{id}/decision")
def decide(who: SignedIn, desk: TheDesk, id: Id, given: shapes.Decide) -> shapes.Done:
    """Confirm a proposal, which does it, or refuse it."""
    with desk.store.writing() as session:
        done = proposals.decide(session, desk, who.actor, id, given.confirm, given.reason, desk.now())
        return done_of(session, who.actor, done)


def listed(session: Session, desk: Desk, actor: Actor, decided: bool, before: int | None) -> list[shapes.Proposal]:
    """Those that wait, or those that were decided. Raises Forbidden."""
    found = proposals.decided(session, actor, before) if decided else proposals.waiting(session, actor, desk.now())
    return shaped(session, actor, found)


def shown(session: Session, desk: Desk, actor: Actor, number: int) -> shapes.Shown:
    """One. Raises Forbidden, NotFound."""
    found = proposals.opened(session, actor, number)
    lines = changes.of(desk, session, found)
    (shape,) = shaped(session, actor, [found])
    return shapes.Shown(**shape.model_dump(), changes=lines[: changes.MOST_LINES], cut=len(lines) > changes.MOST_LINES)


def done_of(session: Session, actor: Actor, done: proposals.Done) -> shapes.Done:
    """What was done, and what is shown only now."""
    (shape,) = shaped(session, actor, [done.proposal])
    return shapes.Done(proposal=shape, shown=done.shown)


def shaped(session: Session, actor: Actor, found: Sequence[Proposal]) -> list[shapes.Proposal]:
    """Proposals, with who made and decided them, and whether the actor may."""
    wanted = {each for one in found for each in (one.made_by, one.decided_by) if each is not None}
    logins = {row.id: row.login for row in session.execute(select(Person.id, Person.login).where(Person.id.in_(wanted)))}
    made = []
    for each in found:
        long = {"body"} if each.kind == "document" else set()
        own = {name: getattr(each, name) for name in ("id", "kind", "subject", "why", "made_at", "decided_at", "decision", "reason")}
        made.append(
            shapes.Proposal(
                **own,
                body={name: value for name, value in each.body.items() if name not in _HIDDEN | long},
                made_by=logins.get(each.made_by, ""),
                decided_by=logins.get(each.decided_by or 0),
                good_until=each.made_at + GOOD_SECONDS,
                confirmers=sorted(proposals.confirmers(session, each)) if each.decided_at is None else [],
                may_decide=each.decided_at is None and proposals.may_decide(session, each, actor),
            )
        )
    return made
