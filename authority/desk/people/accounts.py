"""Accounts: who works here, signing in by password, and what a person may change alone. Roles, and whose account it is, take two (`proposals`)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authority.desk import audit
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, Forbidden, NotFound
from authority.desk.people import offices, passwords, sessions, tokens
from authority.desk.people.limits import Limits
from authority.desk.people.sessions import Started, roles_of
from authority.desk.roles import ROLES, Actor, Role, clash
from authority.desk.tables import Grant, Person
from blocklists.trust.policy import same_person

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
MAIL = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[^@\s<>,;:\"()\[\]\\]{1,189}")
RESERVED = frozenset({"clock", "log", "public", "setup", "unknown", "desk", "worker"})
"""What the timeline calls those that are no persons."""
WRONG = "that login and password do not go together"


@dataclass(frozen=True)
class NewPerson:
    """Somebody who is to have an account."""

    login: str
    name: str
    roles: tuple[Role, ...] = ()
    email: str = ""
    office: str = ""
    """The office in the signed policy whose key the person holds; empty: none."""
    operator: str = ""
    """For the role operator: the provider's id in the policy."""
    subject: str = ""
    """The `sub` at the house's OpenID Connect provider; empty: sign-in by password."""


def find(session: Session, login: str) -> Person:
    """The person with a login, working here or not. Raises NotFound."""
    person = session.scalar(select(Person).where(Person.login == login))
    if person is None:
        raise NotFound(f"nobody here has the login {login[:64]}")
    return person


def active(session: Session, login: str) -> Person:
    """As `find`, of who works here still. Raises NotFound, Conflict."""
    person = find(session, login)
    if person.ended_at is not None:
        raise Conflict(f"{login} works here no more")
    return person


def require_reader(actor: Actor) -> None:
    """Raises Forbidden unless accounts are open to the actor."""
    if not (actor.may("person.manage") or actor.may("audit.read")):
        raise Forbidden(f"{actor.name} may not see accounts")


def everybody(session: Session, after: str = "", limit: int = 100) -> list[Person]:
    """People by login, from after one."""
    return list(session.scalars(select(Person).where(Person.login > after).order_by(Person.login).limit(limit)))


def holders(session: Session, role: Role) -> list[Person]:
    """Who holds a role now."""
    found = select(Person).join(Grant).where(Grant.role == role, Grant.ended_at.is_(None), Person.ended_at.is_(None)).order_by(Person.login)
    return list(session.scalars(found))


def require_possible(session: Session, desk: Desk, new: NewPerson) -> None:
    """Raises BadField or Conflict unless the person could be added now."""
    if not LOGIN.fullmatch(new.login) or new.login in RESERVED:
        raise BadField("login", "take 2 to 63 of a to z, 0 to 9, dot, hyphen, underscore, and no name of the desk's own")
    if not new.name.strip() or len(new.name) > 200 or not new.name.isprintable():
        raise BadField("name", "write the name as in the policy, at most 200 characters")
    require_mail(new.email)
    if session.scalar(select(Person.id).where(Person.login == new.login)) is not None:
        raise Conflict(f"the login {new.login} is taken")
    # One person with two accounts could hold two roles that check one another.
    for name, login in session.execute(select(Person.name, Person.login).where(Person.ended_at.is_(None))):
        if same_person(name) == same_person(new.name):
            raise Conflict(f"{new.name} has an account already: {login}; one person has one")
    if new.subject and session.scalar(select(Person.id).where(Person.subject == new.subject)) is not None:
        raise Conflict(f"somebody signs in as {new.subject} at the provider already")
    require_roles(session, desk, new.name, new.roles, new.office, new.operator)


def require_roles(session: Session, desk: Desk, name: str, roles: tuple[Role, ...], office: str, operator: str) -> None:
    """Raises BadField or Conflict unless one person may hold these roles, this office and this operator together."""
    for role in roles:
        if role not in ROLES:
            raise BadField("role", f"{role!r} is none; take one of {', '.join(ROLES)}")
    found = clash(roles)
    if found is not None:
        raise Conflict(f"{found[0]} and {found[1]} check one another; one person never holds both")
    if ("operator" in roles) != bool(operator):
        raise BadField("operator", "name the provider's id for the role operator, and for no other")
    if len(operator) > 64:
        raise BadField("operator", "take at most 64 characters")
    offices.require(session, desk, name, roles, office)


