"""What the templates of cases and orders ask for beside the rows: choices with their names, a step's details in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from markupsafe import Markup

from authority.desk.tables import Case, Event
from authority.desk.web import labels, language
from authority.desk.web.page import site, when
from authority.desk.web.view import ALL

MOST_LISTED = 20
MISSING: dict[str, str] = {
    "reasons": "the reasons",
    "redress": "how to object",
    "legal_basis": "the legal basis",
    "category": "a category",
    "targets": "names",
    "removal_request": "a removal request, or why there is none",
}
DRAFTS: dict[str, tuple[str, str]] = {
    "block": ("Draft the order", "It is checked by the guards; nobody signs it yet."),
    "confirm": ("Confirm the emergency", "You sign the confirmation on your own machine."),
    "withdraw": ("Draft a withdrawal", "It lifts the block for good once it is signed and published."),
    "renew": ("Draft a renewal", "The same order for another period, newly signed."),
    "amend": ("Draft an amendment", "The order with the case's names and texts of now."),
    "suspend": ("Draft a suspension", "One officer or the reviewer signs; it lasts 72 hours."),
    "recommend": ("Draft a recommendation for the public log", "Signed by you, it stands in the log for everyone."),
}
"""Orders that may be drafted: what the form is called, and what it does."""


def helpers(spoken: str, case: Case) -> dict[str, Any]:
    """Values for a template, in a language."""
    return {
        "translated": partial(translated, spoken),
        "details_of": partial(details_of, spoken),
        "reports_named": partial(reports_named, spoken),
        "what_field": what_field,
        "missing_names": MISSING,
        "draft_titles": {what: title for what, (title, _) in DRAFTS.items()},
        "draft_says": {what: says for what, (_, says) in DRAFTS.items()},
        "names_text": "\n".join(("." if each.match == "subtree" else "") + each.name for each in case.names),
    }


def translated(spoken: str, choices: Iterable[str]) -> list[tuple[str, str]]:
    """Values of a choice, and what they are called."""
    return [(value, language.translate(spoken, labels.CHOICES.get(value, value))) for value in choices]


def reports_named(spoken: str, choices: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Reports to answer, and what they are called: the first may be all of them."""
    return [(value, language.translate(spoken, ALL) if name == ALL else name) for value, name in choices]


def what_field(what: str) -> Markup:
    """Which order a form drafts."""
    return Markup('<input type="hidden" name="what" value="{}">').format(what)


def details_of(spoken: str, event: Event) -> list[tuple[str, Any]]:
    """A step's details that people want to see: label and value."""
    return [(label, _value(spoken, name, event.details[name])) for name, label in labels.DETAILS.items() if event.details.get(name) not in _EMPTY]


_EMPTY: tuple[Any, ...] = (None, "", [], {})
_NAMES = frozenset({"name", "names", "targets"})
"""Details that are names of sites."""


def _value(spoken: str, name: str, value: Any) -> Any:
    if name in labels.TIMES and isinstance(value, int):
        return when(spoken, value)
    if isinstance(value, list):
        more = f" … (+{len(value) - MOST_LISTED})" if len(value) > MOST_LISTED else ""
        shown = (site(str(each)) if name in _NAMES else str(each) for each in value[:MOST_LISTED])
        return Markup(", ").join(shown) + more
    if name in _NAMES:
        return site(str(value))
    if name in ("kind", "found", "decision", "answer", "occasion", "source", "guard", "action", "own_order"):
        names = {"source": labels.SOURCES, "guard": labels.GUARDS, "action": labels.ORDERS}.get(name, labels.CHOICES)
        return language.translate(spoken, names.get(str(value), str(value)))
    return str(value)
