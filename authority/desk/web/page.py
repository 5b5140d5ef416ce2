"""Makes a page: one template, what every template may use, and the person's language.

Everything is escaped; nothing is marked safe but our own markup.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from importlib import resources
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy import select

from authority.desk.desk import Desk
from authority.desk.roles import Action, Actor
from authority.desk.tables import Person
from authority.desk.web import language as languages
from authority.desk.web.who import Who, desk_of, language_of
from blocklists import ulabels


class Place(NamedTuple):
    """One entry of the navigation."""

    path: str
    label: str
    actions: tuple[Action, ...]
    """Shown to whom one of these is open; empty: to everybody who is signed in."""


NAVIGATION = (
    Place("/cases", "Cases", ("case.list",)),
    Place("/review", "Review", ("review.read",)),
    Place("/compliance", "Compliance", ("compliance.read", "compliance.own")),
    Place("/proposals", "Proposals", ("proposal.make", "proposal.confirm")),
    Place("/documents", "Rules and lists", ("case.list", "document.propose")),
    Place("/people", "People", ("person.manage", "audit.read")),
    Place("/audit", "Audit log", ("audit.read",)),
)


def places(actor: Actor) -> list[Place]:
    """What the navigation shows to the actor."""
    return [place for place in NAVIGATION if not place.actions or any(actor.may(action) for action in place.actions)]


def page(
    request: Request, who: Who | None, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> HTMLResponse:
    """A whole page.

    In every template: who, csrf, language, languages, navigation, path, now, `_`, `told`, `when(…)`, `due(…)`, `span(…)` of seconds,
    `named(login)`, `by(login)`; the filters `site` and, where no markup may stand, `site_text`.
    """
    language = who.language if who else language_of(request)
    named = cache(partial(_named, desk_of(request)))
    text = environment().get_template(template).render(
        who=who,
        csrf=who.csrf if who else "",
        language=language,
        languages=languages.LANGUAGES,
        navigation=places(who.actor) if who else [],
        path=request.url.path,
        style=style()[0],
        icon=icon()[0],
        _=partial(languages.translate, language),
        told=partial(languages.told, language),
        when=partial(when, language),
        due=partial(due, language, desk_of(request).now()),
        span=lambda seconds: languages.span(int(seconds), language),
        now=desk_of(request).now(),
        named=named,
        by=lambda login: Markup.escape(languages.translate(language, "by {who}")).format(who=named(login)),
        **values,
    )  # fmt: skip
    return HTMLResponse(text, status, {"Content-Language": language, "Vary": "Cookie, Accept-Language", **(headers or {})})


def when(language: str, seconds: int | None) -> Markup:
    """A moment; a dash for none."""
    if seconds is None:
        return Markup("\N{EN DASH}")
    iso = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}">{}</time>').format(iso, languages.moment(seconds, language))


def site(name: str) -> Markup:
    """A site's name as its owner writes it, and its A-labels beside it; its A-labels alone where a reader might take it for another's.

    Each form is isolated from what is around it, and its labels stand from left to right whatever they are written in; a copy has no marks of that.
    """
    shown = ulabels.unmistakable(name)
    return Markup('<bdi dir="ltr">{}</bdi> <bdi class="alabels">({})</bdi>').format(shown, name) if shown else Markup.escape(name)


def due(language: str, now: int, seconds: int | None) -> Markup:
    """How long is left until a moment, or since when it is over; a dash for none. The moment itself is in the title."""
    if seconds is None:
        return Markup("\N{EN DASH}")
    late = seconds < now
    said = languages.translate(language, "overdue by {time}" if late else "in {time}", time=languages.span(abs(seconds - now), language))
    near = "overdue" if late else "soon" if seconds - now < 4 * 3600 else "later"
    iso = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time class="due {}" datetime="{}" title="{}">{}</time>').format(near, iso, languages.moment(seconds, language), said)


def _named(desk: Desk, login: str) -> Markup:
    """What a person is called, with the login, which is nobody else's, in the title. Who is no person here, such as a flagger, as it is."""
    with desk.store.reading() as session:
        name = session.scalar(select(Person.name).where(Person.login == login))
    return Markup('<span title="{}">{}</span>').format(login, name) if name else Markup.escape(login)


def style() -> tuple[str, bytes]:
    """The path of the one style sheet, which changes with its octets, and these."""
    return _static("style", "css")


def icon() -> tuple[str, bytes]:
    """Likewise of the drawing that a browser's tab shows."""
    return _static("hand", "svg")


@cache
def _static(name: str, ending: str) -> tuple[str, bytes]:
    octets = resources.files("authority.desk.web").joinpath(f"static/{name}.{ending}").read_bytes()
    return f"/{name}-{hashlib.sha256(octets).hexdigest()[:12]}.{ending}", octets


def compiled() -> None:
    """Compiles every template, so that the first who opens a page does not wait for it."""
    for name in environment().list_templates():
        environment().get_template(name)


@cache
def environment() -> Environment:
    """The templates. An undefined value is a fault, never an empty place."""
    found = Environment(
        loader=PackageLoader("authority.desk.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters["site"] = site
    found.filters["site_text"] = ulabels.unmistakable_for_people
    found.filters["pretty"] = lambda value: json.dumps(value, ensure_ascii=False, indent=2)
    return found
