"""Rules and lists in force, and those before them. A change is a proposal of the kind `document`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse
from sqlalchemy.orm import Session

from authority.desk import documents
from authority.desk.desk import KINDS, Kind
from authority.desk.roles import Actor
from authority.desk.web.api.shapes import documents as shapes
from authority.desk.web.documents import TITLES
from authority.desk.web.who import SignedIn, TheDesk

router = APIRouter(prefix="/documents", tags=["documents"])
Number = Annotated[int | None, Query(ge=0, lt=1 << 31)]


@router.get("")
def everything(who: SignedIn, desk: TheDesk) -> list[shapes.Document]:
    """What is in force."""
    with desk.store.reading() as session:
        return in_force(session, who.actor)


@router.get("/{kind}")
def one(who: SignedIn, desk: TheDesk, kind: str, before: Number = None, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> shapes.Shown:
    """One, with its versions."""
    with desk.store.reading() as session:
        return shown(session, who.actor, documents.kind_of(kind), before, limit)


@router.get("/{kind}/text", response_class=PlainTextResponse)
def text(
    who: SignedIn, desk: TheDesk, kind: str, version: Annotated[int | None, Query(ge=0, lt=1 << 31, description="By default, in force.")] = None
) -> PlainTextResponse:
    """The text of one, as it is or was; empty while there is none."""
    with desk.store.reading() as session:
        return PlainTextResponse(documents.text(session, who.actor, documents.kind_of(kind), version)[0])


def in_force(session: Session, actor: Actor) -> list[shapes.Document]:
    """All of them. Raises Forbidden."""
    newest = documents.newest(session, actor)
    return [_shape(kind, newest.get(kind)) for kind in KINDS]


def shown(session: Session, actor: Actor, kind: Kind, before: int | None, limit: int) -> shapes.Shown:
    """One, with a page of its versions. Raises Forbidden."""
    found = documents.versions(session, actor, kind, before, limit + 1)
    versions = [shapes.Version.model_validate(each) for each in found[:limit]]
    document = _shape(kind, documents.newest(session, actor).get(kind))
    return shapes.Shown(**document.model_dump(), versions=versions, before=versions[-1].number if len(found) > limit else None)


def _shape(kind: Kind, newest: documents.Version | None) -> shapes.Document:
    says = f"{TITLES[kind][0]}. {TITLES[kind][1]}"
    if newest is None:
        return shapes.Document(kind=kind, says=says, version=0, made_at=None, digest="")
    return shapes.Document(kind=kind, says=says, version=newest.number, made_at=newest.made_at, digest=newest.digest)
