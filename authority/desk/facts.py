"""What a case's next order will say, as people write it before it is drafted: ground, reasons, redress, times, silence. Kept in `Case.facts`.

What was asked of the owner is no fact of this kind: the timeline says it, and nobody can write it otherwise (`before`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from authority import repository
from authority.desk import audit, steps
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict
from authority.desk.roles import Actor
from authority.desk.states import CLOSED, ENDING
from authority.desk.tables import Case, Event
from authority.errors import AuthorityError
from blocklists.directive import Language, Line, Part, Redress, Text, show_time
from blocklists.trust.policy import Category, Policy

Hours = Annotated[float, Field(ge=0, le=8784)]


class Silence(Part):
    """That operators and visitors are not told who is concerned, and until when."""

    until: Annotated[int, Field(gt=0, lt=1 << 32)]
    """Unix seconds."""
    basis: Line
    judge: Line | None = None
    """The court's decision that orders it: which, when, under which number. Without one, the reviewer signs the order too."""


class Facts(Part):
    """All of them; what is absent has a default from the procedure or the policy, or is missing."""

    authority: Line | None = None
    """Its id in the policy; by default the first that may order the category."""
    legal_basis: Line | None = None
    reasons: dict[Language, Text] | None = None
    redress: Redress | None = None
    reviewer: Line | None = None
    """Who reviews, as the page says it."""
    territorial_scope: Line | None = None
    effective_hours: Hours | None = None
    """From the draft until the order takes effect: room for signing. By default none."""
    enforce_hours: Hours | None = None
    """From then until every operator has it in force; by default the policy's."""
    review_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    expires_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    """By default as long as the review and its grace allow, within the category's most."""
    nondisclosure: Silence | None = None


def of(case: Case) -> Facts:
    """The facts of a case. Raises BadField when an older version of them no longer fits."""
    return _load(case.facts)


def set_facts(
    session: Session, desk: Desk, actor: Actor, number: str, given: Mapping[str, Any], why: str, now: int, version: int | None = None
) -> Case:
    """Writes these facts over those that stand; one given as None or empty goes. The timeline names which. That a judge decided on
    silence an officer writes. Raises BadField, Conflict, Forbidden."""
    actor.require("case.work")
    case = steps.find(session, number)
    steps.require_version(case, version)
    _check_open(case)
    merged = {**case.facts, **given}
    found = _load({name: value for name, value in merged.items() if value not in (None, "", {}, [])})
    before, after = case.facts, found.model_dump(mode="json", exclude_none=True)
    if (found.nondisclosure and found.nondisclosure.judge) != (before.get("nondisclosure") or {}).get("judge"):
        actor.require("case.decide")  # it stands in for the reviewer's signature
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if not changed:
        return case
    case.facts = after
    audit.record(session, actor, "case.facts", f"case:{case.number}", now, fields=changed)
    steps.take(session, case, "note", actor, why, now, desk.procedure(session), facts=changed)
    return case


def missing(session: Session, desk: Desk, case: Case) -> list[str]:
    """The fields without which no order can be drafted."""
    facts = of(case)
    found = [name for name in ("reasons", "redress") if getattr(facts, name) is None]
    if not (facts.legal_basis or desk.procedure(session).category(case.category).legal_basis):
        found.append("legal_basis")
    if not case.category:
        found.append("category")
    if not case.names:
        found.append("targets")
    if not before(session, case):
        found.append("removal_request")
    return sorted(found)


def before(session: Session, case: Case) -> dict[str, Any]:
    """What was asked of the owner before, or why not, in the directive's fields; by the timeline since it was opened last. Empty: nothing yet.

    A request that has not left was never made: a refusal alone, however it came, is no proof that somebody was asked.
    """
    answer: Event | None = None
    other: dict[str, Any] = {}
    recipients: dict[str, str] = {}
    sent: tuple[str, int, int] | None = None
    for event in session.scalars(select(Event).where(Event.case_id == case.id).order_by(Event.number)):
        details = event.details
        match event.step:
            case "reopen" | "abandon_draft":
                answer, other, sent = None, {}, None
            case "request_removal":
                recipients[str(details.get("message"))] = str(details.get("recipient", ""))
            case "request_sent":  # the deadline runs from here
                recipient = recipients.get(str(details.get("message")), "")
                sent = (recipient, int(details.get("sent_at", event.at)), int(details["deadline"]))
            case "deadline_passed" | "record_refusal":
                answer, other = event, {}
            case "owner_unidentifiable":
                answer, other = None, {"owner_unidentifiable": True, "owner_unidentifiable_why": line(event.why)}
            case "declare_emergency":
                answer, other = None, {"emergency": {"ground": line(str(details.get("ground") or event.why))}}
    if answer is None or sent is None:
        return other
    outcome = line(f"refused: {answer.why}") if answer.step == "record_refusal" else "no answer by the deadline"
    said = {"sent_at": instant(sent[1]), "recipient": line(sent[0]), "deadline": instant(sent[2]), "outcome": outcome}
    return {"removal_request": said}


def policy(desk: Desk) -> Policy:
    """The policy that is published. Raises AuthorityError before the first publication."""
    return repository.published(desk.places).policy


def categories(desk: Desk) -> list[str]:
    """Those of the published policy; none before the first publication."""
    try:
        return sorted(policy(desk).epochs[-1].categories)
    except AuthorityError:
        return []


def category(rules: Policy, case: Case) -> Category:
    """The case's category in the policy. Raises BadField when it is in none."""
    found = rules.epochs[-1].categories.get(case.category)
    if found is None:
        raise BadField("category", f"the policy has no category {case.category!r}; it has: {', '.join(sorted(rules.epochs[-1].categories))}")
    return found


def instant(seconds: int) -> str:
    """A time as a directive writes it."""
    return show_time(datetime.fromtimestamp(seconds, UTC))


def _check_open(case: Case) -> None:
    if case.state in CLOSED | ENDING:
        raise Conflict(f"case {case.number} is {case.state}, and no order follows; open it again first")


def _load(document: Mapping[str, Any]) -> Facts:
    try:
        return Facts.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(map(str, fault["loc"])) or "facts"
        raise BadField(field[:80], fault["msg"].removeprefix("Value error, ")[:300]) from None


def line(text: str) -> str:
    """A text as one line of a directive: white space made one space, other controls left out, cut at 500 characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:500]
