"""What the page says, for programs: problem details (RFC 9457) with the same facts as the page for people, and nothing that it does not say.

A member is there with null where an order gives nothing. Times are RFC 3339 in UTC; texts come with the language that they are in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from landing import verdict
from landing.verdict import Order

PROOF = "/.well-known/redhand/proof/"
"""Under any Host: the listed name follows, and the answer is the proof file (`landing.proofs`)."""


def blocked(
    orders: Sequence[Order],
    alias: bool,
    languages: Sequence[str],
    *,
    detail: str,
    name: str,
    operator: str,
    operator_url: str,
    report: str,
    privacy: str,
    category: Callable[[Order], str],
) -> dict[str, object]:
    """The problem of a name that these orders block. `languages`: the visitor's, then those that stand in for it.

    451 where an authority ordered it (RFC 7725), 403 where only the operator chose it. `report`: where errors are reported; `privacy`: what is kept.
    `category`: our own words, in the visitor's language, for a category that no policy has words for; empty when there are none.
    """
    ordered = any(not order.own for order in orders)
    return {
        "type": "about:blank",
        "title": "Unavailable For Legal Reasons" if ordered else "Forbidden",
        "status": 451 if ordered else 403,
        "detail": detail,
        "name": name,
        "alias_of": orders[0].listed if alias else None,
        "operator": operator,
        "blocked_by": operator_url,
        "report": report,
        "privacy": privacy,
        "orders": [_order(order, languages, category(order)) for order in orders],
    }


def _order(order: Order, languages: Sequence[str], category: str) -> dict[str, object]:
    reasons = verdict.in_language(order.reasons, *languages)
    return {
        "kind": "own" if order.own else "directive",
        "reference": order.reference,
        "listed": order.listed,
        "match": "subtree" if order.subtree else "exact",
        "verified": order.verified,
        "demonstration": order.demonstration,
        "authority": order.authority or None,
        "contact": order.contact or None,
        "category": order.category or None,
        "ground": _said(order.ground or {languages[0]: category}, languages),
        "legal_basis": order.law or None,
        "territory": order.territory or None,
        "issued_at": _time(order.issued),
        "effective_at": _time(order.since),
        "expires_at": _time(order.until),
        "review_due": _time(order.review_due),
        "reviewer": order.reviewer or None,
        "reviewed": order.reviewed or bool(order.reviewer),
        "reasons": reasons[1] or None,
        "reasons_language": reasons[0] or None,
        "removal_request": {"sent_at": _time(order.asked), "deadline": _time(order.asked_until)} if order.asked else None,
        "owner_unidentifiable": order.unidentified,
        "emergency": order.emergency or None,
        "limited": {"until": _time(order.limited_until), "basis": order.limited_basis or None, "judge": order.limited_by or None}
        if order.limited_until
        else None,
        "redress": {
            "url": order.redress_url or None,
            "court": order.court or None,
            "deadline_days": order.deadline_days,
            "deadline": order.deadline.date().isoformat() if order.deadline else None,
            "text": _said(order.redress_texts, languages),
        },
        "restore_hours": order.restore_hours,
        "public_page": order.public_page or None,
        "proof": PROOF + order.listed if order.proof == "given" else None,
    }


def _said(texts: Mapping[str, str] | None, languages: Sequence[str]) -> dict[str, str | None] | None:
    language, text = verdict.in_language(texts, *languages)
    return {"language": language or None, "text": text} if text else None


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
