"""Whom an order concerns is told when it begins, changes and ends, or the timeline says why not.

Who was asked to remove is who is told. Where nobody could be found, that is the reason; where an order may not be disclosed yet, that, and until
when. In every other case a person decides, and a clock (`owner_block`, `owner_lift`) sees to it.
"""

from __future__ import annotations

import logging
from typing import Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import alerts, facts, outbox, removal, speaking, steps, texts
from authority.desk.desk import Desk
from authority.desk.errors import BadField, DeskError
from authority.desk.roles import CLOCK, Actor
from authority.desk.tables import Case, Event
from authority.desk.wording import Kind

Occasion = Literal["block", "amend", "suspend", "lift"]
OCCASIONS: tuple[Occasion, ...] = get_args(Occasion)
_OF_STEP: dict[str, Occasion] = {
    "publish": "block",
    "published_elsewhere": "block",
    "amend": "amend",
    "renew": "amend",
    "suspend": "suspend",
    "withdraw": "lift",
    "expire": "lift",
    "lapse": "lift",
}
_log = logging.getLogger("authority.desk")
_KINDS: dict[str, Kind] = {"block": "owner_block", "amend": "owner_amend", "suspend": "owner_suspend", "lift": "owner_lift"}


def notify_owner(
    session: Session,
    desk: Desk,
    actor: Actor,
    number: str,
    occasion: str,
    recipient: str,
    why: str,
    now: int,
    *,
    language: str | None = None,
    version: int | None = None,
) -> Case:
    """Tells them by a message that leaves at once; without a language, in the one in which they were asked to remove (`speaking.of_owner`)."""
    _check(occasion)
    case = steps.find(session, number)
    language = language or speaking.of_owner(session, desk, case, _KINDS[occasion])
    steps.require_version(case, version)
    redress = case.facts.get("redress") or {}
    reasons = case.facts.get("reasons") or {}
    said = {
        **alerts.values(desk, case),
        "order": case.order_id or "",
        "reasons": str(reasons.get(language) or reasons.get(language.partition("-")[0]) or next(iter(reasons.values()), "") or case.category),
        "redress": str(redress.get("url") or ""),
        "days": int(redress.get("deadline_days") or 0),
    }
    text = texts.render(session, desk, _KINDS[occasion], language, **said)
    message = outbox.post(session, desk, _KINDS[occasion], recipient, text.subject, text.body, now, case=case)
    details = {"occasion": occasion, "recipient": message.recipient, "message": message.identity}
    steps.take(session, case, "notify_owner", actor, why, now, desk.procedure(session), **details)
    return case


def not_notified(
    session: Session,
    desk: Desk,
    actor: Actor,
    number: str,
    occasion: str,
    why: str,
    now: int,
    *,
    until: int | None = None,
    version: int | None = None,
) -> Case:
    """They are not told, and `why`; `until` (unix seconds): then they may be, and the clock `disclose` says so."""
    _check(occasion)
    said = {} if until is None else {"until": until}
    return steps.step(session, desk, actor, number, "owner_not_notified", why, now, version, occasion=occasion, **said)


def follow(session: Session, desk: Desk, case: Case, step: str, now: int) -> None:
    """Tells them of a step that was just taken, in its transaction, if it is one to be told. What fails here undoes nothing: a clock waits for it."""
    occasion = _OF_STEP.get(step)
    if occasion is None:
        return
    try:
        with session.begin_nested():
            _of_itself(session, desk, case, occasion, now)
    except DeskError:
        _log.exception("case %s: whom it concerns could not be told of %s", case.number, occasion)


def _of_itself(session: Session, desk: Desk, case: Case, occasion: Occasion, now: int) -> None:
    secret = case.facts.get("nondisclosure") or {}
    until = int(secret["until"]) if isinstance(secret.get("until"), int) else 0
    known = session.scalar(select(Event.id).where(Event.case_id == case.id, Event.step == "notify_owner").limit(1))
    if until > now and known is None:
        why = f"not to be disclosed: {secret.get('basis') or 'no basis recorded'}"
        not_notified(session, desk, CLOCK, case.number, occasion, why, now, until=until)
    elif recipient := removal.owner(session, case):
        notify_owner(session, desk, CLOCK, case.number, occasion, recipient, "who was asked to remove is told", now)
    elif unknown := facts.before(session, case).get("owner_unidentifiable_why"):
        not_notified(session, desk, CLOCK, case.number, occasion, f"nobody can be told: {unknown}"[:2000], now)


def _check(occasion: str) -> None:
    if occasion not in OCCASIONS:
        raise BadField("occasion", f"{occasion[:20]!r} is none; write one of {', '.join(OCCASIONS)}")
