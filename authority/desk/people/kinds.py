"""What takes two persons: for each kind, who may ask, whose second word it needs, what is looked at when it is asked and again when it is confirmed,
and what a confirmed one does. `proposals` asks and decides.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authority.desk import audit
from authority.desk import procedure as procedures
from authority.desk.desk import KINDS as DOCUMENTS
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict
from authority.desk.people import accounts, invitations, offices, sessions, tokens
from authority.desk.people.accounts import LOGIN, NewPerson
from authority.desk.people.sessions import digest_of, roles_of
from authority.desk.roles import CONFIRMS, ROLES, Actor, Role
from authority.desk.tables import Document, Person, Proposal
from authority.desk.words import clean

Body = dict[str, Any]
ADMINISTRATOR: frozenset[Role] = frozenset({"administrator"})
_NEW = frozenset({"login", "name", "email", "roles", "office", "operator", "subject"})
MOST_DOCUMENT = 8_000_000
"""Characters."""


@dataclass(frozen=True)
class Kind:
    """One kind of proposal."""

    title: str
    makers: frozenset[Role]
    confirmers: Callable[[Session, Proposal], frozenset[Role]]
    """Of whom one other than the maker, and other than whom it is about, must agree."""
    check: Callable[[Session, Desk, Body], str]
    """Raises BadField, Conflict or NotFound for what cannot be; gives the proposal's subject: a login, a document's kind, a flagger."""
    carry_out: Callable[[Session, Desk, Proposal, Actor, int], str]
    """What it does once confirmed; what it gives is shown once, to who confirmed: half of a code, a token."""
    fields: frozenset[str] = frozenset()
    """Of its body; `check` looks at each."""
    about_person: bool = True
    here: bool = True
    """Whether the pages and the API of proposals ask for it; others are asked for where they belong."""


def _text(body: Body, field: str, most: int = 255, least: int = 0) -> str:
    value = body.get(field, "")
    if not isinstance(value, str) or not least <= len(value.strip()) <= most:
        raise BadField(field, f"write {least} to {most} characters")
    return clean(value, field, most, line=True)


def _role(body: Body) -> Role:
    if body.get("role") not in ROLES:
        raise BadField("role", f"take one of {', '.join(ROLES)}")
    return cast(Role, body["role"])


def _new(body: Body) -> NewPerson:
    roles = body.get("roles", [])
    if not isinstance(roles, list) or any(role not in ROLES for role in roles) or not roles:
        raise BadField("roles", f"take at least one of {', '.join(ROLES)}")
    return NewPerson(
        _text(body, "login", 63, 2), _text(body, "name", 200, 1), tuple(cast(list[Role], roles)), _text(body, "email", 254),
        _text(body, "office", 64), _text(body, "operator", 64), _text(body, "subject"),
    )  # fmt: skip


# --- whose second word it needs


def _of_roles(roles: frozenset[Role] | set[Role]) -> frozenset[Role]:
    """Who confirms what concerns a holder of these roles. Those that one person may hold together have one confirmer in common."""
    wanted = [frozenset({CONFIRMS[role]}) for role in roles] or [ADMINISTRATOR]
    return frozenset.intersection(*wanted)


def _by_role(_: Session, proposal: Proposal) -> frozenset[Role]:
    return _of_roles({cast(Role, proposal.body["role"])})


def _by_new_roles(_: Session, proposal: Proposal) -> frozenset[Role]:
    return _of_roles(set(proposal.body["roles"]))


def _by_held_roles(session: Session, proposal: Proposal) -> frozenset[Role]:
    return _of_roles(roles_of(accounts.find(session, proposal.body["login"])))


def _by_decider(_: Session, __: Proposal) -> frozenset[Role]:
    """Rules and lists bind officers, and are no administrators' alone: so that an officer or the reviewer always has a hand in them."""
    return frozenset({"officer", "reviewer"})


def _by_the_other(session: Session, proposal: Proposal) -> frozenset[Role]:
    """Evidence: what an officer asks, the reviewer confirms, and the other way round."""
    maker = session.get_one(Person, proposal.made_by)
    return frozenset({"reviewer"} if "officer" in roles_of(maker) else {"officer"})


# --- people


def _check_person(session: Session, desk: Desk, body: Body) -> str:
    new = _new(body)
    accounts.require_possible(session, desk, new)
    return new.login


