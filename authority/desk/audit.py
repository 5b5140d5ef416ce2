"""The desk's memory of who did and who saw what: a chain of lines, each with the hash of the one before; its head goes into the public log.

A line is written in the transaction of what it tells: neither stands without the other. Nothing here changes or removes a line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk.roles import Actor
from authority.desk.tables import Audit
from blocklists.trust import strict

BEGINNING = "0" * 64
PIECE = 5000


class Broken(NamedTuple):
    """The first line that is not what was written."""

    number: int
    why: str


def record(session: Session, actor: Actor, action: str, of: str, now: int, **details: Any) -> None:
    """Appends one line. `of` is what it was done to, such as case:2026-000123; details hold no content of evidence and no password."""
    record_all(session, actor, action, [(of, details)], now)


def record_all(session: Session, actor: Actor, action: str, done: Iterable[tuple[str, dict[str, Any]]], now: int) -> None:
    """Appends a line for each thing that the same was done to, with its details, and the way by which the actor came."""
    number, before = head(session)
    way = {"way": actor.way} if actor.way else {}
    for of, details in done:
        number += 1
        said = strict.write({**details, **way}, "the audit line").decode()
        line = Audit(number=number, at=now, who=actor.name, action=action, object=of, details=said)
        line.hash = before = _hash(before, line)
        session.add(line)
    session.flush()


def head(session: Session) -> tuple[int, str]:
    """The last line's number and hash; 0 and BEGINNING when there is none."""
    last = session.execute(select(Audit.number, Audit.hash).order_by(Audit.number.desc()).limit(1)).first()
    return (last[0], last[1]) if last else (0, BEGINNING)


def verify(session: Session) -> tuple[int, Broken | None]:
    """Lines that were looked at, and the first that is missing or was changed."""
    number, before = 0, BEGINNING
    for line in lines(session):
        if line.number != number + 1:
            return number, Broken(number + 1, f"line {number + 1} is missing")
        if _hash(before, line) != line.hash:
            return number, Broken(line.number, f"line {line.number} is not what was written, or the one before is not")
        number, before = line.number, line.hash
    return number, None


def lines(session: Session, after: int = 0) -> Iterator[Audit]:
    """All lines after a number, in order."""
    while True:
        found = session.scalars(select(Audit).where(Audit.number > after).order_by(Audit.number).limit(PIECE)).all()
        if not found:
            return
        yield from found
        after = found[-1].number
        session.expunge_all()


def page(session: Session, actor: Actor, of: str = "", before: int | None = None, limit: int = 100) -> list[Audit]:
    """Lines, the newest first; `of`: only what was done to one thing, such as case:2026-000123; `before`: a line's number. Raises Forbidden."""
    actor.require("audit.read")
    wanted = select(Audit).order_by(Audit.number.desc()).limit(limit)
    if of:
        wanted = wanted.where(Audit.object == of)
    if before is not None:
        wanted = wanted.where(Audit.number < before)
    return list(session.scalars(wanted))


def _hash(before: str, line: Audit) -> str:
    said = {
        "at": line.at,
        "action": line.action,
        "before": before,
        "details": line.details,
        "number": line.number,
        "object": line.object,
        "who": line.who,
    }
    return hashlib.sha256(strict.write(said, "the audit line")).hexdigest()
