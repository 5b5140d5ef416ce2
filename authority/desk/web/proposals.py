"""What waits for a second person: read it, agree to it or refuse it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk.people import changes, proposals
from authority.desk.people.kinds import KINDS
from authority.desk.people.proposals import GOOD_SECONDS, Done
from authority.desk.tables import Person, Proposal
from authority.desk.web import page as pages
from authority.desk.web.who import Posted, SignedIn, TheDesk, Who

router = APIRouter(prefix="/proposals")
Text = Annotated[str, Form(max_length=4000)]
HIDDEN = frozenset({"half", "body", "follows"})
"""Of a proposal's body, what is no fact for who decides: digests, and documents, which are shown as a difference."""


@router.get("")
def waiting(request: Request, who: SignedIn, desk: TheDesk, before: int | None = None) -> Response:
    """What waits, and what was decided."""
    with desk.store.reading() as session:
        open_ones = proposals.waiting(session, who.actor, desk.now()) if before is None else []
        closed = proposals.decided(session, who.actor, before, 51)
        mine = {each.id for each in open_ones if proposals.may_decide(session, each, who.actor)}
        names = _names(session, [*open_ones, *closed])
    more = closed[49].id if len(closed) > 50 else None
    return pages.page(request, who, "proposals.html", waiting=open_ones, decided=closed[:50], more=more, mine=mine, names=names, titles=_titles())


@router.get("/{number}")
def one(request: Request, who: SignedIn, desk: TheDesk, number: int) -> Response:
    """One proposal."""
    with desk.store.reading() as session:
        found = proposals.opened(session, who.actor, number)
        able = proposals.may_decide(session, found, who.actor)
        needed = sorted(proposals.confirmers(session, found))
        names = _names(session, [found])
        lines = changes.of(desk, session, found)
    facts = [(name, ", ".join(map(str, value)) if isinstance(value, list) else value) for name, value in found.body.items() if name not in HIDDEN]
    return pages.page(
        request, who, "proposal.html", proposal=found, able=able, needed=needed, names=names, lines=lines[: changes.MOST_LINES],
        facts=[fact for fact in facts if fact[1] != ""], cut=len(lines) > changes.MOST_LINES, own=who.actor.person == found.made_by, titles=_titles(),
        old=desk.now() > found.made_at + GOOD_SECONDS,
    )  # fmt: skip


@router.get("/{number}/text")
def text(who: SignedIn, desk: TheDesk, number: int) -> Response:
    """The whole of a document that is proposed, as a file."""
    with desk.store.reading() as session:
        found = proposals.document(session, who.actor, number)
    return PlainTextResponse(found, headers={"Content-Disposition": f'attachment; filename="proposal-{number}.txt"'})


@router.post("/{number}")
def decide(request: Request, who: Posted, desk: TheDesk, number: int, decision: Text = "", reason: Text = "") -> Response:
    """Agrees or refuses."""
    with desk.store.writing() as session:
        done = proposals.decide(session, desk, who.actor, number, decision == "confirm", reason, desk.now())
    if done.shown:
        return pages.page(request, who, "proposal_done.html", proposal=done.proposal, shown=done.shown, decided=True, titles=_titles())
    return RedirectResponse(f"/proposals/{number}", 303)


def made(request: Request, who: Who, done: Done) -> Response:
    """After a proposal was made: the page that shows its half of a code, once; else the proposal."""
    if done.shown:
        return pages.page(request, who, "proposal_done.html", proposal=done.proposal, shown=done.shown, decided=False, titles=_titles())
    return RedirectResponse(f"/proposals/{done.proposal.id}", 303)


def _titles() -> dict[str, str]:
    return {name: kind.title for name, kind in KINDS.items()}


def _names(session: Session, found: list[Proposal]) -> dict[int, str]:
    wanted = {each for proposal in found for each in (proposal.made_by, proposal.decided_by) if each is not None}
    return {
        number: f"{name} ({login})"
        for number, name, login in session.execute(select(Person.id, Person.name, Person.login).where(Person.id.in_(wanted)))
    }
