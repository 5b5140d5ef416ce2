"""Appeals: somebody objects to an order, is told that we have it and by when they are answered, and is answered with reasons.

An appeal outlives its order: who objected to what has ended is answered all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from authority.desk import alerts, outbox, referrals, speaking, steps, texts
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, NotFound
from authority.desk.roles import Actor
from authority.desk.tables import Appeal, Case, Clock, Event, Grant, Order, Person
from authority.desk.wording import Kind
from authority.desk.words import clean

Standing = Literal["owner", "host", "visitor", "other"]
STANDINGS: tuple[Standing, ...] = get_args(Standing)
Decision = Literal["upheld", "lifted", "amended"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
LIMIT = 50
"""Appeals on a page."""


class Answered(NamedTuple):
    """What who has an appeal's reference may know."""

    reference: str
    filed_at: int
    due_at: int | None
    """By when it is decided; None once it is."""
    decided_at: int | None
    decision: str | None
    answer: str


class Waiting(NamedTuple):
    """One page of what nobody has decided."""

    rows: list[tuple[Appeal, Case]]
    due_at: dict[str, int]
    """By reference."""
    after: str
    """Where the next page begins; empty: this is the last."""


def waiting(session: Session, actor: Actor, after: str = "", limit: int = LIMIT) -> Waiting:
    """Undecided ones, the oldest first, from after the place that the page before gave. Raises Forbidden, BadField."""
    actor.require("case.list")
    query = select(Appeal, Case).join(Case, Case.id == Appeal.case_id).where(Appeal.decided_at.is_(None))
    if after:
        filed, _, number = after.partition(".")
        if not all(each.isascii() and each.isdigit() and len(each) < 19 for each in (filed, number)):
            raise BadField("after", f"{after[:40]!r} is no place in this list; begin at its first page")
        query = query.where(tuple_(Appeal.filed_at, Appeal.id) > (int(filed), int(number)))
    found = [(each, case) for each, case in session.execute(query.order_by(Appeal.filed_at, Appeal.id).limit(limit + 1))]
    rows = found[:limit]
    # Which of them run is asked here, not of SQLite: it would look through every clock of the desk that runs.
    clocks = select(Clock.subject, Clock.due_at, Clock.ended_at).where(Clock.case_id.in_([case.id for _, case in rows]))
    due_at = {row.subject: row.due_at for row in session.execute(clocks) if row.ended_at is None}
    last = rows[-1][0] if len(found) > limit else None
    return Waiting(rows, due_at, f"{last.filed_at}.{last.id}" if last else "")


def of_case(session: Session, case: Case, limit: int = 100) -> list[Appeal]:
    """A case's appeals, the newest first."""
    return list(session.scalars(select(Appeal).where(Appeal.case_id == case.id).order_by(Appeal.id.desc()).limit(limit)))


def status(session: Session, reference: str) -> Answered:
    """What came of an appeal, for who has its reference. Raises NotFound."""
    row = find(session, reference)
    running = select(func.max(Clock.due_at)).where(Clock.case_id == row.case_id, Clock.name == "appeal", Clock.subject == row.reference)
    due = session.scalar(running) if row.decided_at is None else None
    return Answered(row.reference, row.filed_at, due, row.decided_at, row.decision, row.answer)


def find_by_order(session: Session, order_id: str) -> Case:
    """The case of an order's public id, whether or not it is the newest there. Raises NotFound."""
    case = session.scalar(select(Case).where(Case.order_id == order_id)) or session.scalar(
        select(Case).join(Order, Order.case_id == Case.id).where(Order.order_id == order_id, Order.published_at.is_not(None)).limit(1)
    )
    if case is None:
        raise NotFound(f"there is no order {order_id[:64]}")
    return case


def find(session: Session, reference: str) -> Appeal:
    """The appeal with a reference. Raises NotFound."""
    row = session.scalar(select(Appeal).where(Appeal.reference == reference.strip().upper()[:32]))
    if row is None:
        raise NotFound("there is no appeal with this reference")
    return row


