"""The form of a report: what its fields may hold, and which of them is wrong. Pure: a posted form in, a report or a fault out.

What is wrong is told by the key of a text (`landing.texts`), so that the page says it in the visitor's language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import parse_qs

from blocklists import report
from blocklists.errors import BadName
from blocklists.names import listed, to_text
from blocklists.report import Report

MOST_OCTETS = 65_536
"""Of a posted form: 4,000 characters, each of four octets escaped as 12, and the rest."""
MOST_FIELDS = 16
TRAP = "website"
"""A field that people do not see; programs fill it in."""
HOUR = 3600

_ORDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FAULTS = {"words": "report_bad_words", "contact": "report_bad_contact", "name": "report_bad_name", "order": "report_bad_order"}


class Fault(Exception):
    """A field, or the form, is not as it must be. `key` names the text that says so, `field` the field; empty: the whole form."""

    def __init__(self, key: str, field: str = "", **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.field = field
        self.values = values
        """What the text is filled with."""


def fields_of(body: bytes) -> dict[str, str]:
    """The fields of a posted form (application/x-www-form-urlencoded, UTF-8), each once, trimmed. Raises Fault for what no browser sends."""
    try:
        found = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise Fault("report_stamp") from None
    return {name: values[0].replace("\r\n", "\n").strip() for name, values in found.items() if len(values) == 1}


def prefilled(query: str) -> dict[str, str]:
    """The order and the name that a link to the form brings; what is not one is left out."""
    try:
        found = parse_qs(query[:4096], max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        return {}
    given = {}
    order, name = (found.get(field, [""])[0].strip() for field in ("order", "name"))
    if _ORDER.fullmatch(order):
        given["order"] = order
    with suppress(BadName):
        given["name"] = to_text(listed(name))
    return given


def read(given: Mapping[str, str], reference: str, language: str, now: int) -> Report:
    """The report in a form, under a reference, written in a language at `now` (unix seconds). Raises Fault for the first field that is wrong."""
    order, name, words, contact = (given.get(field, "") for field in ("order", "name", "words", "contact"))
    if not _ORDER.fullmatch(order):
        raise Fault(_FAULTS["order"], "order")
    try:
        name = to_text(listed(_host(name)))
    except BadName:
        raise Fault(_FAULTS["name"], "name") from None
    if not 0 < len(words) <= report.MOST_WORDS:
        raise Fault(_FAULTS["words"], "words", count=report.MOST_WORDS)
    for field, text in (("words", words), ("contact", contact)):
        if found := report.odd(text):
            raise Fault("report_bad_character", field, character=f"U+{ord(found):04X}")
    if contact and not report.is_contact(contact):
        raise Fault(_FAULTS["contact"], "contact")
    at = now - now % HOUR
    return Report(type="report", version=1, reference=reference, order=order, name=name, words=words, contact=contact, language=language, at=at)


def _host(text: str) -> str:
    """The name in what somebody typed, who may have copied an address from the browser."""
    text = text[:2000].strip()
    if "://" in text:
        text = text.partition("://")[2]
    return re.sub(r":[0-9]*$", "", re.split(r"[/?#]", text, maxsplit=1)[0])
