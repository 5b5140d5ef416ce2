"""The form of what an order will say, and how it becomes facts of the case: ground, reasons, redress, times, silence. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from authority.desk.errors import BadField
from authority.desk.tables import Case
from authority.desk.web.acts import date_of
from authority.desk.web.forms import Field
from authority.desk.web.language import translate

FIELDS: dict[str, tuple[Field, ...]] = {
    "Ground": (
        Field("legal_basis", "Legal basis", hint="The law and its article. An order needs it, unless the category has its own.", needed=False),
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
SHOWN = {"en": ("Reasons, in English", "How to object, in English"), "fr": ("Reasons, in French", "How to object, in French")}
"""Languages that the form always shows, with what it calls their texts; then those that are written already, and room for one more."""
REASONS, REDRESS = "reasons_", "redress_text_"
"""With a language tag behind it, the field of a text in that language."""
OTHER = (
    Field("other_language", "Language", hint="Its tag, such as de or pt-BR.", needed=False),
    Field("other_reasons", "Reasons", "text", needed=False),
    Field("other_redress", "How to object", "text", needed=False),
)
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_PLAIN = ("legal_basis", "territorial_scope", "reviewer")
_NUMBERS = ("effective_hours", "enforce_hours", "review_days", "expires_days")
_NAMES = {
    "redress.url": "redress_url", "redress.deadline_days": "redress_deadline_days", "redress.court": "redress_court",
    "nondisclosure.until": "silence_until", "nondisclosure.basis": "silence_basis", "nondisclosure.judge": "silence_judge",
    "reasons": "reasons_en", "redress": "redress_url", "nondisclosure": "silence_until",
}  # fmt: skip
"""The form's names of the facts' fields, where they differ."""


def parts(given: Mapping[str, str], spoken: str) -> dict[str, tuple[Field, ...]]:
    """The form: its parts and their fields, for texts as `shown` or a posted form has them; `spoken`: the page's language."""

    def texts(start: str, what: str, which: int, hint: str) -> tuple[Field, ...]:
        label = {tag: names[which] for tag, names in SHOWN.items()}
        return tuple(
            Field(f"{start}{tag}", label.get(tag) or translate(spoken, what, tag=tag), "text", hint if tag == "en" else "", needed=False)
            for tag in _tags(given)
        )

    reasons = texts(REASONS, "Reasons, in {tag}", 0, "An order needs them in one language. They are public: name no person.")
    redress = texts(REDRESS, "How to object, in {tag}", 1, "Shown to visitors beside the address.")
    found = {title: fields + {"Ground": reasons, "Redress": redress}.get(title, ()) for title, fields in FIELDS.items()}
    return {**found, "In another language": OTHER}


def shown(case: Case) -> dict[str, str]:
    """The form's fields as the case's facts fill them."""
    kept = case.facts
    redress, silence, reasons = (kept.get(name) or {} for name in ("redress", "nondisclosure", "reasons"))
    found = {name: kept.get(name) for name in (*_PLAIN, *_NUMBERS)}
    found |= {f"{REASONS}{tag}": text for tag, text in reasons.items()}
    found |= {f"{REDRESS}{tag}": text for tag, text in (redress.get("text") or {}).items()}
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
    reasons, texts = dict(kept.get("reasons") or {}), dict((kept.get("redress") or {}).get("text") or {})
    for tag in _tags(given):
        reasons[tag] = given.get(f"{REASONS}{tag}", reasons.get(tag)) or None
        texts[tag] = given.get(f"{REDRESS}{tag}", texts.get(tag)) or None
    _another(given, reasons, texts)
    redress = {name: given.get(f"redress_{name}") or None for name in ("url", "court")} | {"deadline_days": _number(given, "redress_deadline_days")}
    said["reasons"], said["redress"] = _some(reasons), _some(redress | {"text": _some(texts)})
    silence: dict[str, Any] = {name: given.get(f"silence_{name}") or None for name in ("basis", "judge")}
    silence["until"] = date_of(given, "silence_until") if given.get("silence_until") else None
    said["nondisclosure"] = _some(silence)
    return said


def name_of(field: str, given: Mapping[str, str]) -> str:
    """The form's name of a field that the facts refused."""
    for path, start, other in (("reasons.", REASONS, "other_reasons"), ("redress.text.", REDRESS, "other_redress")):
        if field.startswith(path):
            tag = field.removeprefix(path).partition(".")[0]
            return start + tag if start + tag in given else other
    return _NAMES.get(field, field)


def _tags(given: Mapping[str, str]) -> list[str]:
    """The languages that a form has fields for."""
    others = {name.removeprefix(start) for name in given for start in (REASONS, REDRESS) if name.startswith(start)}
    return [*SHOWN, *sorted(tag for tag in others - set(SHOWN) if _TAG.fullmatch(tag))]


def _another(given: Mapping[str, str], reasons: dict[str, Any], texts: dict[str, Any]) -> None:
    """Takes in what is written in one language more. Raises BadField."""
    tag, some, more = (given.get(field.name, "") for field in OTHER)
    if not tag:
        if some or more:
            raise BadField("other_language", "say which language it is")
        return
    if not _TAG.fullmatch(tag):
        raise BadField("other_language", "write a language tag, such as fr, en or pt-BR")
    if not (some or more):
        raise BadField("other_reasons", "write a text in that language, or leave the language out")
    if some:
        reasons[tag] = some
    if more:
        texts[tag] = more


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
