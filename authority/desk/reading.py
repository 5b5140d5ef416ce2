"""Opening a case to read it: only for whom it may open, and never without a line in the audit log, which is on the disk before anything is shown."""

from __future__ import annotations

from sqlalchemy.orm import Session

from authority.desk import audit, steps
from authority.desk.desk import Desk
from authority.desk.roles import Actor
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
