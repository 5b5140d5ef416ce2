"""Rules and lists in force: the procedure, protected and popular names, shared hosts, texts. Whoever works on cases reads them.

A change is a proposal that a second person confirms.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Form, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import select

from authority.desk import procedure as procedures
from authority.desk import wording
from authority.desk.desk import KINDS, Kind
from authority.desk.errors import Forbidden, NotFound
from authority.desk.people import proposals
from authority.desk.tables import Document
from authority.desk.web import page as pages
from authority.desk.web.proposals import made
from authority.desk.web.who import Posted, SignedIn, TheDesk, Who

router = APIRouter(prefix="/documents")
TITLES: dict[Kind, tuple[str, str]] = {
    "procedure": ("Procedure", "Clocks by category, retention, penalties. YAML."),
    "protected": ("Protected names", "Names that no order may block or cover without an override. One a line."),
    "popular": ("Popular names", "Names whose blocking many would feel. One a line, a rank before it if you like."),
    "shared_hosting": ("Shared hosts", "Names under which many owners have sites. One a line."),
    "texts": ("Texts of messages", "What hosts and owners are written, by language. YAML."),
}
BEGINS: dict[Kind, str] = {"procedure": procedures.DEFAULT, "texts": wording.TEXTS}
"""What is in force while nobody has decided otherwise."""
MOST_SHOWN = 200_000
"""Characters of a document that a page shows; the whole can be fetched."""


@router.get("")
def everything(request: Request, who: SignedIn, desk: TheDesk) -> Response:
    """What is in force."""
    _require(who)
    with desk.store.reading() as session:
        # Bodies may be long: only what the list shows is read.
        rows = session.execute(select(Document.kind, Document.version, Document.made_at).order_by(Document.version)).all()
    newest = {kind: (version, made_at) for kind, version, made_at in rows}
    return pages.page(request, who, "documents.html", kinds=TITLES, newest=newest, begun=BEGINS)


@router.get("/{kind}")
def one(request: Request, who: SignedIn, desk: TheDesk, kind: str, version: int | None = None) -> Response:
    """One, as it stands or stood, with the form that proposes another."""
    _require(who)
    body, number, versions = _found(desk, kind, version)
    return pages.page(
        request, who, "document.html", kind=kind, title=TITLES[cast(Kind, kind)], body=body[:MOST_SHOWN], cut=len(body) > MOST_SHOWN, number=number,
        versions=versions, may=who.actor.may("document.propose"), current=version is None,
    )  # fmt: skip


@router.get("/{kind}/text")
def text(who: SignedIn, desk: TheDesk, kind: str, version: int | None = None) -> Response:
    """The whole as a file."""
    _require(who)
    body, number, _ = _found(desk, kind, version)
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


def _found(desk: TheDesk, kind: str, version: int | None) -> tuple[str, int, list[tuple[int, int, str]]]:
    """Text, version (0: what the desk begins with), and all versions with their times and digests."""
    if kind not in KINDS:
        raise NotFound(f"there is no document {kind[:40]}")
    with desk.store.reading() as session:
        rows = session.execute(
            select(Document.version, Document.made_at, Document.digest).where(Document.kind == kind).order_by(Document.version.desc())
        ).all()
        versions = [(row[0], row[1], row[2]) for row in rows]
        number = version if version is not None else versions[0][0] if versions else 0
        body = session.scalar(select(Document.body).where(Document.kind == kind, Document.version == number))
    if body is None and number:
        raise NotFound(f"there is no version {number} of {kind}")
    return body if body is not None else BEGINS.get(kind, ""), number, versions


def _require(who: Who) -> None:
    if not (who.actor.may("case.list") or who.actor.may("document.propose")):
        raise Forbidden(f"{who.actor.name} may not see these documents")
