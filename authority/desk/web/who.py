"""Who asks: a person by the session's cookie, a program by its token; and from where, for limits alone.

Under /api/ only tokens count, everywhere else only the cookie: so no form of another site can act by the API, and no token opens a page.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Form, Request
from starlette.datastructures import Headers

from authority.desk.desk import Desk
from authority.desk.errors import Forbidden, SignInNeeded
from authority.desk.people import sessions, tokens
from authority.desk.roles import Actor
from authority.desk.tables import Person
from authority.desk.web import language as languages

API = "/api/"


@dataclass(frozen=True)
class Who:
    """Who asks."""

    actor: Actor
    person: Person | None
    """None for a flagger's program. Its columns and grants are loaded; it belongs to no session."""
    csrf: str
    """What every form of theirs must carry in its field `csrf`; empty for programs."""
    language: str
    digest: str = ""
    """Of the session; empty for programs."""
    token: int = 0
    """Id of the program's token; 0 for people."""


def desk_of(request: Request) -> Desk:
    """The desk, as a dependency."""
    desk: Desk = request.app.state.desk
    return desk


def cookie_name(desk: Desk, name: str = "desk") -> str:
    """Of a cookie: bound to this host and to TLS (RFC 6265bis section 4.1.3.2) where people come by TLS."""
    return f"__Host-{name}" if desk.settings.url.startswith("https:") else name


def language_of(request: Request, person: Person | None = None) -> str:
    """The language to answer in."""
    kept = (person.language if person else "") or request.cookies.get("language", "")
    return languages.choose(kept, request.headers.get("accept-language", ""))


def maybe(request: Request) -> Who | None:
    """Who asks, if anybody is signed in. Asked once for each request."""
    if not hasattr(request.state, "who"):
        request.state.who = _program(request) if request.url.path.startswith(API) else _person(request)
    who: Who | None = request.state.who
    return who


def signed_in(request: Request) -> Who:
    """Who asks. Raises SignInNeeded, which leads a page to the sign-in, and a program to a 401."""
    who = maybe(request)
    if who is None:
        raise SignInNeeded("sign in first")
    return who


def posted(request: Request, who: Annotated[Who, Depends(signed_in)], csrf: Annotated[str, Form()] = "") -> Who:
    """Who posts a form of our own pages. Raises SignInNeeded; Forbidden for a form that we did not give this person in this session."""
    if not request.url.path.startswith(API):
        require_own(request.headers, desk_of(request))
        if not hmac.compare_digest(csrf.encode(), who.csrf.encode()):
            raise Forbidden("this form is too old, or not from here; open the page again, and send it then")
    return who


SignedIn = Annotated[Who, Depends(signed_in)]
Posted = Annotated[Who, Depends(posted)]
Maybe = Annotated[Who | None, Depends(maybe)]
TheDesk = Annotated[Desk, Depends(desk_of)]


def require_own(headers: Headers, desk: Desk) -> None:
    """Raises Forbidden for a request that a browser says another site made. What no browser sends passes: the token in the form decides."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise Forbidden("another site sent this form; open the page here, and send it from there")
    elif origin is not None and origin.rstrip("/") != desk.settings.url.rstrip("/") and origin.partition("://")[2] != headers.get("host"):
        raise Forbidden("another site sent this form; open the page here, and send it from there")


def address(request: Request) -> str:
    """Where a request comes from, for limits. A proxy in front is believed only if the settings name it, and only in what it added itself."""
    peer = request.client.host if request.client else ""
    if peer in desk_of(request).settings.proxies:
        added = request.headers.getlist("x-forwarded-for")
        if added:
            return added[-1].rpartition(",")[2].strip() or peer
    return peer


def _person(request: Request) -> Who | None:
    desk = desk_of(request)
    token = request.cookies.get(cookie_name(desk), "")
    if not token:
        return None
    now = desk.now()
    with desk.store.reading() as session:
        found = sessions.find(session, token, now)
        session.expunge_all()
    if found is None:
        return None
    if found.stale:
        with desk.store.writing() as session:
            sessions.touch(session, found.digest, now)
    return Who(replace(sessions.actor_of(found.person), way="page"), found.person, found.csrf, language_of(request, found.person), found.digest)


def _program(request: Request) -> Who | None:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return None
    desk = desk_of(request)
    with desk.store.reading() as session:
        found = tokens.find(session, token.strip(), desk.now())
        session.expunge_all()
    if found is None:
        return None
    return Who(found.actor, found.person, "", language_of(request, found.person), token=found.token)
