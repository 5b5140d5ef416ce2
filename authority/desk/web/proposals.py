"""What waits for a second person: read it, agree to it or refuse it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, cast

from fastapi import APIRouter, Form, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk.desk import Desk, Kind
from authority.desk.errors import NotFound
from authority.desk.people import proposals
from authority.desk.people.kinds import KINDS
from authority.desk.people.proposals import GOOD_SECONDS, Done
from authority.desk.tables import Person, Proposal
from authority.desk.web import page as pages
from authority.desk.web.who import Posted, SignedIn, TheDesk, Who

router = APIRouter(prefix="/proposals")
Text = Annotated[str, Form(max_length=4000)]
HIDDEN = frozenset({"half", "body", "follows"})
"""Of a proposal's body, what is no fact for who decides: digests, and documents, which are shown as a difference."""
MOST_LINES = 2000
MOST_PAIRS = 1_000_000
"""Lines before by lines after, of which the shortest difference is looked for: half a second at the worst."""


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
        lines = _difference(desk, session, found)
    facts = [(name, ", ".join(map(str, value)) if isinstance(value, list) else value) for name, value in found.body.items() if name not in HIDDEN]
    return pages.page(
        request, who, "proposal.html", proposal=found, able=able, needed=needed, names=names, lines=lines[:MOST_LINES],
        facts=[fact for fact in facts if fact[1] != ""], cut=len(lines) > MOST_LINES, own=who.actor.person == found.made_by, titles=_titles(),
        old=desk.now() > found.made_at + GOOD_SECONDS,
    )  # fmt: skip


@router.get("/{number}/text")
def text(who: SignedIn, desk: TheDesk, number: int) -> Response:
    """The whole of a document that is proposed, as a file."""
    with desk.store.reading() as session:
        found = proposals.opened(session, who.actor, number)
    if found.kind != "document":
        raise NotFound(f"proposal {number} is no document")
    return PlainTextResponse(found.body["body"], headers={"Content-Disposition": f'attachment; filename="proposal-{number}.txt"'})


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


def _difference(desk: Desk, session: Session, proposal: Proposal) -> list[str]:
    """For a document: what would change, line by line; one line more than MOST_LINES when there are more."""
    if proposal.kind != "document" or proposal.decided_at is not None:
        return []
    before, after = desk.document(session, cast(Kind, proposal.body["kind"])).splitlines(), proposal.body["body"].splitlines()
    return [line for _, line in zip(range(MOST_LINES + 1), changed(before, after), strict=False)]


def changed(before: list[str], after: list[str]) -> Iterator[str]:
    """The lines that went, with a minus, and that came, with a plus. The shortest such list where it is soon found: to find it takes a time that
    grows with the square of the lines, and who proposes a long list has chosen them."""
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    rest = 0
    while rest < min(len(before), len(after)) - same and before[-1 - rest] == after[-1 - rest]:
        rest += 1
    if (len(before) - same - rest) * (len(after) - same - rest) <= MOST_PAIRS:
        yield from difflib.unified_diff(before, after, "in force", "proposed", lineterm="", n=2)
        return
    yield from (f"-{line}" for line in before[same : len(before) - rest])
    yield from (f"+{line}" for line in after[same : len(after) - rest])
