"""Signing in and out, by password or by the house's provider; choosing a password by an invitation; the language.

A session's token is made after the password was right, never before, so that nobody can have planted it; where one goes on to is a path here.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from authority.desk.desk import Desk
from authority.desk.errors import BadField, DeskError, NotFound, TooMany
from authority.desk.people import accounts, invitations
from authority.desk.people.browsers import SECONDS as BROWSER_SECONDS
from authority.desk.people.sessions import MOST_SECONDS, Started
from authority.desk.tables import Person
from authority.desk.web import page as pages
from authority.desk.web.door import Door
from authority.desk.web.language import LANGUAGES
from authority.desk.web.who import Maybe, Posted, SignedIn, TheDesk, address, cookie_name, require_own

router = APIRouter()
Text = Annotated[str, Form(max_length=1000)]


@router.get("/")
def beginning(who: SignedIn) -> Response:
    """The first page that is open to who asks."""
    open_ones = pages.places(who.actor)
    return RedirectResponse(open_ones[0].path if open_ones else "/account", 303)


@router.get("/sign-in")
def form(request: Request, who: Maybe, desk: TheDesk, next: str = "", done: str = "") -> Response:
    """The form; who is signed in goes on."""
    if who is not None:
        return RedirectResponse(safe(next), 303)
    return _form(request, desk, next, done=done)


@router.post("/sign-in")
def sign_in(request: Request, desk: TheDesk, login: Text = "", password: Text = "", next: Text = "") -> Response:
    """Signs in, or says in the same words whatever was wrong."""
    require_own(request.headers, desk)
    door, now = _door(request), desk.now()
    cookie = request.cookies.get(cookie_name(desk, "browser"), "")
    browser = door.browsers.known(login.strip().lower(), cookie)
    ends = request.cookies.get(cookie_name(desk), "")
    try:
        person, started = accounts.sign_in(desk, door.limits, login, password, address(request), now, browser=browser, ends=ends)
    except DeskError as error:
        headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooMany) else {}
        return _form(request, desk, next, login=login, fault=str(error), status=error.status, headers=headers)
    return _welcome(request, desk, person, started, next)


@router.get("/sign-in/house")
def house(request: Request, desk: TheDesk, next: str = "") -> Response:
    """Sends the browser to the provider."""
    provider = _door(request).provider
    if provider is None:
        raise NotFound("there is no such page")
    _door(request).limits.from_address(address(request), desk.now())
    try:
        begun = provider.begin(safe(next), desk.now())
    except DeskError as error:
        return _form(request, desk, next, fault=str(error), status=503)
    response = RedirectResponse(begun.url, 303)
    keep(response, desk, "house", begun.sealed, 600)
    return response


@router.get("/sign-in/house/back")
def back(request: Request, desk: TheDesk) -> Response:
    """The browser comes back from the provider."""
    provider = _door(request).provider
    if provider is None:
        raise NotFound("there is no such page")
    sealed, ends = (request.cookies.get(cookie_name(desk, name), "") for name in ("house", "desk"))
    try:
        subject, then = provider.finish(sealed, dict(request.query_params), desk.now())
        person, started = accounts.sign_in_by_subject(desk, subject, desk.now(), ends=ends)
    except DeskError as error:
        response = _form(request, desk, "", fault=str(error), status=error.status if error.status == 403 else 503)
    else:
        response = _welcome(request, desk, person, started, then)
    response.delete_cookie(cookie_name(desk, "house"), "/", secure=_is_safe(desk), httponly=True)
    return response


@router.post("/sign-out")
def sign_out(request: Request, who: Posted, desk: TheDesk) -> Response:
    """Ends the session, here and in the database."""
    with desk.store.writing() as session:
        accounts.sign_out(session, who.actor, request.cookies.get(cookie_name(desk), ""), desk.now())
    response = RedirectResponse("/sign-in?done=out", 303)
    response.delete_cookie(cookie_name(desk), "/", secure=_is_safe(desk), httponly=True)
    # What the browser still has of the pages goes too.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@router.get("/invitation")
def invitation(request: Request, who: Maybe) -> Response:
    """The form in which an invited person chooses a password."""
    return pages.page(request, who, "invitation.html", login="", fault="", field="")


@router.post("/invitation")
def accept(
    request: Request, who: Maybe, desk: TheDesk, login: Text = "", first: Text = "", second: Text = "", password: Text = "", again: Text = ""
) -> Response:
    """Takes both halves of the code and the password."""
    require_own(request.headers, desk)
    try:
        if password != again:
            raise BadField("again", "the two passwords differ")
        invitations.accept(desk, _door(request).limits, login, first, second, password, address(request), desk.now())
    except DeskError as error:
        text, field = (error.text, error.field) if isinstance(error, BadField) else (str(error), "")
        return pages.page(request, who, "invitation.html", error.status, login=login, fault=text, field=field)
    return RedirectResponse("/sign-in?done=password", 303)


@router.post("/language")
def language(request: Request, who: Maybe, desk: TheDesk, language: Text = "", back: Text = "/") -> Response:
    """Changes the language, and goes back."""
    require_own(request.headers, desk)
    response = RedirectResponse(safe(back), 303)
    if language in LANGUAGES:
        keep(response, desk, "language", language, BROWSER_SECONDS)
        if who is not None and who.person is not None:
            with desk.store.writing() as session:
                accounts.change_own(session, who.actor, who.person.email, language, desk.now())
    return response


def safe(path: str) -> str:
    """The path if it is one of this site's, else the beginning: nothing sends people elsewhere."""
    fine = path.startswith("/") and not path.startswith(("//", "/api/", "/sign-in", "/sign-out")) and path.isprintable()
    return quote(path, safe="/?&=%-._~:,+") if fine and "\\" not in path and len(path) <= 500 else "/"


def keep(response: Response, desk: Desk, name: str, value: str, seconds: int) -> None:
    """Sets a cookie that no script reads, that no other site's form carries, and that goes by TLS where people come by TLS."""
    response.set_cookie(cookie_name_of(desk, name), value, max_age=seconds, path="/", secure=_is_safe(desk), httponly=True, samesite="lax")


def cookie_name_of(desk: Desk, name: str) -> str:
    """As `cookie_name`; the language's is everywhere the same, and no secret."""
    return name if name == "language" else cookie_name(desk, name)


def _is_safe(desk: Desk) -> bool:
    return desk.settings.url.startswith("https:")


def _welcome(request: Request, desk: Desk, person: Person, started: Started, then: str) -> Response:
    response = RedirectResponse(safe(then), 303)
    keep(response, desk, "desk", started.token, MOST_SECONDS)
    keep(response, desk, "browser", _door(request).browsers.make(person.login), BROWSER_SECONDS)
    return response


def _form(
    request: Request, desk: Desk, then: str, *, login: str = "", fault: str = "", done: str = "", status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    said = {"out": "You are signed out.", "password": "Your password is set. Sign in with it."}.get(done, "")
    return pages.page(
        request, None, "sign_in.html", status, headers, next=then if safe(then) != "/" else "", login=login[:64], fault=fault, done=said,
        provider=bool(desk.settings.sign_in.issuer),
    )  # fmt: skip


def _door(request: Request) -> Door:
    door: Door = request.app.state.door
    return door