def require_mail(text: str) -> None:
    """Raises BadField for what is no address; none at all is allowed."""
    if text and not (MAIL.fullmatch(text) and text.isprintable()):
        raise BadField("email", "this is no mail address")


def add(session: Session, desk: Desk, actor: Actor, new: NewPerson, now: int, proposal: int | None = None) -> Person:
    """An account, with its roles. Who calls has seen to it that two persons want it. Raises as `require_possible`."""
    require_possible(session, desk, new)
    person = Person(
        login=new.login, name=" ".join(new.name.split()), email=new.email, made_at=now, ended_at=None, password=None,
        office=new.office or None, operator=new.operator or None, subject=new.subject or None,
    )  # fmt: skip
    person.grants = [Grant(role=role, proposal_id=proposal, given_at=now, ended_at=None) for role in new.roles]
    session.add(person)
    session.flush()
    audit.record(session, actor, "person.add", f"person:{person.login}", now, name=person.name, roles=sorted(new.roles), proposal=proposal or 0)
    return person


def sign_in(
    desk: Desk, limits: Limits, login: str, password: str, address: str, now: int, *, browser: str = "", ends: str = ""
) -> tuple[Person, Started]:
    """A new session for who knows the password.

    `browser`: what `Browsers` says of the browser, empty for one that never signed this person in; `ends`: the token of a session that it had, which
    ends. Raises TooMany; Forbidden, in the same words and after the same time, for a wrong password and for a login that nobody has.
    """
    login = login.strip().lower()[:64]
    account = f"{login} {browser}"
    limits.try_once(account, address, now)
    with desk.store.reading() as session:
        person = session.scalar(select(Person).where(Person.login == login, Person.ended_at.is_(None)))
    encoded = person.password if person else None
    right = passwords.matches(encoded, password)
    fresh = passwords.encode(password) if right and encoded and passwords.is_old(encoded) else None
    with desk.store.writing() as session:
        found = session.get(Person, person.id) if person else None
        # The account may have changed while the password was looked at.
        if right and found is not None and found.ended_at is None and found.password == encoded:
            found.password = fresh or found.password
            started = _started(session, found, ends, now, "password")
        else:
            if found is not None:
                found.failures += 1
            # What was typed in place of a login may be a password: only logins that exist are written down.
            audit.record(session, Actor("unknown"), "sign_in.failed", f"person:{found.login if found else 'unknown'}", now)
            started = None
    if started is None or found is None:
        raise Forbidden(WRONG)
    limits.right(account, address)
    return found, started


def sign_in_by_subject(desk: Desk, subject: str, now: int, *, ends: str = "") -> tuple[Person, Started]:
    """A new session for whom the house's provider vouches for. Raises Forbidden when nobody here has that subject."""
    with desk.store.writing() as session:
        found = session.scalar(select(Person).where(Person.subject == subject, Person.ended_at.is_(None)))
        started = _started(session, found, ends, now, "provider") if found else None
        if found is None:
            audit.record(session, Actor("unknown"), "sign_in.failed", "person:unknown", now, by="provider")
    if found is None or started is None:
        raise Forbidden("the provider knows you, and the desk does not; ask an administrator")
    return found, started


def _started(session: Session, person: Person, ends: str, now: int, by: str) -> Started:
    sessions.end(session, ends)
    started = sessions.start(session, person, now)
    audit.record(session, Actor(person.login, person=person.id), "sign_in", f"person:{person.login}", now, by=by, wrong_before=person.failures)
    person.failures = 0
    return started


def sign_out(session: Session, actor: Actor, token: str, now: int) -> None:
    """Ends the session of a token."""
    sessions.end(session, token)
    audit.record(session, actor, "sign_out", f"person:{actor.name}", now)


