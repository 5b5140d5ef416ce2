"""What the forms of the case page ask for, done: each calls the service that the API and the commands call too. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from authority.desk import annulment, appeals, cases, delivery, emergencies, error_reports, notices, recommendations, removal
from authority.desk.desk import Desk
from authority.desk.errors import BadField, NotFound
from authority.desk.roles import Actor

Given = Mapping[str, str]
"""Fields of a form, trimmed."""
Act = Callable[[Session, Desk, Actor, str, Given, int, int | None], object]


def act(desk: Desk, actor: Actor, number: str, step: str, given: Given) -> None:
    """Does what the form of a step asks for, in one transaction. Raises NotFound for a step that has no form; whatever its service raises.

    Only for who may read cases: some steps are open to strangers too, who refer and appeal, and are answered by a reference, not by the case.
    """
    actor.require("case.read")
    found = _ACTS.get(step)
    if found is None:
        raise NotFound(f"the step {step[:40]!r} has no form")
    with desk.store.writing() as session:
        found(session, desk, actor, number, given, desk.now(), version_of(given))


def version_of(given: Given) -> int | None:
    """How many steps the case had taken when its page was made; None when the form does not say. Raises BadField."""
    text = given.get("version", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadField("version", "it is no number; open the case's page again")
    return int(text)


def names_of(text: str) -> list[tuple[str, str]]:
    """The names in a text, one a line; a dot in front means: with all names below it."""
    lines = [line.strip() for line in text.splitlines()]
    return [(line.removeprefix("."), "subtree" if line.startswith(".") else "exact") for line in lines if line]


def date_of(given: Given, field: str) -> int:
    """Midnight, UTC, of a day that a form names. Raises BadField."""
    try:
        return int(datetime.strptime(given.get(field, ""), "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise BadField(field, "it is no day; write it as 2026-03-31") from None


def moment_of(given: Given, field: str, otherwise: int) -> int:
    """A minute, UTC, that a form names; `otherwise` when the field is empty. Raises BadField."""
    text = given.get(field, "")
    if not text:
        return otherwise
    try:
        return int(datetime.strptime(text[:16], "%Y-%m-%dT%H:%M").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise BadField(field, "it is no time; write it as 2026-03-31T09:30") from None


def hours_of(given: Given, field: str) -> float | None:
    """A number of hours; None when the field is empty. Raises BadField."""
    text = given.get(field, "").replace(",", ".")
    if not text:
        return None
    try:
        hours = float(text)
    except ValueError:
        raise BadField(field, "it is no number of hours") from None
    if not 0 < hours <= 8784:
        raise BadField(field, "write more than none, and a year at most")
    return hours


def _request_removal(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
    hours = hours_of(given, "hours")
    return removal.request(
        session,
        desk,
        actor,
        number,
        given.get("recipient", ""),
        given.get("kind", ""),
        given.get("why", ""),
        now,
        deadline=None if hours is None else now + round(hours * 3600),
        language=given.get("language") or None,
        version=version,
    )


def _assess(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
    category, finding = given.get("category", ""), given.get("finding", "")
    return cases.assess(session, desk, actor, number, category, finding, given.get("why", ""), now, version=version)


def _file_appeal(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
    standing, words, why = given.get("standing", ""), given.get("words", ""), given.get("why", "")
    return appeals.file(session, desk, actor, number, standing, words, why, now, contact=given.get("contact", ""), version=version)


def _decide_appeal(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
    reference, decision, answer = given.get("appeal", ""), given.get("decision", ""), given.get("answer", "")
    return appeals.decide(session, desk, actor, reference, decision, answer, given.get("why", ""), now, version=version)


def _answer_reports(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
    which, decision, answer = given.get("report", ""), given.get("decision", ""), given.get("answer", "")
    language, why = given.get("language", ""), given.get("why", "")
    return error_reports.answer(session, desk, actor, number, which, decision, answer, language, why, now, version=version)


def _annul(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
    decided_at, reference = date_of(given, "decided_at"), given.get("reference", "")
    court, why = given.get("court", ""), given.get("why", "")
    return annulment.annul(session, desk, actor, number, court, decided_at, why, now, reference=reference, version=version)


def _answer(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
    text = given.get("recommendation", "")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadField("recommendation", "choose one")
    return recommendations.answer(session, desk, actor, int(text), given.get("answer", ""), given.get("why", ""), now, version=version)


def _notify(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
    occasion, recipient = given.get("occasion", ""), given.get("recipient", "")
    return notices.notify_owner(session, desk, actor, number, occasion, recipient, given.get("why", ""), now, version=version)


def _posted(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
    text, hours = given.get("message", ""), hours_of(given, "hours")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadField("message", "choose one")
    at = None if hours is None else now - round(hours * 3600)
    return delivery.posted(session, desk, actor, number, int(text), given.get("why", ""), now, posted_at=at, version=version)


def _plain(service: Callable[..., object], *fields: str) -> Act:
    """A service that takes these fields of the form, then why."""

    def done(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
        return service(session, desk, actor, number, *(given.get(field, "") for field in fields), given.get("why", ""), now, version=version)

    return done


def _set_names(session: Session, desk: Desk, actor: Actor, number: str, given: Given, now: int, version: int | None) -> object:
    return cases.set_names(session, desk, actor, number, names_of(given.get("names", "")), given.get("why", ""), now, version=version)


_ACTS: dict[str, Act] = {
    "assess": _assess,
    "request_removal": _request_removal,
    "record_posted": _posted,
    "record_removed": _plain(removal.removed),
    "record_refusal": _plain(removal.refused),
    "owner_unidentifiable": _plain(removal.unidentifiable),
    "declare_emergency": _plain(emergencies.declare, "ground"),
    "dismiss": _plain(cases.dismiss),
    "recheck": _plain(cases.recheck, "found"),
    "decide_appeal": _decide_appeal,
    "answer_report": _answer_reports,
    "answer_recommendation": _answer,
    "recommend_withdrawal": _plain(recommendations.recommend),
    "alert": _plain(cases.alert, "told"),
    "restored": _plain(cases.restored),
    "reopen": _plain(cases.reopen),
    "assign": _plain(cases.assign, "officer"),
    "note": _plain(cases.note),
    "set_names": _set_names,
    "escalate": _plain(cases.escalate),
    "stand_down": _plain(cases.stand_down),
    "notify_owner": _notify,
    "owner_not_notified": _plain(notices.not_notified, "occasion"),
    "file_appeal": _file_appeal,
    "annul": _annul,
    "refer_to_court": _plain(recommendations.to_court, "court"),
}
