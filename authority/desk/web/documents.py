"""Rules and lists in force: the procedure, protected and popular names, shared hosts, texts. Whoever works on cases reads them.

A change is a proposal that a second person confirms.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import PlainTextResponse, Response

from authority.desk import documents
from authority.desk.desk import Kind
from authority.desk.people import proposals
from authority.desk.web import page as pages
from authority.desk.web.proposals import made
from authority.desk.web.who import Posted, SignedIn, TheDesk

router = APIRouter(prefix="/documents")
TITLES: dict[Kind, tuple[str, str]] = {
    "procedure": ("Procedure", "Clocks by category, retention, penalties. YAML."),
    "protected": ("Protected names", "Names that no order may block or cover without an override. One a line."),
    "popular": ("Popular names", "Names whose blocking many would feel. One a line, a rank before it if you like."),
    "shared_hosting": ("Shared hosts", "Names under which many owners have sites. One a line."),
    "texts": ("Texts of messages", "What hosts and owners are written, by language. YAML."),
}
MOST_SHOWN = 200_000
"""Characters of a document that a page shows; the whole can be fetched."""


@router.get("")
def everything(request: Request, who: SignedIn, desk: TheDesk) -> Response:
    """What is in force."""
    with desk.store.reading() as session:
        newest = {kind: (found.number, found.made_at) for kind, found in documents.newest(session, who.actor).items()}
    return pages.page(request, who, "documents.html", kinds=TITLES, newest=newest, begun=documents.BEGINS)


@router.get("/{kind}")
def one(request: Request, who: SignedIn, desk: TheDesk, kind: str, version: int | None = None) -> Response:
    """One, as it stands or stood, with the form that proposes another."""
    documents.require_reader(who.actor)
    known = documents.kind_of(kind)
    with desk.store.reading() as session:
        body, number = documents.text(session, who.actor, known, version)
        versions = [each[:3] for each in documents.versions(session, who.actor, known)]
    return pages.page(
        request, who, "document.html", kind=kind, title=TITLES[known], body=body[:MOST_SHOWN], cut=len(body) > MOST_SHOWN, number=number,
        versions=versions, may=who.actor.may("document.propose"), current=version is None,
    )  # fmt: skip


@router.get("/{kind}/text")
def text(who: SignedIn, desk: TheDesk, kind: str, version: int | None = None) -> Response:
    """The whole as a file."""
    documents.require_reader(who.actor)
    with desk.store.reading() as session:
        body, number = documents.text(session, who.actor, documents.kind_of(kind), version)
    return PlainTextResponse(body, headers={"Content-Disposition": f'attachment; filename="{kind}-{number}.txt"'})


@router.post("/{kind}")
def propose(
    request: Request, who: Posted, desk: TheDesk, kind: str, body: Annotated[str, Form()] = "", why: Annotated[str, Form(max_length=4000)] = "",
    follows: Annotated[int, Form()] = 0,
) -> Response:  # fmt: skip
    """Asks for another version."""
    text = body.replace("\r\n", "\n")
    with desk.store.writing() as session:
        done = proposals.make(session, desk, who.actor, "document", {"kind": kind, "body": text, "follows": follows}, why, desk.now())
    return made(request, who, done)