def file(
    session: Session,
    desk: Desk,
    actor: Actor,
    number: str,
    standing: str,
    words: str,
    why: str,
    now: int,
    *,
    contact: str = "",
    language: str | None = None,
    version: int | None = None,
) -> Appeal:
    """Takes one in, and says so to the contact, if there is one; without a language, `speaking.of_case`. The answer comes in the same."""
    if standing not in STANDINGS:
        raise BadField("standing", f"{standing[:20]!r} is none; write one of {', '.join(STANDINGS)}")
    words = clean(words, "words", 20_000)
    if not words:
        raise BadField("words", "say what is wrong with the order")
    contact = outbox.address(contact, "contact") if contact.strip() else ""
    case = steps.find(session, number)
    row = Appeal(case_id=case.id, reference=referrals.reference(), standing=standing, contact=contact, words=words, filed_at=now)
    language = language or speaking.of_case(session, desk, case, "appeal_filed")
    steps.step(session, desk, actor, number, "file_appeal", why, now, version, appeal=row.reference, standing=standing, language=language)
    session.add(row)
    case.appeals += 1
    session.flush()
    running = select(func.max(Clock.due_at)).where(Clock.case_id == case.id, Clock.name == "appeal", Clock.subject == row.reference)
    due = session.scalar(running) or now
    _tell(session, desk, case, row, "appeal_filed", language, now, due=due)
    return row


def decide(
    session: Session,
    desk: Desk,
    actor: Actor,
    reference: str,
    decision: str,
    answer: str,
    why: str,
    now: int,
    *,
    language: str | None = None,
    version: int | None = None,
) -> Appeal:
    """`upheld`: the order stands; `lifted`: it is withdrawn, and `amended`: amended, each within a clock. `answer` is what the appellant reads.

    Who signed the order does not decide about it while an officer is there who did not; where none is, the timeline says so. Raises Conflict.
    """
    row = find(session, reference)
    if decision not in DECISIONS:
        raise BadField("decision", f"{decision[:20]!r} is none; write one of {', '.join(DECISIONS)}")
    answer = clean(answer, "answer", 20_000)
    if not answer:
        raise BadField("answer", "say to who objected why it is decided so")
    if row.decided_at is not None:
        raise Conflict(f"appeal {row.reference} was decided already: {row.decision}")
    case = session.get_one(Case, row.case_id)
    own = _own(session, case, actor)
    steps.step(session, desk, actor, case.number, "decide_appeal", why, now, version, appeal=row.reference, decision=decision, **own)
    row.decided_at, row.decision, row.answer = now, decision, answer
    case.appeals -= 1
    redress = case.facts.get("redress") or {}
    said = {"decision": decision, "answer": answer, "redress": str(redress.get("court") or ""), "days": int(redress.get("deadline_days") or 0)}
    language = language or speaking.of_appeal(session, desk, case, row.reference)
    _tell(session, desk, case, row, "appeal_decided", language, now, **said)
    return row


def _own(session: Session, case: Case, actor: Actor) -> dict[str, str]:
    """Nothing, or what the timeline says when who decides has signed the order: no other officer is there. Raises Conflict while one is."""
    officers = select(Person).join(Grant, Grant.person_id == Person.id)
    active = officers.where(Grant.role == "officer", Grant.ended_at.is_(None), Person.ended_at.is_(None)).order_by(Person.login)
    people = {person.id: person for person in session.scalars(active)}
    signed = _signers(session, case, people.values())
    if actor.person not in signed:
        return {}
    if others := [person.login for number, person in people.items() if number not in signed]:
        raise Conflict(f"{actor.name} signed the order that the appeal is about; another officer decides it: {', '.join(others[:10])}")
    return {"own_order": "signed"}


def _signers(session: Session, case: Case, people: Iterable[Person]) -> set[int]:
    """Those of these people whose office signed an order of the case that blocks; for one without an office, who brought a signature."""
    ending = set(session.scalars(select(Order.digest).where(Order.case_id == case.id, Order.action.not_in(("block", "amend")))))
    added = session.execute(select(Event.who, Event.details).where(Event.case_id == case.id, Event.step == "add_signature")).all()
    found = [(who, str(details.get("office"))) for who, details in added if details.get("digest") not in ending]
    offices, brought = {office for _, office in found}, {who for who, _ in found}
    return {person.id for person in people if (person.office in offices if person.office else person.login in brought)}


def _tell(session: Session, desk: Desk, case: Case, row: Appeal, kind: Kind, language: str, now: int, **said: object) -> None:
    if row.contact:
        values = {**alerts.values(desk, case), "url": desk.settings.url, "reference": row.reference}
        text = texts.render(session, desk, kind, language, **values, **said)
        outbox.post(session, desk, kind, row.contact, text.subject, text.body, now, case=case)
