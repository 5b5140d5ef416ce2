"""What the page may say of a name: which rules speak, and what each one's basis tells a visitor. Pure: a version's index and `now` in, orders out.

A basis was verified when it entered the version; here it is read, never judged. What it lacks is left out of the page rather than made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote, urlsplit

from blocklists import names
from blocklists.index import Index, Rule
from landing.ground import NOTHING, Words


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
    """Its id, such as terrorism."""
    ground: Mapping[str, str] | None = None
    """The authority's own words for its category, by language."""
    law: str = ""
    territory: str = ""
    issued: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    review_due: datetime | None = None
    reviewer: str = ""
    reviewed: bool = False
    """Whether somebody independent may suspend the order, named or not."""
    reasons: Mapping[str, str] | None = None
    asked: datetime | None = None
    """When the host or publisher was asked to remove the content."""
    asked_until: datetime | None = None
    """By when."""
    unidentified: bool = False
    """Whether nobody was found who could be asked."""
    emergency: str = ""
    """Why nobody was asked first."""
    limited_until: datetime | None = None
    """Until when the law keeps some of it from the public; None when nothing is kept, or not any more."""
    limited_basis: str = ""
    limited_by: str = ""
    """The court's decision that keeps it."""
    court: str = ""
    redress_url: str = ""
    redress_texts: Mapping[str, str] | None = None
    deadline_days: int | None = None
    restore_hours: int | None = None
    """Within how many hours of a withdrawal access must be restored."""
    public_page: str = ""
    """Address of its page at the authority."""
    proof: Literal["none", "given", "limited", "others"] = "none"
    """Whether the page's own server gives the signed order with its proof: nothing signed is there; yes; the law keeps it; it names others' sites."""

    @property
    def deadline(self) -> datetime | None:
        """The last day for contesting it, as its beginning in UTC, counted from the day of the order."""
        if self.issued is None or self.deadline_days is None:
            return None
        day = self.issued.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        try:
            return day + timedelta(days=self.deadline_days)
        except OverflowError:
            return None


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


def order_of(rule: Rule, basis: Mapping[str, object], now: int, words: Words = NOTHING, alone: bool = True) -> Order:
    """What a rule and its basis (fields of `blocklists.directive`, or a list's description) tell a visitor at `now` (unix seconds).

    `words`: what the policy says of it. `alone`: whether the order names sites of one owner only. While disclosure is limited by law, what led to the
    order is held back: the statement of reasons, what was done before it, and the signed text itself; nothing else.
    """
    issuer, redress = _group(basis, "issuer"), _group(basis, "redress")
    own = rule.kind != "directive"
    limited = _group(basis, "nondisclosure")
    limited_until = _moment(limited, "until")
    if limited_until is not None and limited_until.timestamp() <= now:
        limited_until = None
    signed = basis.get("layer") == "orders" and basis.get("verified") is True
    before = {} if limited_until else basis
    asked = _group(before, "removal_request")
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
        ground=words.category,
        law=_text(basis, "legal_basis"),
        territory=_text(basis, "territorial_scope"),
        issued=_moment(basis, "issued_at"),
        since=_of_unix(rule.starts),
        until=_of_unix(rule.ends),
        review_due=_moment(basis, "review_due"),
        reviewer=_text(basis, "reviewer"),
        reviewed=words.reviewed,
        reasons=_texts(before, "reasons") or _texts(before, "description"),
        asked=_moment(asked, "sent_at"),
        asked_until=_moment(asked, "deadline"),
        unidentified=before.get("owner_unidentifiable") is True,
        emergency=_text(_group(before, "emergency"), "ground"),
        limited_until=limited_until,
        limited_basis=_text(limited, "basis"),
        limited_by=_text(limited, "judge"),
        court=_text(redress, "court"),
        redress_url=_text(redress, "url"),
        redress_texts=_texts(redress, "text"),
        deadline_days=_number(redress, "deadline_days"),
        restore_hours=words.restore_hours,
        public_page=words.register + quote(rule.reference) if words.register else "",
        proof="none" if own or not signed else "limited" if limited_until else "given" if alone else "others",
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


def in_language(texts: Mapping[str, str] | None, *languages: str) -> tuple[str, str]:
    """(language, text): in the first of these languages that there is, else as it comes; two empty texts when there is none."""
    given = texts or {}
    for language in languages:
        for tag in (*(tag for tag in given if tag.lower() == language), *(tag for tag in given if tag.lower().partition("-")[0] == language)):
            return tag, given[tag]
    return next(iter(given.items()), ("", ""))


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
