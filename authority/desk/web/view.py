"""What the page of a case shows: the case, its clocks, what may be done with it now and by which form, and all that happened. Only reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authority.desk import appeals, clocks, delivery, error_reports, facts, ordering, recommendations, referrals, states
from authority.desk.clocks import Shown, Took
from authority.desk.desk import Desk
from authority.desk.errors import BadField
from authority.desk.roles import Actor
from authority.desk.states import ORDERED, State
from authority.desk.tables import Appeal, Case, ErrorReport, Event, Evidence, Grant, Message, Order, Person, Recommendation, Referral
from authority.desk.web.forms import FORMS, Form

EVENTS = 100
"""Steps that the page shows before it is asked for all."""
REFERRALS = 20
ALL = "All that wait"
"""What the choice of reports to answer calls all of them."""
FOLLOWERS: dict[str, tuple[str, ...]] = {
    "case.work": ("withdraw", "renew", "amend", "suspend"),
    "review.decide": ("suspend", "withdraw", "recommend"),
}
"""Orders that follow one in force, by what allows to draft them."""


@dataclass
class View:
    """One case, for its page."""

    case: Case
    officer: str
    """The name of who has it; empty: nobody."""
    main: dict[str, Form]
    """Forms that move the case on, by step."""
    more: dict[str, Form]
    choices: dict[str, list[tuple[str, str]]]
    """What lists that forms name hold: values and what they are called."""
    drafts: list[str]
    """Orders that may be drafted now."""
    missing: list[str]
    """What an order still lacks."""
    may_write: bool
    """Whether what the order will say may be written now."""
    running: list[Shown]
    """Clocks, the soonest first."""
    stopped: list[Shown]
    events: list[Event]
    """The newest first."""
    all_events: int
    orders: list[Order]
    referrals: list[Referral]
    all_referrals: int
    appeals: list[Appeal]
    reports: list[ErrorReport]
    """Of errors: those that wait first."""
    all_reports: int
    recommendations: list[Recommendation]
    messages: list[Message]
    evidence: int
    took: list[Took]
    """How long it was in each state."""


def look(session: Session, desk: Desk, actor: Actor, case: Case, now: int, whole: bool = False) -> View:
    """Everything on the page; `whole`: the whole timeline too."""
    steps = states.open_to(cast(State, case.state), actor)
    waiting = appeals.of_case(session, case, EVENTS)
    recommended = recommendations.of_case(session, case, EVENTS)
    open_appeals = [(each.reference, f"{each.reference} ({each.standing})") for each in waiting if each.decided_at is None]
    unanswered = [(str(each.id), each.why[:80]) for each in recommended if each.answered_at is None]
    unposted = [(str(each.id), f"{each.subject[:80]} ({each.recipient})") for each in delivery.by_hand(session, case)]
    reported = error_reports.of_case(session, case)
    unread = [each for each in reported if each.decided_at is None]
    open_reports = [(each.reference, f"{each.reference} ({each.operator})") for each in unread]
    if len(unread) > 1:
        open_reports.insert(0, (f"all-{unread[0].id}", ALL))
    about = {"decide_appeal": open_appeals, "answer_report": open_reports, "answer_recommendation": unanswered, "record_posted": unposted}
    forms = {step: form for step, form in FORMS.items() if step in steps and _makes_sense(step, case, about)}
    timed = clocks.shown(session, case, now)
    events = select(Event).where(Event.case_id == case.id).order_by(Event.number.desc())
    orders = ordering.orders_of(session, case)
    officer = session.get(Person, case.officer_id) if case.officer_id is not None else None
    return View(
        case=case,
        officer=officer.name if officer else "",
        main={step: form for step, form in forms.items() if form.main},
        more={step: form for step, form in forms.items() if not form.main},
        choices={
            "categories": [(name, name) for name in facts.categories(desk)] if "assess" in forms else [],
            "officers": _people(session) if "assign" in forms else [],
            "appeals": open_appeals,
            "reports": open_reports,
            "recommendations": unanswered,
            "messages": unposted,
        },
        drafts=_drafts(case, actor, steps),
        missing=_missing(session, desk, case) if actor.may("case.work") and "draft" in steps else [],
        may_write=actor.may("case.work") and case.state not in states.CLOSED | states.ENDING,
        running=[each for each in timed if each.ended_at is None],
        stopped=[each for each in timed if each.ended_at is not None],
        events=list(session.scalars(events if whole else events.limit(EVENTS))),
        all_events=session.scalar(select(func.count()).select_from(Event).where(Event.case_id == case.id)) or 0,
        orders=orders,
        referrals=referrals.of_case(session, case, REFERRALS),
        all_referrals=session.scalar(select(func.count()).select_from(Referral).where(Referral.case_id == case.id)) or 0,
        appeals=waiting,
        reports=reported,
        all_reports=session.scalar(select(func.count()).select_from(ErrorReport).where(ErrorReport.case_id == case.id)) or 0,
        recommendations=recommended,
        messages=delivery.of_case(session, case, EVENTS),
        evidence=session.scalar(select(func.count()).select_from(Evidence).where(Evidence.case_id == case.id)) or 0,
        took=clocks.took(session, case, now),
    )


def _makes_sense(step: str, case: Case, about: Mapping[str, list[tuple[str, str]]]) -> bool:
    """Whether a step that is open has anything to be about."""
    if step in about:
        return bool(about[step])
    match step:
        case "alert" | "stand_down":
            return case.urgent
        case "escalate":
            return not case.urgent
    return True


def _drafts(case: Case, actor: Actor, steps: list[str]) -> list[str]:
    found = ["block"] if "draft" in steps else []
    if "draft_follower" in steps and case.state in ORDERED:
        if actor.may("review.decide") and case.emergency:
            found.append("confirm")
        found += [each for action, able in FOLLOWERS.items() if actor.may(action) for each in able]  # type: ignore[arg-type]
        if case.state == "suspended":
            found = [each for each in found if each != "suspend"]
    return list(dict.fromkeys(found))


def _missing(session: Session, desk: Desk, case: Case) -> list[str]:
    try:
        return facts.missing(session, desk, case)
    except BadField as error:
        return [error.field]


def _people(session: Session) -> list[tuple[str, str]]:
    able = select(Grant.id).where(Grant.person_id == Person.id, Grant.role.in_(("clerk", "officer")), Grant.ended_at.is_(None)).exists()
    found = session.execute(select(Person.login, Person.name).where(Person.ended_at.is_(None), able).order_by(Person.name))
    return [(login, name) for login, name in found]
