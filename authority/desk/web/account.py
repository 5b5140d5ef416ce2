"""A person's own account: what the desk knows of them, where they are signed in, their password, their programs' tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import func, select

from authority.desk.errors import BadField, Forbidden
from authority.desk.people import accounts, passwords, tokens
from authority.desk.tables import Person
from authority.desk.tables import SignedIn as Row
from authority.desk.web import page as pages
from authority.desk.web.who import Posted, SignedIn, TheDesk, Who, address

router = APIRouter(prefix="/account")
Text = Annotated[str, Form(max_length=1000)]
DONE = {
    "changed": "It is changed.",
    "password": "Your password is changed. You are signed out everywhere else.",
    "token": "The token is ended.",
    "sessions": "You are signed out everywhere else.",
}


@router.get("")
def show(request: Request, who: SignedIn, desk: TheDesk, done: str = "") -> Response:
    """The page."""
    return _show(request, who, done=DONE.get(done, ""))


@router.post("")
def change(request: Request, who: Posted, desk: TheDesk, email: Text = "", language: Text = "") -> Response:
    """Mail address and language."""
    try:
        with desk.store.writing() as session:
            accounts.change_own(session, who.actor, email.strip(), language, desk.now())
    except BadField as error:
        return _show(request, who, fault=error)
    return RedirectResponse("/account?done=changed", 303)


@router.post("/password")
def password(request: Request, who: Posted, desk: TheDesk, old: Text = "", password: Text = "", again: Text = "") -> Response:
    """A new one, for who knows the old one."""
    _limit(request, who)
    try:
        if password != again:
            raise BadField("again", "the two passwords differ")
        accounts.change_password(desk, who.actor, old, password, desk.now(), keeps=who.digest)
    except BadField as error:
        return _show(request, who, fault=error)
    _right(request, who)
    return RedirectResponse("/account?done=password", 303)


@router.post("/sessions")
def end_sessions(who: Posted, desk: TheDesk) -> Response:
    """Signs out everywhere else."""
    _person(who)
    with desk.store.writing() as session:
        accounts.sign_out_elsewhere(session, who.actor, who.digest, desk.now())
    return RedirectResponse("/account?done=sessions", 303)


@router.post("/tokens")
def make_token(request: Request, who: Posted, desk: TheDesk, label: Text = "", days: Annotated[int, Form()] = 90, old: Text = "") -> Response:
    """A token for a program, shown once; who found an open session cannot make one without the password."""
    try:
        require_password(request, who, old)
        with desk.store.writing() as session:
            made = tokens.make(session, who.actor, label, days, desk.now())
    except BadField as error:
        return _show(request, who, fault=error)
    return _show(request, who, token=made.token)


@router.post("/tokens/{number}/end")
def end_token(who: Posted, desk: TheDesk, number: int) -> Response:
    """Ends one of the person's own."""
    with desk.store.writing() as session:
        tokens.end(session, who.actor, number, desk.now())
    return RedirectResponse("/account?done=token", 303)


def require_password(request: Request, who: Who, given: str, field: str = "old") -> None:
    """Raises BadField of `field` unless it is the person's password; who has none has signed in by the provider. Raises TooMany."""
    person = _person(who)
    _limit(request, who)
    if person.password is not None and not passwords.matches(person.password, given):
        raise BadField(field, "this is not your password")
    _right(request, who)


def _show(request: Request, who: Who, done: str = "", fault: BadField | None = None, token: str = "") -> Response:
    desk, person = request.app.state.desk, _person(who)
    with desk.store.reading() as session:
        now = desk.now()
        held = tokens.of_person(session, person.id, now)
        others = session.scalar(select(func.count()).select_from(Row).where(Row.person_id == person.id, Row.digest != who.digest, Row.ends_at > now))
        fresh = session.get_one(Person, person.id)
    return pages.page(
        request, who, "account.html", fault.status if fault else 200, person=fresh, roles=sorted(who.actor.roles), held=held, others=others,
        done=done, fault=fault, token=token,
    )  # fmt: skip


def _person(who: Who) -> Person:
    if who.person is None:
        raise Forbidden("this is for people")
    return who.person


def _limit(request: Request, who: Who) -> None:
    """Who found an open session guesses the password no more often than anybody else. Raises TooMany."""
    request.app.state.door.limits.try_once(f"{who.actor.name} account", address(request), request.app.state.desk.now())


def _right(request: Request, who: Who) -> None:
    request.app.state.door.limits.right(f"{who.actor.name} account", address(request))
