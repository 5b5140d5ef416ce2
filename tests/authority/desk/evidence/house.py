"""A desk with its people and two cases, for tests of evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from authority.desk.desk import Desk
from authority.desk.evidence import keeping, shredding
from authority.desk.people import proposals
from authority.desk.roles import Actor, Role
from authority.desk.settings import DeskSettings, EvidenceSettings
from authority.desk.tables import Audit, Base, Case, Document, Evidence, Grant, Person, Proposal

NOW = 1_800_000_000
DAY = 86_400
ONE, OTHER = "2027-000001", "2027-000002"
MARK = b"what a thief would look for "
PROCEDURE = """\
clocks: {assess: {begins: [refer], ends: [assess], hours: 24}}
categories:
  terrorism: {retain_days: 183}
  abuse: {forbids_content: true, retain_days: 30}
"""


class House(NamedTuple):
    """The desk, and who works at it."""

    desk: Desk
    officer: Actor
    second: Actor
    reviewer: Actor
    clerk: Actor
    auditor: Actor
    administrator: Actor

    def add(self, octets: bytes = MARK * 10, number: str = ONE, label: str = "a page", now: int = NOW) -> Evidence:
        """Content, kept by the clerk, given in pieces."""
        pieces = (octets[start : start + 30_000] for start in range(0, len(octets), 30_000))
        return keeping.add(self.desk, self.clerk, number, pieces, label, "text/html", "seen by us", now)

    def text(self, evidence: int, actor: Actor | None = None) -> bytes:
        """All of it, read by an officer."""
        return b"".join(keeping.read(self.desk, actor or self.officer, evidence, NOW).chunks)

    def row(self, evidence: int) -> Evidence:
        """As it stands in the database."""
        with self.desk.store.reading() as session:
            return session.get_one(Evidence, evidence)

    def change(self, evidence: int, **values: object) -> None:
        """What somebody with the database in hand does to a row."""
        with self.desk.store.writing() as session:
            row = session.get_one(Evidence, evidence)
            for name, value in values.items():
                setattr(row, name, value)

    def case(self, number: str = ONE, **values: object) -> None:
        """Puts a case into a state."""
        with self.desk.store.writing() as session:
            row = session.query(Case).filter_by(number=number).one()
            for name, value in values.items():
                setattr(row, name, value)

    def audited(self, action: str) -> list[Audit]:
        """Lines of the audit log."""
        with self.desk.store.reading() as session:
            return session.query(Audit).filter_by(action=action).order_by(Audit.number).all()

    def procedure(self, text: str) -> None:
        """Puts another procedure in force."""
        with self.desk.store.writing() as session:
            version = session.query(Document).count() + 1
            session.add(Document(kind="procedure", version=version, body=text, digest="sha256:" + "0" * 64, made_at=NOW))

    def confirm(self, proposal: Proposal, actor: Actor, now: int = NOW) -> None:
        """What the desk does when a second person confirms."""
        with self.desk.store.writing() as session:
            proposals.decide(session, self.desk, actor, proposal.id, True, "", now)

    def shredded(self, evidence: int) -> Proposal:
        """Shredded by an officer and the reviewer, early."""
        proposal = shredding.propose(self.desk, self.officer, [evidence], "kept by mistake", NOW, early=True)
        self.confirm(proposal, self.reviewer)
        return proposal


def house(directory: Path, store: str = "", endpoint: str = "", key_file: str = "", people: bool = True, database: str = "") -> House:
    """A desk on a directory; `people`: a new one, otherwise one that `house` made before."""
    (directory / "authority").mkdir(parents=True, exist_ok=True)
    settings = DeskSettings(database=database, evidence=EvidenceSettings(store=store, endpoint=endpoint, key_file=key_file))
    desk = Desk(settings, directory, lambda: NOW)
    if people:
        Base.metadata.create_all(desk.store.engine)
        _fill(desk)
    with desk.store.reading() as session:
        found = {person.login: Actor(person.login, frozenset(_roles(person)), person.id) for person in session.query(Person)}
    return House(desk, *(found[login] for login in ("officer", "second", "reviewer", "clerk", "auditor", "administrator")))


def sha256(octets: bytes) -> str:
    """Hex."""
    return hashlib.sha256(octets).hexdigest()


def objects(directory: Path) -> list[Path]:
    """Every file of a folder that is a store."""
    return sorted(path for path in (directory / "authority" / "desk" / "evidence").rglob("*") if path.is_file())


def _roles(person: Person) -> Iterator[Role]:
    for grant in person.grants:
        yield grant.role  # type: ignore[misc]


def _fill(desk: Desk) -> None:
    with desk.store.writing() as session:
        for login in ("officer", "second", "reviewer", "clerk", "auditor", "administrator"):
            person = Person(login=login, name=login.title(), made_at=NOW)
            session.add(person)
            session.flush()
            session.add(Grant(person_id=person.id, role="officer" if login == "second" else login, given_at=NOW))
        for number in (ONE, OTHER):
            session.add(Case(number=number, title="site.example", category="terrorism", state="assessed", state_since=NOW, opened_at=NOW))
        session.add(Document(kind="procedure", version=1, body=PROCEDURE, digest="sha256:" + "0" * 64, made_at=NOW))
