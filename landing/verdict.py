"""What the page may say of a name: which rules speak, and what each one's basis tells a visitor. Pure: a version's index and `now` in, orders out.

A basis was verified when it entered the version; here it is read, never judged. What it lacks is left out of the page rather than made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from blocklists import names
from blocklists.index import Index, Rule


@dataclass(frozen=True, slots=True)
class Order:
    """What one rule's basis tells a visitor. Texts are the basis's own and not to be trusted as markup; empty means that it does not say."""

    own: bool
    reference: str
    listed: str
    subtree: bool
    verified: bool
    demonstration: bool = False
    """Whether the authority is one that was made to show how this works, and orders nothing."""
    authority: str = ""
    contact: str = ""
    category: str = ""
    law: str = ""
    territory: str = ""
    issued: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    review_due: datetime | None = None
    reviewer: str = ""
    reasons: Mapping[str, str] | None = None
    limited_until: datetime | None = None
    limited_basis: str = ""
    court: str = ""
    redress_url: str = ""
    redress_texts: Mapping[str, str] | None = None
    deadline_days: int | None = None


def speaking(index: Index, key: bytes, now: int) -> list[Rule]:
    """The rules that block a name now, in the page's order; empty when nothing does. `now` in unix seconds.

    All orders in force are shown, the nearest listed name first; the operator's own lists follow unless a pass entry overrules them. One
    reference is shown once, at its nearest listed name.
    """
    if index.find(key, now) is None:
        return []
    in_force = [rule for rule in index.covering(key) if rule.in_force(now)]
    passed = any(rule.kind == "pass" for rule in in_force)
    shown: dict[tuple[str, str], Rule] = {}
    for rule in sorted(in_force, key=lambda rule: (rule.kind != "directive", -len(rule.key), rule.number)):
        if rule.kind == "directive" or (rule.kind == "own" and not passed):
            shown.setdefault((rule.kind, rule.reference), rule)
    return list(shown.values())


def order_of(rule: Rule, basis: Mapping[str, object], now: int) -> Order:
    """What a rule and its basis (fields of `blocklists.directive`, or a list's description) tell a visitor at `now` (unix seconds).

    While disclosure is limited by law the statement of reasons is held back, and nothing else.
    """
    issuer, redress = _group(basis, "issuer"), _group(basis, "redress")
    limited = _group(basis, "nondisclosure")
    own = rule.kind != "directive"
    limited_until = _moment(limited, "until")
    if limited_until is not None and limited_until.timestamp() <= now:
        limited_until = None
    return Order(
        own=own,
        reference=rule.reference,
        listed=names.key_text(rule.key),
        subtree=rule.match == "subtree",
        verified=own or basis.get("verified") is not False,
        demonstration=basis.get("demonstration") is True,
        authority=_text(issuer, "authority"),
        contact=_text(issuer, "contact"),
        category=_text(basis, "category"),
        law=_text(basis, "legal_basis"),
        territory=_text(basis, "territorial_scope"),
        issued=_moment(basis, "issued_at"),
        since=_of_unix(rule.starts),
        until=_of_unix(rule.ends),
        review_due=_moment(basis, "review_due"),
        reviewer=_text(basis, "reviewer"),
        reasons={} if limited_until else _texts(basis, "reasons") or _texts(basis, "description"),
        limited_until=limited_until,
        limited_basis=_text(limited, "basis"),
        court=_text(redress, "court"),
        redress_url=_text(redress, "url"),
        redress_texts=_texts(redress, "text"),
        deadline_days=_number(redress, "deadline_days"),
    )


def link(text: str) -> str:
    """The target of a link to what an order gives as an address: http, https or mailto; empty for anything else, which is shown as text only."""
    if len(text) > 2000 or not text.isprintable() or " " in text:
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme in {"http", "https"}:
        return text if parts.netloc else ""
    if parts.scheme == "mailto":
        return text if "@" in parts.path else ""
    local, at, domain = text.partition("@")
    return f"mailto:{text}" if not parts.scheme and local and at and "." in domain and not set(text) & set("?&#/%") else ""


def in_language(texts: Mapping[str, str] | None, language: str) -> tuple[str, str]:
    """(language, text): in the visitor's language if there is one, else as the order gives it; two empty texts when it gives none."""
    if not texts:
        return "", ""
    for given, text in _first(
        texts, lambda given: given.lower() == language, lambda given: given.lower().partition("-")[0] == language, lambda _: True
    ):
        return given, text
    return "", ""


def _first(texts: Mapping[str, str], *tests: Callable[[str], bool]) -> Iterable[tuple[str, str]]:
    for test in tests:
        yield from ((given, text) for given, text in texts.items() if test(given))


def _group(basis: Mapping[str, object], field: str) -> Mapping[str, object]:
    value = basis.get(field)
    return value if isinstance(value, dict) else {}


def _text(basis: Mapping[str, object], field: str) -> str:
    value = basis.get(field)
    if isinstance(value, list | tuple):
        return "; ".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _texts(basis: Mapping[str, object], field: str) -> Mapping[str, str]:
    value = basis.get(field)
    if isinstance(value, str) and value:
        return {"": value}
    return {str(language): text for language, text in value.items() if isinstance(text, str) and text} if isinstance(value, dict) else {}


def _number(basis: Mapping[str, object], field: str) -> int | None:
    value = basis.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(basis: Mapping[str, object], field: str) -> datetime | None:
    value = basis.get(field)
    if isinstance(value, int) and not isinstance(value, bool):
        return _of_unix(value)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _of_unix(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (OverflowError, OSError, ValueError):
        return None