def sign_out_elsewhere(session: Session, actor: Actor, keeps: str, now: int) -> None:
    """Ends every session of the actor's but the one of this digest."""
    if actor.person is not None:
        sessions.end_all(session, actor.person, but=keeps)
        audit.record(session, actor, "sign_out.elsewhere", f"person:{actor.name}", now)


def change_password(desk: Desk, actor: Actor, old: str, new: str, now: int, *, keeps: str = "") -> None:
    """A person's own; every other session of theirs ends. Raises BadField, Forbidden, TooMany."""
    with desk.store.reading() as session:
        person = session.get(Person, actor.person) if actor.person else None
    if person is None or not passwords.matches(person.password, old):
        raise BadField("old", "this is not your password")
    passwords.require_good(new, person.login, person.name, person.email)
    encoded = passwords.encode(new)
    with desk.store.writing() as session:
        held = session.get_one(Person, person.id)
        if held.password != person.password:
            raise Conflict("your password was changed meanwhile; sign in anew")
        set_password(session, held, encoded)
        sessions.end_all(session, held.id, but=keeps)
        audit.record(session, actor, "person.password", f"person:{held.login}", now)


def set_password(session: Session, person: Person, encoded: str) -> None:
    """What `passwords.encode` made."""
    person.password, person.failures = encoded, 0


def change_own(session: Session, actor: Actor, email: str, language: str, now: int) -> Person:
    """Where a person is written to, and in what language. Raises BadField, Forbidden."""
    require_mail(email)
    person = session.get(Person, actor.person) if actor.person else None
    if person is None:
        raise Forbidden(f"{actor.name} is no person")
    if language not in ("", "en", "fr"):
        raise BadField("language", "take en or fr")
    person.email, person.language = email, language
    audit.record(session, actor, "person.change", f"person:{person.login}", now)
    return person


def grant(session: Session, desk: Desk, actor: Actor, person: Person, role: Role, operator: str, now: int, proposal: int) -> None:
    """One role more; sessions end, so that nobody works on with what they were. Raises BadField, Conflict."""
    held = roles_of(person)
    if role in held:
        raise Conflict(f"{person.login} has the role {role} already")
    require_roles(session, desk, person.name, (*held, role), person.office or "", operator or person.operator or "")
    person.operator = operator or person.operator
    person.grants.append(Grant(role=role, proposal_id=proposal, given_at=now, ended_at=None))
    sessions.end_all(session, person.id)
    audit.record(session, actor, "role.grant", f"person:{person.login}", now, role=role, proposal=proposal)


def end_grant(session: Session, actor: Actor, person: Person, role: Role, now: int, proposal: int) -> None:
    """One role less; sessions end, and the office that went with it. Raises Conflict."""
    held = [each for each in person.grants if each.role == role and each.ended_at is None]
    if not held:
        raise Conflict(f"{person.login} does not have the role {role}")
    require_others(session, person, role)
    for each in held:
        each.ended_at = now
    if role in ("officer", "reviewer"):
        person.office = None
    if role == "operator":
        person.operator = None
    sessions.end_all(session, person.id)
    audit.record(session, actor, "role.end", f"person:{person.login}", now, role=role, proposal=proposal)


def end_person(session: Session, actor: Actor, person: Person, now: int, proposal: int) -> None:
    """Somebody works here no more: roles, sessions and tokens end. Raises Conflict."""
    for role in roles_of(person):
        require_others(session, person, role)
    for each in person.grants:
        each.ended_at = each.ended_at or now
    person.ended_at, person.password, person.subject, person.office, person.operator = now, None, None, None, None
    sessions.end_all(session, person.id)
    tokens.end_all(session, person.id, now)
    audit.record(session, actor, "person.end", f"person:{person.login}", now, proposal=proposal)


def require_others(session: Session, person: Person, role: Role) -> None:
    """Raises Conflict where nobody would be left to confirm anything: two administrators and an auditor always stay."""
    least = {"administrator": 2, "auditor": 1}.get(role, 0)
    if role in roles_of(person) and len(holders(session, role)) <= least:
        raise Conflict(f"only {least} would be left with the role {role}, or fewer; give it to somebody else first")


def count(session: Session) -> int:
    """How many accounts there ever were."""
    return session.scalar(select(func.count(Person.id))) or 0
