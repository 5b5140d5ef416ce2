"""The desk's languages. English is written where it is used; other languages are dictionaries keyed by it, one for each part of the desk.

A text that a catalogue lacks is shown in English: a missing translation never costs a page. A test holds the French complete.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from datetime import UTC, datetime
from functools import cache, lru_cache

LANGUAGES: dict[str, str] = {"en": "English", "fr": "Français"}
CATALOGUES = (
    "french", "french_case", "french_orders", "french_review", "french_evidence", "french_compliance", "french_public", "french_imports",
    "french_services", "french_steps",
)  # fmt: skip
"""Modules here, each with `TEXTS: dict[str, str]`."""
MOST_ASKED = 200
"""Characters of an Accept-Language that are looked at."""
MOST_TOLD = 2000
"""Characters of a message whose places are looked for; a longer one stays in English."""

_MONTHS = {
    "en": ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"],
    "fr": ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"],
}
_SHORT = re.compile(r"\{\w+\}\W*\w{1,5}\W*\{\w+\}")
"""A text with places, such as "{done} of {owed}", that half of all sentences are made like: no message is found by it."""
_PLACE = re.compile(r"\\\{(\w+)\\\}")


def choose(kept: str, accept: str) -> str:
    """The page's language: the one the person or the switch keeps, else the first of Accept-Language that there is (RFC 9110 section 12.5.4)."""
    if kept in LANGUAGES:
        return kept
    best, best_weight = "en", 0.0
    for item in accept[:MOST_ASKED].split(","):
        tag, _, parameters = item.strip().lower().partition(";")
        weight = re.fullmatch(r"\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", parameters)
        value = float(weight[1]) if weight else float(not parameters)
        language = tag.partition("-")[0]
        if language in LANGUAGES and value > best_weight:
            best, best_weight = language, value
    return best


def translate(language: str, text: str, **values: object) -> str:
    """A text in a language, its {places} filled. The English itself when the catalogue lacks it."""
    found = catalogue(language).get(text, text)
    return found.format(**values) if values else found


def told(language: str, text: str) -> str:
    """A message whose places are filled already, such as an error's: found by the catalogue's text that it was made from."""
    texts = catalogue(language)
    if not texts or text in texts or len(text) > MOST_TOLD:
        return texts.get(text, text)
    return _matched(language, text)


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language that is not English."""
    if language != "fr":
        return {}
    texts: dict[str, str] = {}
    for name in CATALOGUES:
        module = f"authority.desk.web.{name}"
        if importlib.util.find_spec(module) is not None:
            texts.update(importlib.import_module(module).TEXTS)
    return texts


@lru_cache(maxsize=512)
def _matched(language: str, text: str) -> str:
    for pattern, translated in _patterns(language):
        match = pattern.fullmatch(text)
        if match:
            return translated.format(**{name: _words(language, value) for name, value in match.groupdict().items()})
    return text


def _words(language: str, value: str) -> str:
    """What stood in a place: a reason inside another, roles and such are words of ours, and translated; logins and numbers stay."""
    whole = _matched(language, value)
    if whole != value:
        return whole
    return ", ".join(catalogue(language).get(word, word) for word in value.split(", "))


@cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Texts with places, the most particular first."""
    found = []
    for text, translated in sorted(catalogue(language).items(), key=lambda pair: -len(pair[0])):
        if "{" in text and not _SHORT.fullmatch(text):
            seen: set[str] = set()

            def place(match: re.Match[str], seen: set[str] = seen) -> str:
                if match[1] in seen:
                    return f"(?P={match[1]})"
                seen.add(match[1])
                return f"(?P<{match[1]}>.{{1,300}}?)"

            found.append((re.compile(_PLACE.sub(place, re.escape(text)), re.DOTALL), translated))
    return found


def moment(seconds: int, language: str) -> str:
    """A time as the language writes it, in UTC and saying so: 1 March 2026, 09:30 UTC."""
    at = datetime.fromtimestamp(seconds, UTC)
    day = "1er" if language == "fr" and at.day == 1 else str(at.day)
    return f"{day}\u00a0{_MONTHS.get(language, _MONTHS['en'])[at.month - 1]}\u00a0{at.year}{' à ' if language == 'fr' else ', '}{at:%H:%M}\u00a0UTC"


def span(seconds: int, language: str) -> str:
    """A length of time in its largest unit that fits twice, rounded down: 90 s, 47 h, 3 d."""
    days = "j" if language == "fr" else "d"
    for unit, length in ((days, 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}\u00a0{unit}"
    return f"{seconds}\u00a0s"
