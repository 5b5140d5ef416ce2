"""Which language and which form a visitor wants, and dates in that language. Pure.

Negotiation follows RFC 9110 sections 12.4.2, 12.5.1 and 12.5.4. A field that is malformed or absurdly long counts as absent: content negotiation
must never be a reason to refuse the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_decimal

from landing.texts import LANGUAGES, TEXTS

MAX_FIELD = 1024
MAX_ITEMS = 32

# English without a country would put the month before the day.
_LOCALES = {language: Locale.parse("en_GB" if language == "en" else language) for language in LANGUAGES}

_FIRST_OF_THE_MONTH = {"fr": "1er", "it": "1º"}
"""What careful printing demands and CLDR does not give."""

_TIMES = {"fr": "H\u00a0'h'\u00a0mm"}

_ITEM = re.compile(r"[ \t]*([A-Za-z0-9*/+.!#$&^_-]{1,100})((?:[ \t]*;[^;]{0,100})*)")
_WEIGHT = re.compile(r";[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*")
_OPTIONAL_WEIGHT = re.compile(r";[ \t]*[qQ][ \t]*=")


def _weighted(field: str) -> Iterator[tuple[str, float]]:
    """Each choice of an Accept field, lower case, with its weight; malformed items are left out."""
    if len(field) > MAX_FIELD:
        return
    for item in field.split(",")[:MAX_ITEMS]:
        match = _ITEM.fullmatch(item)
        if match is None:
            continue
        weight = _WEIGHT.search(match[2])
        if weight is None and _OPTIONAL_WEIGHT.search(match[2]):
            continue
        yield match[1].lower(), float(weight[1]) if weight else 1.0


def choose(asked: str, accept_language: str, default: str) -> str:
    """The page's language: the one asked for by the switch, else the best of Accept-Language (the first among equals), else the default."""
    if asked in LANGUAGES:
        return asked
    best, best_weight = default, 0.0
    for tag, weight in _weighted(accept_language):
        language = tag.partition("-")[0]
        if language == "*":
            language = default
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def prefers_json(accept: str) -> bool:
    """Whether Accept prefers JSON (plain, or RFC 9457 problem details) to HTML.

    A wildcard stands for HTML, but loses a tie with JSON named outright.
    """
    if "json" not in accept.lower():
        return False
    json = wildcard = 0.0
    html: float | None = None
    for kind, weight in _weighted(accept):
        if kind in {"application/json", "application/problem+json"}:
            json = max(json, weight)
        elif kind in {"text/html", "application/xhtml+xml"}:
            html = max(html or 0.0, weight)
        elif kind in {"*/*", "text/*"}:
            wildcard = max(wildcard, weight)
    if html is not None:
        return json > html
    return json > 0 and json >= wildcard


def shown_date(moment: datetime, language: str) -> str:
    """A moment as the language writes it, in UTC: 1 March 2026, 1er mars 2026; with the time, unless it is midnight.

    An order that takes effect at midnight in Paris does so the day before in UTC: without the time the page would state a wrong day.
    """
    moment = moment.astimezone(UTC)
    day = format_date(moment.date(), "long", locale=_LOCALES[language])
    if moment.day == 1 and language in _FIRST_OF_THE_MONTH:
        day = _FIRST_OF_THE_MONTH[language] + day.removeprefix("1")
    day = day.replace(" ", "\u00a0")
    if (moment.hour, moment.minute) == (0, 0):
        return day
    time = format_time(moment.time(), _TIMES.get(language, "HH:mm"), locale=_LOCALES[language])
    return TEXTS[language]["moment"].format(day=day, time=time)


def shown_number(number: int, language: str) -> str:
    """A whole number as the language writes it: 1,096; 1\u202f096; 1.096. Arabic too has the digits that references and addresses have."""
    return format_decimal(number, locale=_LOCALES[language])


def shown_language(tag: str, language: str) -> str:
    """The name of a language tag's language in another language, without its country; empty when it has none there."""
    return str(_LOCALES[language].languages.get(tag.lower().partition("-")[0], ""))


def shown_territory(code: str, language: str) -> str:
    """The name of a country or region by its code (ISO 3166-1, UN M.49, or EU); the text itself when it is none."""
    return str(_LOCALES[language].territories.get(code, code))


# The locales' data are read from their files when they are first used, which would be while a visitor waits.
for _language in LANGUAGES:
    shown_date(datetime(2026, 1, 1, 1, tzinfo=UTC), _language)
    shown_number(1000, _language)
