"""Renders the pages, as HTML and as problem details (RFC 9457), and says which security policy goes with them.

Whatever comes from a directive, a list or a visitor is escaped; nothing is marked safe but our own texts, style and drawing. No I/O after the
templates are loaded. A page is rendered once for all names that share its orders: the visitor's name goes into its places afterwards, so that a
flood of names under one listed name costs no rendering.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from landing import host, verdict
from landing.language import shown_date
from landing.texts import LANGUAGES, TEXTS
from landing.verdict import Order

HTML = "text/html; charset=utf-8"
PROBLEM = "application/problem+json"

_TITLE_SLOT = f"name-{secrets.token_hex(16)}-for-title"
_NAME_SLOT = f"name-{secrets.token_hex(16)}-for-people"


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page with places for the visitor's name: text between the places, and which form of the name each place takes."""

    content_type: str
    language: str
    parts: tuple[bytes, ...]
    slots: tuple[str, ...]

    def body(self, name: str) -> bytes:
        """The page for one name (its text form)."""
        if not self.slots:
            return self.parts[0]
        quote = html.escape if self.content_type == HTML else _in_json
        values = {_TITLE_SLOT: quote(name).encode(), _NAME_SLOT: quote(host.for_people(name)).encode()}
        pieces = [self.parts[0]]
        for slot, part in zip(self.slots, self.parts[1:], strict=True):
            pieces.append(values[slot])
            pieces.append(part)
        return b"".join(pieces)


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _page(content_type: str, language: str, text: str) -> Page:
    parts: list[bytes] = []
    slots: list[str] = []
    position = 0
    while True:
        found = min(((text.find(slot, position), slot) for slot in (_TITLE_SLOT, _NAME_SLOT) if slot in text[position:]), default=None)
        if found is None:
            parts.append(text[position:].encode())
            return Page(content_type, language, tuple(parts), tuple(slots))
        parts.append(text[position : found[0]].encode())
        slots.append(found[1])
        position = found[0] + len(found[1])


class Pages:
    """The templates and what is the same on every page: the operator's name and address."""

    def __init__(self, operator: str, operator_url: str) -> None:
        self._operator = operator
        self._operator_url = operator_url
        # Undefined names are errors, so that a page cannot go out with a hole in it.
        loader = PackageLoader("landing")
        environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False)
        style = loader.get_source(environment, "style.css")[0].strip()
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.security_policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
        )
        environment.globals.update(
            style=Markup(style),  # noqa: S704 - the package's own file, and the hash above is of these very bytes
            operator=operator,
            operator_url=operator_url,
            languages=[(language, TEXTS[language]["language"]) for language in LANGUAGES],
            link=verdict.link,
            strong=_strong,
        )
        self._environment = environment

    def blocked(self, orders: Sequence[Order], alias: bool, language: str, as_json: bool) -> Page:
        """The page for a name that these orders block; `alias`: by way of the listed name of the first."""
        if as_json:
            return _page(PROBLEM, language, json.dumps(self._problem(orders, alias, language), ensure_ascii=False, separators=(",", ":")))
        name = Markup("<strong><bdi>{}</bdi></strong>").format(_NAME_SLOT)
        return _page(HTML, language, self._html("blocked.html", language, orders=orders, alias=alias, name=name, title_name=_TITLE_SLOT))

    def plain(self, kind: str, status: int, language: str, as_json: bool) -> Page:
        """A page about nothing blocked: `unknown`, `bad`, `fault` or `unready`."""
        if as_json:
            text = TEXTS[language]
            problem = {"type": "about:blank", "title": text[f"{kind}_title"], "status": status, "detail": text[kind]}
            return _page(PROBLEM, language, json.dumps(problem, ensure_ascii=False, separators=(",", ":")))
        return _page(HTML, language, self._html("plain.html", language, kind=kind))

    def _html(self, template: str, language: str, **values: object) -> str:
        helpers = {
            "t": partial(_sentence, language),
            "date": partial(_date, language),
            "category": partial(_category, language),
            "in_language": partial(verdict.in_language, language=language),
        }
        return self._environment.get_template(template).render(language=language, **helpers, **values)

    def _problem(self, orders: Sequence[Order], alias: bool, language: str) -> dict[str, object]:
        key = "lead_own" if all(order.own for order in orders) else "lead_order" if sum(not order.own for order in orders) == 1 else "lead_orders"
        count = sum(not order.own for order in orders)
        return {
            "type": "about:blank",
            "title": "Unavailable For Legal Reasons" if count else "Forbidden",
            "status": 451 if count else 403,
            "detail": TEXTS[language][key].format(name=_NAME_SLOT, operator=self._operator, count=count),
            "name": _TITLE_SLOT,
            "alias_of": orders[0].listed if alias else None,
            "blocked_by": self._operator_url,
            "orders": [_as_data(order, language) for order in orders],
        }


def _as_data(order: Order, language: str) -> dict[str, object]:
    return {
        "kind": "own" if order.own else "directive",
        "reference": order.reference,
        "listed": order.listed,
        "match": "subtree" if order.subtree else "exact",
        "verified": order.verified,
        "demonstration": order.demonstration,
        "authority": order.authority or None,
        "category": order.category or None,
        "legal_basis": order.law or None,
        "issued_at": order.issued.isoformat() if order.issued else None,
        "effective_at": order.since.isoformat() if order.since else None,
        "expires_at": order.until.isoformat() if order.until else None,
        "reasons": verdict.in_language(order.reasons, language)[1] or None,
        "redress": {"url": order.redress_url or None, "court": order.court or None, "deadline_days": order.deadline_days},
    }


def _strong(text: str) -> Markup:
    return Markup("<strong><bdi>{}</bdi></strong>").format(host.for_people(text))


def _sentence(language: str, key: str, **values: object) -> Markup:
    text: str = TEXTS[language][key]
    return escape(text).format(**values)


def _date(language: str, moment: datetime) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}", shown_date(moment, language))


def _category(language: str, category: str) -> str:
    texts: Mapping[str, str] = TEXTS[language]
    return texts.get("category_" + category.replace("-", "_"), category)