def _add_person(session: Session, desk: Desk, proposal: Proposal, actor: Actor, now: int) -> str:
    new = _new(proposal.body)
    person = accounts.add(session, desk, actor, new, now, proposal.id)
    return "" if new.subject else _invite(session, proposal, person, now)


def _invite(session: Session, proposal: Proposal, person: Person, now: int) -> str:
    second = invitations.half()
    invitations.invite(session, person, proposal.body["half"], digest_of(second), now)
    return second


def _check_grant(session: Session, desk: Desk, body: Body) -> str:
    person, role = accounts.active(session, _text(body, "login", 63)), _role(body)
    if role in roles_of(person):
        raise Conflict(f"{person.login} has the role {role} already")
    operator = _text(body, "operator", 64)
    accounts.require_roles(session, desk, person.name, (*roles_of(person), role), person.office or "", operator or person.operator or "")
    return person.login


def _grant(session: Session, desk: Desk, proposal: Proposal, actor: Actor, now: int) -> str:
    body = proposal.body
    accounts.grant(session, desk, actor, accounts.active(session, body["login"]), _role(body), body.get("operator", ""), now, proposal.id)
    return ""


def _check_end_grant(session: Session, _: Desk, body: Body) -> str:
    person, role = accounts.active(session, _text(body, "login", 63)), _role(body)
    if role not in roles_of(person):
        raise Conflict(f"{person.login} does not have the role {role}")
    accounts.require_others(session, person, role)
    return person.login


def _end_grant(session: Session, _: Desk, proposal: Proposal, actor: Actor, now: int) -> str:
    accounts.end_grant(session, actor, accounts.active(session, proposal.body["login"]), _role(proposal.body), now, proposal.id)
    return ""


def _check_end_person(session: Session, _: Desk, body: Body) -> str:
    person = accounts.active(session, _text(body, "login", 63))
    for role in roles_of(person):
        accounts.require_others(session, person, role)
    return person.login


def _end_person(session: Session, _: Desk, proposal: Proposal, actor: Actor, now: int) -> str:
    accounts.end_person(session, actor, accounts.active(session, proposal.body["login"]), now, proposal.id)
    return ""


def _check_login(session: Session, _: Desk, body: Body) -> str:
    return accounts.active(session, _text(body, "login", 63)).login


def _reset(session: Session, _: Desk, proposal: Proposal, actor: Actor, now: int) -> str:
    person = accounts.active(session, proposal.body["login"])
    audit.record(session, actor, "person.reset", f"person:{person.login}", now, proposal=proposal.id)
    return _invite(session, proposal, person, now)


def _check_office(session: Session, desk: Desk, body: Body) -> str:
    person = accounts.active(session, _text(body, "login", 63))
    offices.require(session, desk, person.name, tuple(roles_of(person)), _text(body, "office", 64))
    return person.login


def _set_office(session: Session, desk: Desk, proposal: Proposal, actor: Actor, now: int) -> str:
    person = accounts.active(session, proposal.body["login"])
    offices.require(session, desk, person.name, tuple(roles_of(person)), proposal.body.get("office", ""))
    person.office = proposal.body.get("office") or None
    sessions.end_all(session, person.id)
    audit.record(session, actor, "person.office", f"person:{person.login}", now, office=person.office or "", proposal=proposal.id)
    return ""


def _check_subject(session: Session, _: Desk, body: Body) -> str:
    person, subject = accounts.active(session, _text(body, "login", 63)), _text(body, "subject")
    if subject and session.scalar(select(Person.id).where(Person.subject == subject, Person.id != person.id)) is not None:
        raise Conflict(f"somebody signs in as {subject} at the provider already")
    return person.login


def _set_subject(session: Session, desk: Desk, proposal: Proposal, actor: Actor, now: int) -> str:
    _check_subject(session, desk, proposal.body)
    person = accounts.active(session, proposal.body["login"])
    person.subject = proposal.body.get("subject") or None
    sessions.end_all(session, person.id)
    audit.record(session, actor, "person.subject", f"person:{person.login}", now, proposal=proposal.id)
    return ""


# --- documents and flaggers


