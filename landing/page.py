"""Renders the pages, as HTML and as problem details (RFC 9457), and says which security policy goes with them.

Whatever comes from a directive, a list or a visitor is escaped; nothing is marked safe but our own texts, style and drawing. No I/O after the
templates are loaded. A page is rendered once for all names that share its orders: the visitor's name goes into its places afterwards, so that a
flood of names under one listed name costs no rendering.
"""

from __future__ import annotations

import html
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from blocklists import ulabels
from landing import problem, verdict
from landing.language import shown_number
from landing.look import Look
from landing.sentences import Sentences
from landing.settings import LandingSettings
from landing.texts import LANGUAGES, TEXTS
from landing.verdict import Order

HTML = "text/html; charset=utf-8"
PROBLEM = "application/problem+json"

_TITLE_SLOT = f"name-{secrets.token_hex(16)}-for-title"
_NAME_SLOT = f"name-{secrets.token_hex(16)}-for-people"
_QUERY_SLOT = f"name-{secrets.token_hex(16)}-for-a-query"
_SLOTS = (_TITLE_SLOT, _NAME_SLOT, _QUERY_SLOT)


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
        return self.filled(quote(name).encode(), quote(ulabels.for_people(name)).encode(), quote_plus(name).encode())

    def filled(self, title: bytes, people: bytes, query: bytes) -> bytes:
        """The page with these octets in its places: the name's text, the name for people, the name in a link's query."""
        values = {_TITLE_SLOT: title, _NAME_SLOT: people, _QUERY_SLOT: query}
        pieces = [self.parts[0]]
        for slot, part in zip(self.slots, self.parts[1:], strict=True):
            pieces.append(values[slot])
            pieces.append(part)
        return b"".join(pieces)


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _page(content_type: str, language: str, text: str) -> Page:
    parts: list[bytes] = []
    slots: list[str] = []
    position = 0
    while True:
        found = min(((text.find(slot, position), slot) for slot in _SLOTS if slot in text[position:]), default=None)
        if found is None:
            parts.append(text[position:].encode())
            return Page(content_type, language, tuple(parts), tuple(slots))
        parts.append(text[position : found[0]].encode())
        slots.append(found[1])
        position = found[0] + len(found[1])


class Pages:
    """The templates, and what is the same on every page: the operator's name and address, and the look (without one, the default settings').

    `own`: where the operator's own pages begin, without the last stroke; empty: it has none, and errors are reported at its address. `default`: the
    language in which an authority's text is shown that it does not give in the visitor's.
    """

    def __init__(self, operator: str, operator_url: str, look: Look | None = None, own: str = "", default: str = "en") -> None:
        look = look or Look.of(LandingSettings())
        self._operator = operator
        self._operator_url = operator_url
        self._own = own
        self._default = default
        # Undefined names are errors, so that a page cannot go out with a hole in it.
        loader = PackageLoader("landing")
        environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False)
        self.security_policy = (
            f"default-src 'none'; style-src {look.source}; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
        )
        environment.globals.update(
            look.names(),
            operator=operator,
            operator_url=operator_url,
            languages=[(language, TEXTS[language]["language"]) for language in LANGUAGES],
            link=verdict.link,
            strong=_strong,
            whole=_whole,
        )
        self._environment = environment
        for template in ("blocked.html", "plain.html"):
            environment.get_template(template)  # compiled now, and not while the first visitor waits

    def blocked(self, orders: Sequence[Order], alias: bool, language: str, as_json: bool) -> Page:
        """The page for a name that these orders block; `alias`: by way of the listed name of the first."""
        if as_json:
            return _page(PROBLEM, language, json.dumps(self._problem(orders, alias, language), ensure_ascii=False, separators=(",", ":")))
        name = Markup("<strong><bdi>{}</bdi></strong>").format(_NAME_SLOT)
        shown = {"orders": orders, "alias": alias, "name": name, "title_name": _TITLE_SLOT, "report": self._report, "proof_path": problem.PROOF}
        return _page(HTML, language, self.html("blocked.html", language, **shown))

    def plain(self, kind: str, status: int, language: str, as_json: bool) -> Page:
        """A page about nothing blocked: `unknown`, `bad`, `fault` or `unready`; or why there is no proof: `unproved`, `withheld` or `proving`."""
        if as_json:
            text = TEXTS[language]
            found = {"type": "about:blank", "title": text[f"{kind}_title"], "status": status, "detail": text[kind]}
            return _page(PROBLEM, language, json.dumps(found, ensure_ascii=False, separators=(",", ":")))
        return _page(HTML, language, self.html("plain.html", language, kind=kind))

    def html(self, template: str, language: str, **values: object) -> str:
        sentences = Sentences(language)
        helpers = {
            "t": sentences.say,
            "label": sentences.label,
            "isolated": sentences.isolated,
            "date": sentences.date,
            "territory": sentences.territory,
            "foreign": sentences.foreign,
            "instead": sentences.instead,
            "ground": lambda order: verdict.in_language(order.ground, language, self._default) if order.ground else ("", _category(language, order)),
            "in_language": lambda texts: verdict.in_language(texts, language, self._default),
        }
        return self._environment.get_template(template).render(language=language, direction=sentences.direction, **helpers, **values)

    def _problem(self, orders: Sequence[Order], alias: bool, language: str) -> dict[str, object]:
        text = TEXTS[language]
        count = sum(not order.own for order in orders)
        key = "lead_order" if count == 1 else "lead_orders" if count else "lead_own"
        return problem.blocked(
            orders,
            alias,
            (language, self._default),
            detail=text.form(key, {"count": count}).format(name=_NAME_SLOT, operator=self._operator, count=shown_number(count, language)),
            name=_TITLE_SLOT,
            operator=self._operator,
            operator_url=self._operator_url,
            report=next((self._report(order) for order in orders if not order.own), "") or self._operator_url,
            privacy=f"{text['privacy_explained']} {text['privacy_counted']}" if count else text["privacy_explained"],
            category=lambda order: _category(language, order),
        )

    def _report(self, order: Order) -> str:
        """Where an error about an order is reported on the operator's own pages; empty when it has none."""
        return f"{self._own}/report?{urlencode({'order': order.reference})}&name={_QUERY_SLOT}" if self._own else ""


def _whole(text: str) -> Markup:
    """A reference within a sentence: at the end of a line it goes to the next one whole."""
    return Markup('<bdi class="whole">{}</bdi>').format(text)


def _strong(text: str) -> Markup:
    return Markup("<strong><bdi>{}</bdi></strong>").format(ulabels.for_people(text))


def _category(language: str, order: Order) -> str:
    """Our own words for a category that no policy has words for; empty when we have none either."""
    texts: Mapping[str, str] = TEXTS[language]
    return texts.get("category_" + order.category.replace("-", "_"), "")
