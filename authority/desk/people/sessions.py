"""Sessions: made at each sign-in, found by the digest of a random token, ended by time, by the person, and by any change of what the person may do.

The token is in the person's cookie and nowhere here: who steals the database signs in as nobody.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import NamedTuple, cast

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from authority.desk.roles import Actor, Role, clash
from authority.desk.tables import Person, SignedIn

IDLE_SECONDS = 2 * 3600
"""Without a request, a session ends."""
MOST_SECONDS = 12 * 3600
"""Whatever happens, a session ends: a working day."""
TOUCH_SECONDS = 300
"""How old the time of the last request may be before it is written again: not every page costs a write."""


class Started(NamedTuple):
    """A session that was just made."""

    token: str
    """For the cookie; it cannot be had again."""
    csrf: str


class Found(NamedTuple):
    """A session that holds."""

    person: Person
    csrf: str
    digest: str
    stale: bool
    """Whether `touch` is due."""


def digest_of(token: str) -> str:
    """What stands in the database for a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def start(session: Session, person: Person, now: int) -> Started:
    """A new session; its token was never anywhere before, so that nobody can have planted it."""
    session.execute(delete(SignedIn).where(SignedIn.ends_at <= now))
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    session.add(SignedIn(digest=digest_of(token), person_id=person.id, csrf=csrf, made_at=now, seen_at=now, ends_at=now + MOST_SECONDS))
    session.flush()
    return Started(token, csrf)


def find(session: Session, token: str, now: int) -> Found | None:
    """The session of a token, unless it has ended, or its person has."""
    digest = digest_of(token)
    row = session.execute(select(SignedIn, Person).join(Person, Person.id == SignedIn.person_id).where(SignedIn.digest == digest)).first()
    if row is None:
        return None
    held, person = row
    if now >= held.ends_at or now >= held.seen_at + IDLE_SECONDS or person.ended_at is not None:
        return None
    return Found(person, held.csrf, digest, now >= held.seen_at + TOUCH_SECONDS)


def touch(session: Session, digest: str, now: int) -> None:
    """Remembers that the session was used."""
    held = session.get(SignedIn, digest)
    if held is not None:
        held.seen_at = max(held.seen_at, now)


def end(session: Session, token: str) -> None:
    """Ends one session; none is no fault."""
    session.execute(delete(SignedIn).where(SignedIn.digest == digest_of(token)))


def end_all(session: Session, person_id: int, but: str = "") -> None:
    """Ends every session of a person; `but`: the digest of one that stays."""
    session.execute(delete(SignedIn).where(SignedIn.person_id == person_id, SignedIn.digest != but))


def roles_of(person: Person) -> frozenset[Role]:
    """The roles that a person holds now. Raises ValueError for roles that check one another: a database that says so was not written by us."""
    held = frozenset(cast(Role, grant.role) for grant in person.grants if grant.ended_at is None)
    if clash(held) is not None:
        raise ValueError(f"{person.login} holds roles that check one another: {', '.join(sorted(held))}")
    return held


def actor_of(person: Person) -> Actor:
    """The person as the services know it."""
    return Actor(person.login, roles_of(person), person.id, person.operator)
