"""What officers and clerks do with a case beside asking, ordering and answering: look, name, give to somebody, close, mark as urgent."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import alerts, facts, steps
from authority.desk.desk import Desk
from authority.desk.errors import BadField, DeskError
from authority.desk.roles import Actor
from authority.desk.tables import Case, CaseName, Grant, Person
from authority.desk.words import clean
from blocklists import names
from blocklists.errors import BadName

MOST_NAMES = 1000
"""Of one order."""
CATEGORY = 64


def name_of(text: str, field: str = "names") -> str:
    """A name as it is kept: A-labels, lower case, no last dot. Raises BadField."""
    try:
        return names.to_text(names.listed(text.strip()))
    except BadName as error:
        raise BadField(field, str(error)) from None


def assess(
    session: Session, desk: Desk, actor: Actor, number: str, category: str, finding: str, why: str, now: int, *, version: int | None = None
) -> Case:
    """What the content is found to be: its category in the policy, and the finding in a line. It may be corrected until somebody is asked.

    Raises BadField for a category that the published policy does not have: no order could ever be made of the case.
    """
    case = steps.find(session, number)
    category = clean(category, "category", CATEGORY, line=True)
    known = facts.categories(desk)
    if category and known and category not in known:
        raise BadField("category", f"{category[:40]!r} is none of the policy's; take one of {', '.join(known)}")
    finding = clean(finding, "finding", 2000)
    before, case.category = case.category, category  # its clocks go by it
    try:
        return steps.step(session, desk, actor, number, "assess", why, now, version, category=category, finding=finding)
    except DeskError:
        case.category = before
        raise


def dismiss(session: Session, desk: Desk, actor: Actor, number: str, why: str, now: int, *, version: int | None = None) -> Case:
    """Nothing is to be done."""
    return steps.step(session, desk, actor, number, "dismiss", why, now, version)


def reopen(session: Session, desk: Desk, actor: Actor, number: str, why: str, now: int, *, version: int | None = None) -> Case:
    """It was closed, and must be looked at again."""
    return steps.step(session, desk, actor, number, "reopen", why, now, version)


def note(session: Session, desk: Desk, actor: Actor, number: str, why: str, now: int, *, version: int | None = None) -> Case:
    """Something worth remembering."""
    return steps.step(session, desk, actor, number, "note", why, now, version)


def recheck(session: Session, desk: Desk, actor: Actor, number: str, found: str, why: str, now: int, *, version: int | None = None) -> Case:
    """The content was looked at again: `still` there, `gone`, or `unclear`. When it is gone, the order must be withdrawn within a clock."""
    if found not in ("still", "gone", "unclear"):
        raise BadField("found", f"{found[:40]!r} is none; write still, gone or unclear")
    return steps.step(session, desk, actor, number, "recheck", why, now, version, found=found)


def restored(session: Session, desk: Desk, actor: Actor, number: str, why: str, now: int, *, version: int | None = None) -> Case:
    """Operators have restored the names: said by an officer, where receipts do not say so by themselves."""
    return steps.step(session, desk, actor, number, "restored", why, now, version)


def assign(session: Session, desk: Desk, actor: Actor, number: str, login: str, why: str, now: int, *, version: int | None = None) -> Case:
    """Gives it to somebody who may work on cases."""
    case = steps.find(session, number)
    able = select(Grant.id).where(Grant.person_id == Person.id, Grant.role.in_(("clerk", "officer")), Grant.ended_at.is_(None)).exists()
    person = session.scalar(select(Person).where(Person.login == login, Person.ended_at.is_(None), able))
    if person is None:
        raise BadField("officer", f"{login[:64]!r} is no clerk or officer here")
    steps.step(session, desk, actor, number, "assign", why, now, version, officer=person.login)
    case.officer_id = person.id
    return case


def set_names(
    session: Session, desk: Desk, actor: Actor, number: str, given: Sequence[tuple[str, str]], why: str, now: int, *, version: int | None = None
) -> Case:
    """The names that the case is about, each with `exact` or `subtree`: all of them, in place of those so far."""
    case = steps.find(session, number)
    wanted = dict.fromkeys((name_of(name), match) for name, match in given)
    if not 1 <= len(wanted) <= MOST_NAMES:
        raise BadField("names", f"there are {len(wanted)}; a case has 1 to {MOST_NAMES}")
    if odd := next((match for _, match in wanted if match not in ("exact", "subtree")), None):
        raise BadField("match", f"{odd[:20]!r} is none; write exact or subtree")
    said = [f"{name} {match}" for name, match in wanted]
    steps.step(session, desk, actor, number, "set_names", why, now, version, names=said)
    kept = {(each.name, each.match): each for each in case.names}
    for key, row in kept.items():
        if key not in wanted:
            session.delete(row)
    session.flush()
    session.add_all(CaseName(case_id=case.id, name=name, match=match) for name, match in wanted if (name, match) not in kept)
    session.flush()
    session.refresh(case, ["names"])
    case.title = next(iter(wanted))[0]
    return case


def escalate(session: Session, desk: Desk, actor: Actor, number: str, why: str, now: int, *, location: str = "", version: int | None = None) -> Case:
    """An imminent threat to life: officers and the house's own program hear of it at once, and it has a clock of its own."""
    case = steps.step(session, desk, actor, number, "escalate", why, now, version, threat="imminent")
    alerts.threat(session, desk, case, location, why, now)
    return case


def alert(session: Session, desk: Desk, actor: Actor, number: str, told: str, why: str, now: int, *, version: int | None = None) -> Case:
    """Who can save the life was told: which service, by which way."""
    told = clean(told, "told", 500, line=True)
    return steps.step(session, desk, actor, number, "alert", why, now, version, told=told)


def stand_down(session: Session, desk: Desk, actor: Actor, number: str, why: str, now: int, *, version: int | None = None) -> Case:
    """It is no threat to life, or no more."""
    return steps.step(session, desk, actor, number, "stand_down", why, now, version)