def _check_document(session: Session, desk: Desk, body: Body) -> str:
    kind, text = body.get("kind"), body.get("body")
    if kind not in DOCUMENTS:
        raise BadField("kind", f"take one of {', '.join(DOCUMENTS)}")
    if not isinstance(text, str) or not text.strip() or len(text) > MOST_DOCUMENT:
        raise BadField("body", f"write the document, at most {MOST_DOCUMENT} characters")
    clean(text, "body", MOST_DOCUMENT)  # nothing that who confirms would see otherwise than it is
    version = session.scalar(select(func.max(Document.version)).where(Document.kind == kind)) or 0
    if type(body.setdefault("follows", version)) is not int or body["follows"] != version:
        raise Conflict(f"version {version} of {kind} came into force meanwhile; look at it, and propose anew")
    if text == desk.document(session, kind):
        raise Conflict("this is what is in force already")
    if kind == "procedure":
        procedures.load(text)
    elif kind == "texts":
        importlib.import_module("authority.desk.texts").check(text)
    else:
        importlib.import_module("authority.desk.guarding").check_list(kind, text)
    return str(kind)


def _put_in_force(session: Session, desk: Desk, proposal: Proposal, actor: Actor, now: int) -> str:
    kind, text = _check_document(session, desk, proposal.body), proposal.body["body"]
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    version = proposal.body["follows"] + 1
    session.add(Document(kind=kind, version=version, body=text, digest=digest, made_at=now, proposal_id=proposal.id))
    audit.record(session, actor, "document.in_force", f"document:{kind}", now, version=version, digest=digest, proposal=proposal.id)
    return ""


def _check_flagger(_: Session, __: Desk, body: Body) -> str:
    name = _text(body, "flagger", 63, 2)
    if not LOGIN.fullmatch(name):
        raise BadField("flagger", "take a to z, 0 to 9, dot, hyphen, underscore")
    days = body.setdefault("days", tokens.MOST_DAYS)
    if type(days) is not int or not 1 <= days <= tokens.MOST_DAYS:
        raise BadField("days", f"take 1 to {tokens.MOST_DAYS} days")
    return name


def _flagger(session: Session, _: Desk, proposal: Proposal, actor: Actor, now: int) -> str:
    body = proposal.body
    return tokens.make_for_flagger(session, actor, body["flagger"], f"flagger {body['flagger']}", body["days"], now).token


# --- evidence: asked for at its own pages


def _elsewhere(_: Session, __: Desk, ___: Body) -> str:
    raise BadField("kind", "this is proposed at the evidence itself")


def _evidence(function: str) -> Callable[[Session, Desk, Proposal, Actor, int], str]:
    def carry_out(session: Session, desk: Desk, proposal: Proposal, actor: Actor, now: int) -> str:
        getattr(importlib.import_module("authority.desk.evidence.shredding"), function)(session, desk, proposal, actor, now)
        return ""

    return carry_out


_BOTH: frozenset[Role] = frozenset({"officer", "reviewer"})
KINDS: Mapping[str, Kind] = {
    "person": Kind("A new account", ADMINISTRATOR, _by_new_roles, _check_person, _add_person, _NEW),
    "grant": Kind("One role more", ADMINISTRATOR, _by_role, _check_grant, _grant, frozenset({"login", "role", "operator"})),
    "end_grant": Kind("One role less", ADMINISTRATOR, _by_role, _check_end_grant, _end_grant, frozenset({"login", "role"})),
    "end_person": Kind("Somebody works here no more", ADMINISTRATOR, _by_held_roles, _check_end_person, _end_person, frozenset({"login"})),
    "reset": Kind("A new password", ADMINISTRATOR, _by_held_roles, _check_login, _reset, frozenset({"login"})),
    "office": Kind("Whose key it is", ADMINISTRATOR, _by_held_roles, _check_office, _set_office, frozenset({"login", "office"})),
    "subject": Kind(
        "Sign-in by the house's provider", ADMINISTRATOR, _by_held_roles, _check_subject, _set_subject, frozenset({"login", "subject"})
    ),
    "document": Kind(
        "A rule or a list", ADMINISTRATOR | {"officer"}, _by_decider, _check_document, _put_in_force, frozenset({"kind", "body", "follows"}),
        about_person=False,
    ),
    "flagger": Kind(
        "A trusted flagger's token", ADMINISTRATOR, _by_decider, _check_flagger, _flagger, frozenset({"flagger", "days"}), about_person=False
    ),
    "shred_evidence": Kind("Evidence deleted for ever", _BOTH, _by_the_other, _elsewhere, _evidence("shred"), about_person=False, here=False),
    "release_hold": Kind("Evidence no longer held", _BOTH, _by_the_other, _elsewhere, _evidence("release"), about_person=False, here=False),
}  # fmt: skip
"""Another part's kind is one line more."""
