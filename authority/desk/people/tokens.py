"""Tokens with which programs sign in: a person's own, with what that person may do at that moment, or a trusted flagger's, which may refer only.

Only a digest is kept. A person's tokens end with the person.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import audit
from authority.desk.errors import BadField, Forbidden, NotFound
from authority.desk.people.sessions import actor_of, digest_of
from authority.desk.roles import Actor
from authority.desk.tables import ApiToken, Person

PREFIX = "rhd_"
"""So that a scanner for lost secrets knows one."""
MOST_DAYS = 366
MOST_EACH = 20


class Found(NamedTuple):
    """Who a token stands for."""

    actor: Actor
    person: Person | None
    token: int
    """Its id."""


class Made(NamedTuple):
    """A token that was just made."""

    token: str
    """It cannot be had again."""
    row: ApiToken


def find(session: Session, token: str, now: int) -> Found | None:
    """Who a token stands for; None when it, or its person, has ended."""
    if not token.startswith(PREFIX):
        return None
    row = session.scalar(select(ApiToken).where(ApiToken.digest == digest_of(token)))
    if row is None or row.ended_at is not None or now >= row.ends_at:
        return None
    way = f"api token {row.id}"
    if row.flagger is not None:
        return Found(Actor(f"flagger:{row.flagger}", way=way), None, row.id)
    person = session.get(Person, row.person_id)
    if person is None or person.ended_at is not None:
        return None
    return Found(replace(actor_of(person), way=way), person, row.id)


def make(session: Session, actor: Actor, label: str, days: int, now: int) -> Made:
    """A token of the actor's own. Raises Forbidden for what is no person, BadField."""
    if actor.person is None:
        raise Forbidden(f"{actor.name} is no person, and has no tokens of its own")
    if len(of_person(session, actor.person, now)) >= MOST_EACH:
        raise BadField("label", f"you have {MOST_EACH} tokens; end one first")
    return _make(session, actor, label, days, now, person_id=actor.person)


def make_for_flagger(session: Session, actor: Actor, flagger: str, label: str, days: int, now: int) -> Made:
    """A token of a trusted flagger; two persons have agreed to it (`proposals`)."""
    return _make(session, actor, label, days, now, flagger=flagger)


def of_person(session: Session, person_id: int, now: int) -> list[ApiToken]:
    """A person's tokens that hold."""
    held = select(ApiToken).where(ApiToken.person_id == person_id, ApiToken.ended_at.is_(None), ApiToken.ends_at > now).order_by(ApiToken.id)
    return list(session.scalars(held))


def of_flaggers(session: Session, now: int) -> list[ApiToken]:
    """All tokens of flaggers that hold."""
    held = select(ApiToken).where(ApiToken.flagger.is_not(None), ApiToken.ended_at.is_(None), ApiToken.ends_at > now).order_by(ApiToken.id)
    return list(session.scalars(held))


def end(session: Session, actor: Actor, token_id: int, now: int) -> ApiToken:
    """Ends a token: a person's by that person alone, a flagger's by an administrator. Raises NotFound for every other."""
    row = session.get(ApiToken, token_id)
    own = row is not None and row.person_id is not None and row.person_id == actor.person
    if row is None or not (own or (row.flagger is not None and actor.may("person.manage"))):
        raise NotFound(f"there is no token {token_id} of yours")
    if row.ended_at is None:
        row.ended_at = now
        audit.record(session, actor, "token.end", f"token:{row.id}", now, label=row.label)
    return row


def end_all(session: Session, person_id: int, now: int) -> None:
    """Ends every token of a person."""
    for row in session.scalars(select(ApiToken).where(ApiToken.person_id == person_id, ApiToken.ended_at.is_(None))):
        row.ended_at = now


def _make(session: Session, actor: Actor, label: str, days: int, now: int, person_id: int | None = None, flagger: str | None = None) -> Made:
    if not label.strip() or len(label) > 200:
        raise BadField("label", "say in 1 to 200 characters what the token is for")
    if not 1 <= days <= MOST_DAYS:
        raise BadField("days", f"take 1 to {MOST_DAYS} days")
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken(
        digest=digest_of(token), person_id=person_id, flagger=flagger, label=label.strip(), made_at=now, ends_at=now + days * 86_400, ended_at=None
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "token.make", f"token:{row.id}", now, label=row.label, flagger=flagger or "")
    return Made(token, row)
