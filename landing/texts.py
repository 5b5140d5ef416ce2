"""What the page says, in each language: gettext catalogues in `locale/`, read once, when this module is imported.

A message's msgid is the key that templates use; its msgstr is a sentence with values in braces, which `page` fills in, escaped. A message with
plural forms names what it counts in its msgid_plural: `msgid "deadline"`, `msgid_plural "deadline {days}"`. What a catalogue lacks is said in
English, because a sentence in the wrong language is better than no page; a test holds every catalogue complete.
Kept to what is true of every order; what one order says comes from the order itself.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from gettext import c2py
from importlib.resources import files
from types import MappingProxyType

from babel.messages.pofile import read_po

LANGUAGES = ("en", "fr", "de", "es", "it", "ar")
"""In the order of the page's switch, English first: it is the one that has every message."""

RIGHT_TO_LEFT = frozenset({"ar"})


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its forms, the name of the value it counts (empty: it has one form), and which form goes with a number of them."""

    forms: tuple[str, ...]
    counted: str
    form_of: Callable[[int], int]

    def form(self, values: Mapping[str, object]) -> str:
        """The form that goes with these values."""
        number = values.get(self.counted)
        return self.forms[self.form_of(number)] if isinstance(number, int) else self.forms[-1]


class Catalogue(Mapping[str, str]):
    """One language's messages by their keys. A key gives a message's general form; `form` the one that goes with what it counts."""

    def __init__(self, messages: Mapping[str, Message]) -> None:
        self._messages = MappingProxyType(dict(messages))

    def __getitem__(self, key: str) -> str:
        return self._messages[key].forms[-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._messages)

    def __len__(self) -> int:
        return len(self._messages)

    def form(self, key: str, values: Mapping[str, object]) -> str:
        """A message in the form that goes with its values, the places not yet filled. Raises KeyError for a message that there is not."""
        return self._messages[key].form(values)

    def messages(self) -> Mapping[str, Message]:
        """All messages, with their forms."""
        return self._messages


def read(language: str) -> dict[str, Message]:
    """The messages of one catalogue as it stands in the package, without those it lacks."""
    with (files("landing") / "locale" / language / "LC_MESSAGES" / "landing.po").open("rb") as file:
        found = read_po(file, locale=language, abort_invalid=True)
    rule = c2py(found.plural_expr)
    messages: dict[str, Message] = {}
    for message in found:
        texts = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        if not message.id or not texts or not all(texts):
            continue
        key, counted = (message.id, "") if isinstance(message.id, str) else (message.id[0], _counted(message.id[1]))
        messages[key] = Message(tuple(typeset(text, language) for text in texts), counted, rule)
    return messages


def _counted(plural: str) -> str:
    (field,) = (field for _, field, _, _ in string.Formatter().parse(plural) if field)
    return field


def typeset(text: str, language: str) -> str:
    """A text as a printer sets it: curly apostrophes, and in French no-break spaces inside quotation marks and before tall marks."""
    text = text.replace("'", "\u2019")
    if language == "fr":
        for mark in ":;?!»":
            text = text.replace(f" {mark}", f"\u00a0{mark}")
        text = text.replace("« ", "«\u00a0")
    return text


_ENGLISH = read("en")
TEXTS: Mapping[str, Catalogue] = MappingProxyType({language: Catalogue({**_ENGLISH, **read(language)}) for language in LANGUAGES})
