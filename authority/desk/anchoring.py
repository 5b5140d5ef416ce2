"""The audit log's head in the public log, where the authority itself cannot change it any more: at each publication, each day, each 1,000 lines.

What is logged is a digest over a random salt and the head, so that no reader of the log can try out what the lines say; the salt is kept here.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority import anchors, handover, publisher
from authority.anchors import Head
from authority.desk import audit
from authority.desk.desk import Desk
from authority.desk.roles import Actor
from authority.desk.tables import Anchor, Audit
from blocklists.log.tree import Tree
from blocklists.trust import strict

LINES = 1000
SECONDS = 86_400


def anchor(desk: Desk, now: int, sure: bool = False) -> bool:
    """Publishes the head when that is due, or `sure`; whether it did. The worker calls it at every look."""
    if not desk.places.log.is_dir() or not (sure or is_due(desk, now)) or not prepare(desk, now):
        return False
    if handover.hand_over(desk.places.directory, [], lambda _: None) is None:
        publisher.publish(desk.places.directory, [], now)
    settle(desk)
    return True


def is_due(desk: Desk, now: int) -> bool:
    """Whether a day or 1,000 lines have passed since the last head that the log has."""
    with desk.store.reading() as session:
        lines, _ = audit.head(session)
        last = session.execute(select(Anchor.number, Anchor.at).where(Anchor.log_index.is_not(None)).order_by(Anchor.number.desc()).limit(1)).first()
        if last is None:
            return lines > 0
        return lines - last[0] >= LINES or (lines > last[0] and now - last[1] >= SECONDS)


def prepare(desk: Desk, now: int) -> bool:
    """Has the next publication take the head along; whether there is one that the log does not have."""
    with desk.store.writing() as session:
        lines, digest = audit.head(session)
        if not lines:
            return False
        found = session.get(Anchor, lines)
        if found is None:
            found = Anchor(number=lines, hash=digest, salt=secrets.token_hex(16), log_index=None, at=now)
            session.add(found)
        elif found.log_index is not None:
            return False
        head = head_of(found)
    anchors.offer(desk.places, head)
    return True


def settle(desk: Desk) -> None:
    """Notes where the log has the heads that were offered."""
    with desk.store.reading() as session:
        waiting = {head_of(each): each.number for each in session.scalars(select(Anchor).where(Anchor.log_index.is_(None)))}
        if not waiting:
            return
        last = session.scalar(select(Anchor.log_index).where(Anchor.log_index.is_not(None)).order_by(Anchor.number.desc()).limit(1))
    places = {waiting[head]: index for index, head in anchors.logged(Tree(desk.places.log), (last or 0)) if head in waiting}
    if places:
        with desk.store.writing() as session:
            for number, index in places.items():
                session.get_one(Anchor, number).log_index = index


def head_of(found: Anchor) -> Head:
    """What the log has of an anchor."""
    said = {"hash": found.hash, "number": found.number, "salt": found.salt}
    return Head(found.number, "sha256:" + hashlib.sha256(strict.write(said, "the anchor")).hexdigest())


def verify(desk: Desk, session: Session) -> list[str]:
    """What is wrong with the audit log, by itself and by the public log; empty when nothing is. It goes through both whole."""
    _, broken = audit.verify(session)
    return [*([broken.why] if broken else []), *_contradictions(session, anchors.logged(Tree(desk.places.log)))]


class State(NamedTuple):
    """How far the audit log goes."""

    number: int
    """Of its last line."""
    hash: str
    anchored: Anchor | None
    """The last head that was made for the public log."""


def state(session: Session, actor: Actor) -> State:
    """How far it goes, and how far the public log has it. Raises Forbidden."""
    actor.require("audit.read")
    return State(*audit.head(session), session.scalar(select(Anchor).order_by(Anchor.number.desc()).limit(1)))


def checked(desk: Desk, session: Session, actor: Actor) -> tuple[int, list[str]]:
    """Goes through the whole chain, and compares it with what the public log, if there is one, says of it: lines, faults. Raises Forbidden."""
    actor.require("audit.read")
    count, broken = audit.verify(session)
    public = anchors.logged(Tree(desk.places.log)) if desk.places.log.is_dir() else []
    return count, [*([broken.why] if broken else []), *_contradictions(session, public)]


def _contradictions(session: Session, public: list[tuple[int, Head]]) -> Iterator[str]:
    before = 0
    for index, head in public:
        where = f"entry {index} of the public log has the audit log's head after {head.lines} lines"
        if head.lines <= before:
            yield f"{where}, and an earlier entry has {before}"
        before = head.lines
        known = session.get(Anchor, head.lines)
        if known is None or head_of(known) != head:
            yield f"{where}, and this database did not make it: it was replaced, put back or changed"
            continue
        line = session.get(Audit, head.lines)
        if line is None or line.hash != known.hash:
            yield f"{where}, and line {head.lines} is {'missing' if line is None else 'another'} here: it was changed since"
