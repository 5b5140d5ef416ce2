"""Whom of the house something is told at once: the case's officer, and all who hold a role. Messages and the house's own program; never a content."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from authority import repository
from authority.desk import outbox, texts
from authority.desk.desk import Desk
from authority.desk.errors import BadField
from authority.desk.outbox import hook
from authority.desk.roles import Role
from authority.desk.tables import Case, Grant, Message, Person
from authority.desk.wording import Kind
from authority.errors import AuthorityError
from authority.places import Places

WORDS = 2000
"""Characters of a referral's words that a message repeats."""


def people(session: Session, roles: Iterable[Role], case: Case | None = None) -> list[Person]:
    """Who holds one of the roles now, and the case's officer; each once, those only who have a mail address."""
    held = select(Grant.person_id).where(Grant.role.in_(tuple(roles)), Grant.ended_at.is_(None))
    own = case.officer_id if case is not None else None
    return list(
        session.scalars(
            select(Person).where(or_(Person.id.in_(held), Person.id == own), Person.ended_at.is_(None), Person.email != "").order_by(Person.id)
        )
    )


def values(desk: Desk, case: Case) -> dict[str, object]:
    """What every message about a case is told."""
    named = [("*." if name.match == "subtree" else "") + name.name for name in case.names] or [case.title]
    sender = desk.settings.mail.sender
    return {"number": case.number, "names": named, "house": house(desk, case) or sender, "authority": sender, "url": link(desk, case.number)}


def house(desk: Desk, case: Case) -> str:
    """Who writes, by name: the authorities that the policy lets order in the case's category, or all; empty before a policy is published."""
    try:
        changed = (desk.places.metadata / "timestamp.json").stat()
        authorities, able = _named(desk.places, (changed.st_mtime_ns, changed.st_size, changed.st_ino))
    except (OSError, AuthorityError):
        return ""
    return ", ".join(authorities[each] for each in able.get(case.category, tuple(authorities)))


@lru_cache(maxsize=4)
def _named(places: Places, changed: tuple[int, ...]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Names of authorities, and who may order in each category, as published; read again when what is published has `changed`."""
    epoch = repository.published(places).policy.epochs[-1]
    return {number: each.name for number, each in epoch.authorities.items()}, {name: each.authorities for name, each in epoch.categories.items()}


def link(desk: Desk, number: str) -> str:
    """The case's page."""
    return f"{desk.settings.url.rstrip('/')}/cases/{number}"


def tell(session: Session, desk: Desk, kind: Kind, who: Iterable[Person], now: int, case: Case | None = None, /, **said: object) -> int:
    """Writes each of them a message in their language; how many it were. An address that is none costs the others nothing."""
    told = 0
    for person in who:
        text = texts.render(session, desk, kind, person.language or "en", **said)
        try:
            outbox.post(session, desk, kind, person.email, text.subject, text.body, now, case=case)
            told += 1
        except BadField:
            continue
    return told


def threat(session: Session, desk: Desk, case: Case, location: str, words: str, now: int) -> None:
    """Tells all officers, clerks, and the house's own program."""
    said = {**values(desk, case), "location": location, "words": words[:WORDS]}
    tell(session, desk, "threat", people(session, ("officer", "clerk"), case), now, case, **said)
    hook(session, desk, "threat", now, case, number=case.number, names=said["names"], url=said["url"])


def undelivered(session: Session, desk: Desk, case: Case, message: Message, now: int) -> None:
    """Tells the case's officer, or all who prepare cases, that a message will not arrive; about such a message itself nobody is told again."""
    if message.kind in ("undelivered", "overdue", "soon", "threat"):
        return
    whom = people(session, (), case) or people(session, ("officer", "clerk"))
    tell(session, desk, "undelivered", whom, now, case, **values(desk, case), recipient=message.recipient, answer=message.proof)
