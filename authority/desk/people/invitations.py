"""How somebody comes to a password: once, by a code in two halves, one given to who proposed the account, one to who confirmed it.

Neither of the two alone can sign in as the person; nobody ever knows another's password.
"""

from __future__ import annotations

import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import audit
from authority.desk.desk import Desk
from authority.desk.errors import Forbidden
from authority.desk.people import passwords, sessions, tokens
from authority.desk.people.accounts import set_password
from authority.desk.people.limits import Limits
from authority.desk.people.sessions import digest_of
from authority.desk.roles import Actor
from authority.desk.tables import Invitation, Person

GOOD_SECONDS = 7 * 86_400
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"
"""None that is taken for another when it is read out."""


def half() -> str:
    """One half of a code: 16 signs, 79 bits."""
    return "-".join("".join(secrets.choice(_SIGNS) for _ in range(4)) for _ in range(4))


def plain(code: str) -> str:
    """A half as it was made, however it was typed."""
    found = "".join(sign for sign in code.lower() if sign in _SIGNS)
    return "-".join(found[start : start + 4] for start in range(0, len(found), 4))


def invite(session: Session, person: Person, first: str, second: str, now: int) -> None:
    """A chance to choose a password, by the digests of two halves; whatever the person had before ends, what a thief made of it too."""
    for old in session.scalars(select(Invitation).where(Invitation.person_id == person.id, Invitation.used_at.is_(None))):
        old.used_at = now
    session.add(Invitation(person_id=person.id, first=first, second=second, made_at=now, ends_at=now + GOOD_SECONDS, used_at=None))
    person.password = None
    sessions.end_all(session, person.id)
    tokens.end_all(session, person.id, now)
    session.flush()


def accept(desk: Desk, limits: Limits, login: str, first: str, second: str, password: str, address: str, now: int) -> Person:
    """The person's password from now on. Raises Forbidden, in the same words for everything that is wrong with the code; BadField; TooMany."""
    login = login.strip().lower()[:64]
    limits.try_once(f"{login} invitation", address, now)
    with desk.store.reading() as session:
        person, invitation = _open(session, login, first, second, now)
    if person is None or invitation is None:
        raise Forbidden("that login and code do not go together, or the code was used or is too old")
    passwords.require_good(password, person.login, person.name, person.email)
    encoded = passwords.encode(password)
    with desk.store.writing() as session:
        held, again = _open(session, login, first, second, now)
        if held is None or again is None:
            raise Forbidden("that login and code do not go together, or the code was used or is too old")
        again.used_at = now
        set_password(session, held, encoded)
        audit.record(session, Actor(held.login, person=held.id), "person.password", f"person:{held.login}", now, by="invitation")
    limits.right(f"{login} invitation", address)
    return held


def _open(session: Session, login: str, first: str, second: str, now: int) -> tuple[Person | None, Invitation | None]:
    row = session.execute(
        select(Person, Invitation).join(Invitation, Invitation.person_id == Person.id)
        .where(Person.login == login, Person.ended_at.is_(None), Invitation.used_at.is_(None), Invitation.ends_at > now)
    ).first()  # fmt: skip
    said = digest_of(plain(first)) + digest_of(plain(second))
    if row is None or not hmac.compare_digest(said, row[1].first + row[1].second):
        return None, None
    return row[0], row[1]
