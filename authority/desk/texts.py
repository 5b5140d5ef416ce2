"""What messages say: templates by kind and language, rendered in Jinja2's sandbox. A document that two persons change replaces ours.

A template sees plain values only, and nothing of the program; a document with a template that does not work is refused before it is in force.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, get_args

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from authority.desk import templating, wording
from authority.desk.desk import Desk
from authority.desk.errors import BadField
from authority.desk.wording import Kind
from blocklists import formats

KINDS: tuple[Kind, ...] = get_args(Kind)
LANGUAGES = ("en", "fr")
"""Those that every kind has a text of ours in."""
MAX_BODY = 100_000
"""Characters in the longest message."""
_log = logging.getLogger("authority.desk")


class Text(NamedTuple):
    """A message, rendered."""

    subject: str
    """One line."""
    body: str


class Template(BaseModel):
    """One message in one language."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    subject: Annotated[str, Field(min_length=1, max_length=300)]
    body: Annotated[str, Field(min_length=1, max_length=20_000)]


Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
Templates = dict[str, dict[str, Template]]
_shape = TypeAdapter(dict[Kind, dict[Language, Template]])


def render(session: Session, desk: Desk, kind: Kind, language: str, /, **values: Any) -> Text:
    """The message in a language, or in English. Values are those that `wording.VALUES` names for the kind."""
    try:
        return _rendered(_chosen(_both(desk.document(session, "texts"))[kind], language), values)
    except BadField as error:
        # A message must leave: what the house's template cannot say, ours says.
        _log.error("%s.%s of the document texts does not work, and ours is sent instead: %s", kind, language, error)
        return _rendered(_chosen(_both("")[kind], language), values)


def languages(session: Session, desk: Desk, kind: Kind) -> list[str]:
    """Those that a kind can be written in."""
    return sorted(_both(desk.document(session, "texts"))[kind])


def first(session: Session, desk: Desk, kind: Kind) -> str:
    """The first language that the house's own document writes a kind in; English when it has no text of its own for it."""
    text = desk.document(session, "texts")
    own = _loaded(text).get(kind, {}) if text else {}
    return next(iter(own), "en")


def check(text: str) -> None:
    """Raises BadField unless a document `texts` can be in force: known kinds, and templates that work with what they are given."""
    for kind, templates in _loaded(text).items():
        for language, template in templates.items():
            try:
                _rendered(template, wording.VALUES[kind])  # type: ignore[index] # kinds were checked
            except BadField as error:
                known = ", ".join(wording.VALUES[kind])  # type: ignore[index]
                raise BadField("texts", f"{kind}.{language}: {error.text}; it may use {known}") from None


def _chosen(templates: Mapping[str, Template], language: str) -> Template:
    return templates.get(language) or templates.get(language.partition("-")[0]) or templates["en"]


def _rendered(template: Template, values: Mapping[str, Any]) -> Text:
    try:
        subject = " ".join(_compiled(template.subject).render(values).split())[:500]
        body = _compiled(template.body).render(values).strip() + "\n"
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
        raise BadField("texts", f"a template does not work: {error}") from None
    if len(body) > MAX_BODY:
        raise BadField("texts", f"a message would have {len(body)} characters, more than {MAX_BODY}; shorten it")
    return Text(subject, body)


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    templating.require_plain(_environment(), text)
    return _environment().from_string(text)


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    # Messages are plain text: nothing is escaped in them, and nobody's words are a template.
    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
    made.filters["time"] = shown
    return made


def shown(seconds: int) -> str:
    """`2026-09-21 14:03 UTC`: to the minute, and the same for everybody."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


@lru_cache(maxsize=4)
def _both(text: str) -> Templates:
    found = dict(_loaded(wording.TEXTS))
    for kind, templates in (_loaded(text) if text else {}).items():
        found[kind] = {**found[kind], **templates}
    return found


def _loaded(text: str) -> Templates:
    found, bad = formats.documents(f"{text}\n".encode())
    if bad:
        raise BadField("texts", f"line {bad[0].line}: {bad[0].value}: {bad[0].reason}")
    if len(found) != 1:
        raise BadField("texts", f"it has {len(found)} documents; write one")
    try:
        loaded = _shape.validate_python(found[0].data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        raise BadField("texts", f"{'.'.join(map(str, fault['loc']))}: {fault['msg'][:400]}; kinds are {', '.join(KINDS)}") from None
    return {str(kind): dict(templates) for kind, templates in loaded.items()}
