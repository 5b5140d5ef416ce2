"""The form of what an order will say, and how it becomes facts of the case: ground, reasons, redress, times, silence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from authority.desk.errors import BadField
from authority.desk.tables import Case
from authority.desk.web.acts import date_of
from authority.desk.web.forms import Field

FIELDS: dict[str, tuple[Field, ...]] = {
    "Ground": (
        Field("legal_basis", "Legal basis", hint="The law and its article. An order needs it, unless the category has its own.", needed=False),
        Field("reasons_en", "Reasons, in English", "text", "An order needs them in one language. They are public: name no person.", needed=False),
        Field("reasons_fr", "Reasons, in French", "text", needed=False),
        Field("territorial_scope", "Territorial scope", hint="Empty: none is said.", needed=False),
        Field("reviewer", "Who reviews the order, as the page says it", hint="Empty: none is said.", needed=False),
    ),
    "Redress": (
        Field("redress_url", "Address where redress is explained", hint="An order needs all three.", needed=False),
        Field("redress_deadline_days", "Days to object", "number", needed=False),
        Field("redress_court", "Court", needed=False),
    ),
    "Times": (
        Field("effective_hours", "Hours from draft to effect", "number", "Room for signing. Empty: none.", needed=False),
        Field("enforce_hours", "Hours for operators to enforce it", "number", "Empty: the policy's.", needed=False),
        Field("review_days", "Days until it is reviewed", "number", "Empty: the policy's.", needed=False),
        Field("expires_days", "Days until it ends", "number", "Empty: as long as the policy allows.", needed=False),
    ),
    "Silence": (
        Field("silence_until", "Not to be disclosed until", "date", "By law alone: the reviewer signs, or a judge decided.", needed=False),
        Field("silence_basis", "Its legal basis", needed=False),
        Field("silence_judge", "Decision of the judge: court, date, number", needed=False),
    ),
}  # fmt: skip
SHOWN = ("en", "fr")
"""Languages of the reasons that the form shows; others are written by the API or the command."""
_PLAIN = ("legal_basis", "territorial_scope", "reviewer")
_NUMBERS = ("effective_hours", "enforce_hours", "review_days", "expires_days")
_NAMES = {
    "redress.url": "redress_url", "redress.deadline_days": "redress_deadline_days", "redress.court": "redress_court",
    "nondisclosure.until": "silence_until", "nondisclosure.basis": "silence_basis", "nondisclosure.judge": "silence_judge",
    "reasons.en": "reasons_en", "reasons.fr": "reasons_fr", "reasons": "reasons_en", "redress": "redress_url", "nondisclosure": "silence_until",
}  # fmt: skip
"""The form's names of the facts' fields, where they differ."""


def shown(case: Case) -> dict[str, str]:
    """The form's fields as the case's facts fill them."""
    kept = case.facts
    redress, silence, reasons = (kept.get(name) or {} for name in ("redress", "nondisclosure", "reasons"))
    found = {name: kept.get(name) for name in (*_PLAIN, *_NUMBERS)}
    found |= {f"reasons_{language}": reasons.get(language) for language in SHOWN}
    found |= {f"redress_{name}": redress.get(name) for name in ("url", "deadline_days", "court")}
    until = silence.get("until")
    found |= {
        "silence_until": datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d") if until else None,
        "silence_basis": silence.get("basis"),
        "silence_judge": silence.get("judge"),
    }
    return {name: "" if value is None else f"{value:g}" if isinstance(value, float) else str(value) for name, value in found.items()}


def read(given: Mapping[str, str], kept: Mapping[str, Any]) -> dict[str, Any]:
    """Facts from the form's fields; one that is empty is None. What of `kept` the form does not show stays. Raises BadField."""
    said: dict[str, Any] = {name: given.get(name) or None for name in _PLAIN}
    said |= {name: _number(given, name) for name in _NUMBERS}
    reasons = {language: text for language, text in (kept.get("reasons") or {}).items() if language not in SHOWN}
    said["reasons"] = _some(reasons | {language: given.get(f"reasons_{language}") or None for language in SHOWN})
    redress = {name: given.get(f"redress_{name}") or None for name in ("url", "court")} | {"deadline_days": _number(given, "redress_deadline_days")}
    texts = (kept.get("redress") or {}).get("text")
    said["redress"] = _some(redress) and _some(redress | {"text": texts})
    silence: dict[str, Any] = {name: given.get(f"silence_{name}") or None for name in ("basis", "judge")}
    silence["until"] = date_of(given, "silence_until") if given.get("silence_until") else None
    said["nondisclosure"] = _some(silence)
    return said


def name_of(field: str) -> str:
    """The form's name of a field that the facts refused."""
    return _NAMES.get(field, field)


def _some(values: dict[str, Any]) -> dict[str, Any] | None:
    kept = {name: value for name, value in values.items() if value is not None}
    return kept or None


def _number(given: Mapping[str, str], name: str) -> int | float | None:
    text = given.get(name, "").replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise BadField(name, "it is no number") from None
    if not 0 <= value <= 100_000:
        raise BadField(name, "it is negative, or too large")
    return int(value) if value.is_integer() else value
