"""A desk with its people on a database, and what tests of storage do there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authority.desk import audit, migrations, referrals
from authority.desk.desk import Desk
from authority.desk.roles import Actor, Role
from authority.desk.settings import DeskSettings
from authority.desk.tables import Audit, Case, Event, Grant, Person, Referral

NOW = 1_790_000_000
ROLES: dict[str, Role] = {
    "clerk": "clerk", "officer": "officer", "second": "officer", "reviewer": "reviewer", "administrator": "administrator", "auditor": "auditor",
}  # fmt: skip


class House(NamedTuple):
    """The desk, and who works at it."""

    desk: Desk
    people: dict[str, Actor]

    def refer(self, name: str, key: str | None = None, who: str = "clerk", now: int = NOW) -> referrals.Taken:
        """One referral, committed."""
        with self.desk.store.writing() as session:
            given = referrals.Given((name,), words="It calls for terror.")
            return referrals.take(session, self.desk, self.people[who], given, now, source="officer", key=key)


def house(directory: Path, database: str = "", people: bool = True) -> House:
    """A desk on a directory and a database; `people`: a new one, otherwise one that was made before."""
    (directory / "authority").mkdir(parents=True, exist_ok=True)
    desk = Desk(DeskSettings(database=database), directory, lambda: NOW)
    if people:
        migrations.upgrade(desk.store)
        with desk.store.writing() as session:
            for login, role in ROLES.items():
                person = Person(login=login, name=login.title(), made_at=NOW)
                session.add(person)
                session.flush()
                session.add(Grant(person_id=person.id, role=role, given_at=NOW))
    with desk.store.reading() as session:
        found = session.execute(select(Person.login, Person.id)).all()
    return House(desk, {login: Actor(login, frozenset({ROLES[login]}), number) for login, number in found})


def whole(session: Session) -> int:
    """That nothing is half done and the chain is unbroken; how many audit lines there are."""
    lines, broken = audit.verify(session)
    assert broken is None, broken
    assert lines == session.scalar(select(func.count()).select_from(Audit))
    # Every step stands in the timeline, in the case's count and in the audit log; every referral has its case and its step.
    events = session.scalar(select(func.count()).select_from(Event))
    assert events == session.scalar(select(func.count()).select_from(Audit).where(Audit.action.startswith("case."), Audit.action != "case.read"))
    assert events == (session.scalar(select(func.sum(Case.version))) or 0)
    told = session.scalar(select(func.count()).select_from(Event).where(Event.step == "refer"))
    assert told == session.scalar(select(func.count()).select_from(Referral).where(Referral.case_id.is_not(None)))
    last = select(Event.case_id, func.max(Event.number).label("number")).group_by(Event.case_id).subquery()
    stray = (
        select(Case.number)
        .join(last, last.c.case_id == Case.id)
        .join(Event, (Event.case_id == Case.id) & (Event.number == last.c.number))
        .where((Event.after != Case.state) | (last.c.number != Case.version))
    )
    assert session.scalars(stray).all() == []
    assert session.scalars(select(Case.number).where(~select(Event.id).where(Event.case_id == Case.id).exists())).all() == []
    return lines
