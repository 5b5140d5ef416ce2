"""Opening a case to read it, or searching: only for whom it is open, and never without a line in the audit log, which is on the disk before anything
is shown."""

from __future__ import annotations

from sqlalchemy.orm import Session

from authority.desk import audit, search, steps
from authority.desk.desk import Desk
from authority.desk.roles import Actor
from authority.desk.search import Hit
from authority.desk.tables import Case


def opened(desk: Desk, actor: Actor, number: str) -> Case:
    """The case with a number, read and logged. Raises Forbidden, NotFound."""
    with desk.store.writing() as session:
        return opened_in(session, desk, actor, number)


def opened_in(session: Session, desk: Desk, actor: Actor, number: str) -> Case:
    """Likewise in a writing session that its caller commits before showing anything."""
    actor.require("case.read")
    case = steps.find(session, number)
    audit.record(session, actor, "case.read", f"case:{case.number}", desk.now())
    return case


def searched(desk: Desk, actor: Actor, text: str) -> list[Hit]:
    """Cases that a text points to. What is searched for is logged: it says whom somebody is interested in. Raises Forbidden."""
    actor.require("case.list")
    text = text.strip()
    with desk.store.reading() as session:
        hits = search.search(session, actor, text)
    if text:
        with desk.store.writing() as session:
            said = text if text.isprintable() else ascii(text)
            audit.record(session, actor, "case.search", "desk", desk.now(), text=said, found=len(hits))
    return hits
