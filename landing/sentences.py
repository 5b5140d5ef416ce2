"""A language's sentences as they go into a page: the places filled in, escaped, numbers and dates written as the language writes them. Pure.

What comes from elsewhere keeps its own direction: on a page that is read from right to left, or when it is written so itself, it is isolated, so
that it does not turn the words and marks around it (HTML standard, `bdi`; in titles, which hold no elements, by the characters of Unicode
Standard Annex 9).
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from markupsafe import Markup, escape

from landing.language import shown_date, shown_language, shown_number, shown_territory
from landing.texts import RIGHT_TO_LEFT, TEXTS

_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"

_TURNING = {"R", "AL", "AN", "RLE", "RLO", "LRE", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"}
"""Bidirectional character types that change the order of what is around them: letters written from right to left, and explicit formatting."""


class Sentences:
    """What a template says in one language. Keys are those of `landing.texts`; one that there is not raises KeyError."""

    def __init__(self, language: str) -> None:
        self._language = language
        self.direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"

    def say(self, key: str, **values: object) -> Markup:
        """A sentence for where elements may stand. Values that are markup already stay as they are."""
        return self._filled(key, {name: self.isolated(value) if isinstance(value, str) else value for name, value in values.items()})

    def label(self, key: str, **values: object) -> Markup:
        """A sentence for a title or an attribute, where no element may stand."""
        return self._filled(key, {name: self._isolated_text(value) if isinstance(value, str) else value for name, value in values.items()})

    def isolated(self, text: str) -> Markup:
        """A text that came from elsewhere; markup as it is."""
        if isinstance(text, Markup):
            return text
        return Markup("<bdi>{}</bdi>").format(text) if self._turns(text) else escape(text)

    def date(self, moment: datetime) -> Markup:
        """A moment, with what a machine may read of it."""
        return Markup('<time datetime="{}">{}</time>').format(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}", shown_date(moment, self._language))

    def territory(self, text: str) -> str:
        """Where an order applies: a country's name for its code, else as the order says it."""
        return shown_territory(text, self._language)

    def foreign(self, tag: str) -> bool:
        """Whether a text under this language tag (empty: not told) is in another language than the page."""
        return bool(tag) and tag.lower().partition("-")[0] != self._language

    def instead(self, tag: str) -> Markup:
        """The sentence above an authority's text that it does not give in the page's language."""
        tongue = shown_language(tag, self._language)
        return self.say("instead", tongue=tongue) if tongue else self.say("as_written")

    def _filled(self, key: str, values: dict[str, object]) -> Markup:
        text = TEXTS[self._language].form(key, values)
        shown = {name: shown_number(value, self._language) if isinstance(value, int) else value for name, value in values.items()}
        return escape(text).format(**shown)

    def _isolated_text(self, text: str) -> str:
        return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}" if not isinstance(text, Markup) and self._turns(text) else text

    def _turns(self, text: str) -> bool:
        return self.direction == "rtl" or any(unicodedata.bidirectional(character) in _TURNING for character in text)
