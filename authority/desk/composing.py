"""What an order says, from a case's facts, its timeline and the order before it. Nothing is written here, and no guard is asked.

A renewal or an amendment restates the whole order: by whom it is, and what was asked of the owner, stays as the first one said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority import orders, packets
from authority.desk import facts, guarding
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict
from authority.desk.evidence import keeping
from authority.desk.facts import instant
from authority.desk.guarding import Finding
from authority.desk.states import ORDERED
from authority.desk.tables import Case, Event, Order
from blocklists.directive import EMERGENCY_SECONDS, Directive
from blocklists.trust.policy import Epoch, Policy

What = Literal["block", "amend", "renew", "withdraw", "suspend", "confirm", "recommend"]
WHATS: tuple[What, ...] = get_args(What)
WHOLE = ("block", "amend", "renew")
"""Those that state a whole order, with targets."""
ACTION: dict[What, str] = {"renew": "amend", "confirm": "review", "recommend": "review"}
"""What the log calls them, where it is another word."""
HOUR = 3600
_BEFORE = ("removal_request", "owner_unidentifiable", "owner_unidentifiable_why", "emergency")
_ANNULLED = {"en": "A court has annulled this order: {court}, {date}.", "fr": "Une juridiction a annulé cette mesure : {court}, {date}."}


def document(
    session: Session, desk: Desk, case: Case, what: What, why: str, now: int, found: list[Finding], reasons: Mapping[str, str] | None
) -> dict[str, Any]:
    """The order as `authority.drafts` takes it. Raises BadField for what is missing or impossible, Conflict when there is none to follow."""
    rules = facts.policy(desk)
    newest = _newest(session, case)
    if what != "block" and newest is None:
        raise Conflict(f"case {case.number} has no order in the log to follow")
    stated = facts.of(case)
    if what not in WHOLE:
        assert newest is not None  # noqa: S101 - seen above
        return _following(session, case, what, why, now, newest, reasons, next(iter(stated.reasons or {}), "en"))
    if missing := [each for each in facts.missing(session, desk, case) if each != "removal_request" or newest is None]:
        raise BadField(missing[0], f"an order needs it; missing are: {', '.join(missing)}")
    followed = directive_of(newest) if newest is not None else None
    category = facts.category(rules, case)
    starts = now + round((stated.effective_hours or 0) * HOUR)
    clocks = category.clocks
    if isinstance(followed, Directive) and what == "amend":
        expires, review = (
            int(followed.expires_at.timestamp()) if followed.expires_at else 0,
            int(followed.review_due.timestamp()) if followed.review_due else None,
        )
    else:
        review = starts + (stated.review_days * 24 if stated.review_days else clocks.review_hours) * HOUR
        most = min(starts + category.max_days * 24 * HOUR, review + clocks.grace_hours * HOUR)
        expires = starts + stated.expires_days * 24 * HOUR if stated.expires_days else most
        if expires > most:
            raise BadField("expires_days", f"it may end by {instant(most)} at the latest: its review and the category's most say so")
        review = min(review, expires)
    hours = stated.enforce_hours if stated.enforce_hours is not None else clocks.operator_hours
    document: dict[str, Any] = {
        "id": _identity(session, case) if newest is None else newest.order_id,
        "action": ACTION.get(what, what),
        "issuer": _issuer(rules, stated, category.authorities, followed),
        "targets": [{"fqdn": each.name, "match": each.match} for each in case.names],
        "category": case.category,
        "legal_basis": stated.legal_basis or desk.procedure(session).category(case.category).legal_basis,
        "reasons": dict(stated.reasons or {}),
        "issued_at": instant(now),
        "effective_at": instant(starts),
        "enforce_by": instant(starts + round(hours * HOUR)),
        "review_due": instant(review) if review is not None else None,
        "expires_at": instant(expires),
        "reviewer": stated.reviewer,
        "territorial_scope": stated.territorial_scope,
        "guards": guarding.results(found),
        "redress": stated.redress.model_dump(mode="json", exclude_none=True) if stated.redress else None,
        "evidence": keeping.commitments(session, case) or None,
        "follows": newest.digest if newest is not None else None,
        **(_before(followed) if isinstance(followed, Directive) else facts.before(session, case)),
    }
    if stated.nondisclosure is not None:
        silence = stated.nondisclosure
        if not now < silence.until <= expires:
            raise BadField("nondisclosure.until", f"it ends with the order at the latest, {instant(expires)}, and after now")
        document["nondisclosure"] = {"until": instant(silence.until), "basis": silence.basis, "judge": silence.judge}
        if silence.judge is None:
            del document["nondisclosure"]["judge"]
    return {name: value for name, value in document.items() if value is not None}


def _following(
    session: Session, case: Case, what: What, why: str, now: int, newest: Order, reasons: Mapping[str, str] | None, language: str
) -> dict[str, Any]:
    said = dict(reasons or {language: why})
    common: dict[str, Any] = {"id": newest.order_id, "follows": newest.digest, "reasons": said, "issued_at": instant(now)}
    if what in ("confirm", "recommend"):
        return {**common, "decision": "confirm" if what == "confirm" else "recommend_withdrawal"}
    followed = directive_of(newest)
    assert isinstance(followed, Directive)  # noqa: S101 - `_newest` looks for these
    if what == "withdraw" and (court := _annulment(session, case)) is not None:
        where = {"court": str(court.details["court"]), "date": str(court.details["decided_at"])}
        if isinstance(court.details["decided_at"], int):
            where["date"] = instant(court.details["decided_at"])[:10]
        common["reasons"] = {each: f"{_ANNULLED.get(each[:2], _ANNULLED['en']).format(**where)} {text}" for each, text in said.items()}
    return {**common, "action": what, "issuer": _issuer_of(followed)}


def _newest(session: Session, case: Case) -> Order | None:
    """The newest whole order in the log of what stands; None before there is one, and once it has ended."""
    if case.state not in ORDERED:
        return None
    query = select(Order).where(Order.case_id == case.id, Order.log_index.is_not(None), Order.action.in_(("block", "amend")))
    return session.scalar(query.order_by(Order.log_index.desc()).limit(1))


def _identity(session: Session, case: Case) -> str:
    """A public id that was never published: the log takes a block of each once."""
    query = select(Order.order_id).where(Order.case_id == case.id, Order.action == "block", Order.log_index.is_not(None)).distinct()
    used = len(list(session.scalars(query)))
    return f"{case.number}.{used + 1}" if used else case.number


def _issuer(rules: Policy, stated: facts.Facts, able: Sequence[str], followed: orders.Order | None) -> dict[str, Any]:
    if isinstance(followed, Directive):
        return _issuer_of(followed)
    name = stated.authority or able[0]
    if name not in able:
        raise BadField("authority", f"{name} may not order in this category; it is open to: {', '.join(able)}")
    authority = rules.epochs[-1].authorities[name]
    return {"authority": authority.name, "contact": authority.contact}


def _issuer_of(followed: Directive) -> dict[str, Any]:
    return {"authority": followed.issuer.authority, "contact": followed.issuer.contact}


def _before(followed: Directive) -> dict[str, Any]:
    """What stood in the order that is followed: it was asked then."""
    document = followed.document()
    return {name: document[name] for name in _BEFORE if name in document}


def _annulment(session: Session, case: Case) -> Event | None:
    query = select(Event).where(Event.case_id == case.id, Event.step == "annul").order_by(Event.number.desc()).limit(1)
    return session.scalar(query)


def lapses_at(order: Directive) -> int | None:
    """When an emergency order ends unless the reviewer confirms it; None for others."""
    return order.starts + EMERGENCY_SECONDS if order.emergency is not None else None


def directive_of(order: Order) -> orders.Order:
    """What was drafted, read again."""
    return orders.read(packets.read(order.packet, "the order", bare=True).envelope, "the order")


def authority_of(order: Directive, epoch: Epoch) -> str | None:
    """The id in the policy of the authority that an order says it is of."""
    return next((each for each, authority in epoch.authorities.items() if authority.name == order.issuer.authority), None)
