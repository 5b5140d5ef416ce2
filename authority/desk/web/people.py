"""Who works here, and what may be asked for about them; each change of it is a proposal that a second person confirms."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from authority.desk.errors import Forbidden
from authority.desk.people import accounts, offices, proposals, tokens
from authority.desk.people.sessions import roles_of
from authority.desk.roles import CONFIRMS, ROLES
from authority.desk.web import page as pages
from authority.desk.web.proposals import made
from authority.desk.web.who import Posted, SignedIn, TheDesk

router = APIRouter(prefix="/people")
Text = Annotated[str, Form(max_length=1000)]
PAGE = 100
OF_PERSON = ("grant", "end_grant", "reset", "office", "subject", "end_person")


@router.get("")
def everybody(request: Request, who: SignedIn, desk: TheDesk, after: str = "") -> Response:
    """The list."""
    accounts.require_reader(who.actor)
    with desk.store.reading() as session:
        people = accounts.everybody(session, after, PAGE + 1)
        flaggers = tokens.of_flaggers(session, desk.now()) if not after else []
    more = people[PAGE - 1].login if len(people) > PAGE else ""
    rows = [(person, sorted(roles_of(person), key=ROLES.index)) for person in people[:PAGE]]
    return pages.page(request, who, "people.html", rows=rows, more=more, flaggers=flaggers)


@router.get("/new")
def new(request: Request, who: SignedIn, desk: TheDesk) -> Response:
    """The form for somebody new."""
    who.actor.require("person.manage")
    return pages.page(request, who, "person_new.html", roles=ROLES, confirms=CONFIRMS, offices=sorted(offices.known(desk)))


@router.post("/new")
def propose_new(
    request: Request, who: Posted, desk: TheDesk, login: Text = "", name: Text = "", email: Text = "",
    roles: Annotated[list[str] | None, Form()] = None, office: Text = "", operator: Text = "", subject: Text = "", why: Text = "",
) -> Response:  # fmt: skip
    """Asks for an account."""
    body: dict[str, Any] = {"login": login.strip().lower(), "name": name, "email": email.strip(), "roles": roles or [], "office": office.strip()}
    body |= {"operator": operator.strip(), "subject": subject.strip()}
    with desk.store.writing() as session:
        done = proposals.make(session, desk, who.actor, "person", body, why, desk.now())
    return made(request, who, done)


@router.post("/flaggers")
def propose_flagger(request: Request, who: Posted, desk: TheDesk, flagger: Text = "", days: Annotated[int, Form()] = 366, why: Text = "") -> Response:
    """Asks for a trusted flagger's token."""
    with desk.store.writing() as session:
        done = proposals.make(session, desk, who.actor, "flagger", {"flagger": flagger.strip().lower(), "days": days}, why, desk.now())
    return made(request, who, done)


@router.post("/tokens/{number}/end")
def end_flagger(who: Posted, desk: TheDesk, number: int) -> Response:
    """Ends a flagger's token at once: to take something away from a stranger, one person is enough."""
    who.actor.require("person.manage")
    with desk.store.writing() as session:
        tokens.end(session, who.actor, number, desk.now())
    return RedirectResponse("/people", 303)


@router.get("/{login}")
def person(request: Request, who: SignedIn, desk: TheDesk, login: str) -> Response:
    """One person."""
    accounts.require_reader(who.actor)
    with desk.store.reading() as session:
        found = accounts.find(session, login)
        held = roles_of(found)
    free = [role for role in ROLES if role not in held]
    return pages.page(
        request,
        who,
        "person.html",
        person=found,
        held=sorted(held, key=ROLES.index),
        free=free,
        confirms=CONFIRMS,
        offices=sorted(offices.known(desk)),
    )


@router.post("/{login}")
def propose(
    request: Request, who: Posted, desk: TheDesk, login: str, kind: Text = "", role: Text = "", operator: Text = "", office: Text = "",
    subject: Text = "", why: Text = "",
) -> Response:  # fmt: skip
    """Asks for a change about somebody."""
    if kind not in OF_PERSON:
        raise Forbidden("this is not proposed here")
    body: dict[str, Any] = {"login": login}
    match kind:
        case "grant":
            body |= {"role": role, "operator": operator.strip()}
        case "end_grant":
            body["role"] = role
        case "office":
            body["office"] = office.strip()
        case "subject":
            body["subject"] = subject.strip()
    with desk.store.writing() as session:
        done = proposals.make(session, desk, who.actor, kind, body, why, desk.now())
    return made(request, who, done)
