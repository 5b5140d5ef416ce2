"""The documents in force and those before them: procedure, protected and popular names, shared hosts, texts. Only reads; a change is a proposal."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import procedure as procedures
from authority.desk import wording
from authority.desk.desk import KINDS, Kind
from authority.desk.errors import Forbidden, NotFound
from authority.desk.roles import Actor
from authority.desk.tables import Document

BEGINS: dict[Kind, str] = {"procedure": procedures.DEFAULT, "texts": wording.TEXTS}
"""What is in force while nobody has decided otherwise."""
LIMIT = 100


class Version(NamedTuple):
    """One version of a document."""

    number: int
    made_at: int
    digest: str
    proposal_id: int | None
    """The proposal that two persons agreed to."""


def require_reader(actor: Actor) -> None:
    """Raises Forbidden unless documents are open to the actor."""
    if not (actor.may("case.list") or actor.may("document.propose")):
        raise Forbidden(f"{actor.name} may not see these documents")


def kind_of(text: str) -> Kind:
    """The kind that a path or a command names. Raises NotFound."""
    found = next((each for each in KINDS if each == text), None)
    if found is None:
        raise NotFound(f"there is no document {text[:40]}; there are: {', '.join(KINDS)}")
    return found


def newest(session: Session, actor: Actor) -> dict[Kind, Version]:
    """The version in force of each document of which there is one. Raises Forbidden."""
    require_reader(actor)
    # Bodies may be long: only what the list shows is read.
    rows = session.execute(
        select(Document.kind, Document.version, Document.made_at, Document.digest, Document.proposal_id).order_by(Document.version)
    ).all()
    return {kind_of(kind): Version(number, made_at, digest, proposal) for kind, number, made_at, digest, proposal in rows}


def versions(session: Session, actor: Actor, kind: Kind, before: int | None = None, limit: int = LIMIT) -> list[Version]:
    """Versions of one document, the newest first; `before`: the number of the last one seen. Raises Forbidden."""
    require_reader(actor)
    wanted = select(Document.version, Document.made_at, Document.digest, Document.proposal_id).where(Document.kind == kind)
    if before is not None:
        wanted = wanted.where(Document.version < before)
    return [Version(*row) for row in session.execute(wanted.order_by(Document.version.desc()).limit(limit))]


def text(session: Session, actor: Actor, kind: Kind, version: int | None = None) -> tuple[str, int]:
    """A document's text and its version; None: what is in force; 0: what the desk begins with. Raises Forbidden, NotFound."""
    require_reader(actor)
    found = select(Document.body, Document.version).where(Document.kind == kind)
    found = found.where(Document.version == version) if version is not None else found.order_by(Document.version.desc()).limit(1)
    row = session.execute(found).first()
    if row is None and version:
        raise NotFound(f"there is no version {version} of {kind}")
    return (row[0], row[1]) if row is not None else (BEGINS.get(kind, ""), 0)
