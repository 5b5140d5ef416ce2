"""An authority with a desk, its people and their keys, and an operator's own judge of what its log has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from authority import packets
from authority.desk import facts, ordering, publishing, signing, steps
from authority.desk.desk import Desk
from authority.desk.ordering import What
from authority.desk.roles import CLOCK, Actor, Role
from authority.desk.settings import DeskSettings
from authority.desk.tables import Base, Case, CaseName, Clock, Document, Event, Order, Person
from authority.judge import Judge
from authority.packets import Packet
from authority.repository import published
from blocklists import names
from blocklists.docket import Docket
from blocklists.log.tree import Tree
from tests.authority.cast import Cast, found

NOW = 1_790_000_000
HOUR = 3600
DAY = 24 * HOUR

FACTS: dict[str, Any] = {
    "legal_basis": "Law 1, section 2",
    "reasons": {"en": "It calls for terror.", "fr": "Appel au terrorisme."},
    "redress": {"url": "https://authority.example/appeal", "deadline_days": 60, "court": "Court of Appeal"},
}
PEOPLE: dict[str, tuple[Role, str | None]] = {
    "clerk": ("clerk", None),
    "officer": ("officer", "north-1"),
    "officer-2": ("officer", "north-2"),
    "reviewer": ("reviewer", "reviewer-1"),
    "administrator": ("administrator", None),
    "auditor": ("auditor", None),
}

TOLD = ("notify_owner", "owner_not_notified")


class House:
    """The desk, over an authority whose first metadata are published. `now` is the time of everything, and moves when told."""

    def __init__(self, directory: Path, now: int = NOW, **ceremony: Any) -> None:
        self.cast = Cast()
        self.directory = directory / "authority"
        self.now = now
        found(self.cast, self.directory, self.now, **ceremony)
        self.desk = Desk(DeskSettings(directory="authority"), directory, lambda: self.now)
        Base.metadata.create_all(self.desk.store.engine)
        self.people: dict[str, Actor] = {}
        with self.desk.store.writing() as session:
            for login, (role, office) in PEOPLE.items():
                person = Person(login=login, name=login, made_at=self.now, office=office)
                session.add(person)
                session.flush()
                self.people[login] = Actor(login, frozenset({role}), person.id)

    def __getitem__(self, login: str) -> Actor:
        return self.people[login]

    def document(self, kind: str, body: str) -> None:
        """A list that two persons have decided."""
        with self.desk.store.writing() as session:
            version = 1 + (session.scalar(select(func.max(Document.version)).where(Document.kind == kind)) or 0)
            session.add(Document(kind=kind, version=version, body=body, digest="sha256:", made_at=self.now))

    def case(self, *names: str, until: str = "unidentifiable", **stated: Any) -> str:
        """A case of names (a leading dot: with all below), as far as no order yet; its number."""
        with self.desk.store.writing() as session:
            number = f"2026-{steps.count(session, 'case-2026'):06d}"
            given = names or (f"site-{number}.test",)
            case = Case(number=number, title=given[0], category="terrorism", state="received", state_since=self.now, opened_at=self.now, facts={})
            session.add(case)
            session.flush()
            case.names = [CaseName(case_id=case.id, name=each.lstrip("."), match="subtree" if each[0] == "." else "exact") for each in given]
        self.step(number, "assess", "officer", category="terrorism", finding="It is.")
        if until == "unidentifiable":
            self.step(number, "owner_unidentifiable", "officer", why="Nobody answers at the registrar.")
        elif until == "emergency":
            self.step(number, "declare_emergency", "officer", ground="Murder is shown live.")
        self.state(number, **{**FACTS, **stated})
        return number

    def state(self, number: str, who: str = "officer", **stated: Any) -> None:
        with self.desk.store.writing() as session:
            facts.set_facts(session, self.desk, self[who], number, stated, "as assessed", self.now)

    def step(self, number: str, step: str, who: str | Actor, why: str = "because", **details: Any) -> None:
        actor = self[who] if isinstance(who, str) else who
        with self.desk.store.writing() as session:
            steps.take(session, steps.find(session, number), step, actor, why, self.now, self.desk.procedure(session), **details)

    def tick(self, step: str, number: str) -> None:
        self.step(number, step, CLOCK, "the clock")

    def tick_request(self, number: str, sent: int, deadline: int) -> None:
        """The worker has sent the request."""
        self.step(number, "request_sent", CLOCK, "sent", message=7, deadline=deadline)

    def clocks(self, number: str) -> list[Clock]:
        """Those that run."""
        with self.desk.store.reading() as session:
            case = steps.find(session, number)
            return list(session.scalars(select(Clock).where(Clock.case_id == case.id, Clock.ended_at.is_(None))))

    def row(self, number: str) -> Case:
        with self.desk.store.reading() as session:
            return steps.find(session, number)

    def events(self, number: str) -> list[Event]:
        """Its timeline, without what tells those whom an order concerns, which follows of itself."""
        with self.desk.store.reading() as session:
            case = steps.find(session, number)
            return list(session.scalars(select(Event).where(Event.case_id == case.id, Event.step.not_in(TOLD)).order_by(Event.number)))

    def last(self, number: str) -> Event:
        """The newest step, but for what is told to the owner because of it."""
        return [each for each in self.events(number) if each.step not in ("notify_owner", "owner_not_notified")][-1]

    def draft(self, number: str, what: What = "block", who: str = "clerk", **named: Any) -> Order:
        return ordering.draft(self.desk, self[who], number, what, named.pop("why", "it is so"), self.now, **named)

    def opened(self, number: str) -> Order:
        """A block that officers were asked to sign."""
        order = self.draft(number)
        return ordering.open_signing(self.desk, self["officer"], order.digest, "two must sign", self.now)

    def packet(self, order: Order) -> Packet:
        _, data = signing.packet(self.desk, self["officer"], order.digest, self.now)
        return packets.read(data, "the packet")

    def signed(self, order: Order, *names: str) -> bytes:
        """What comes back from the machines of these."""
        return self.cast.sign(self.packet(order), *names).encode()

    def bring(self, order: Order, *names: str, who: str = "officer") -> Order:
        return signing.take(self.desk, self[who], self.signed(order, *names), self.now)

    def publish(self, order: Order, who: str = "officer") -> Order:
        return publishing.publish(self.desk, self[who], order.digest, "all have signed", self.now)

    def ordered(self, *names: str, signers: Sequence[str] = ("north-1", "north-2"), **named: Any) -> tuple[str, Order]:
        """A case whose order is in force."""
        number = self.case(*names, **named)
        order = self.opened(number)
        self.bring(order, *signers)
        return number, self.publish(order)

    def follow(self, number: str, what: What, *signers: str, who: str = "clerk", publisher: str = "officer", **named: Any) -> Order:
        """A follower, drafted, signed and published."""
        order = self.draft(number, what, who, **named)
        self.bring(order, *signers, who=who if who == "reviewer" else "officer")
        return self.publish(order, publisher)

    def tree(self) -> Tree:
        return Tree(self.directory / "public" / "log")

    def docket(self) -> Docket:
        """An operator's, over the whole log."""
        present = published(self.desk.places)
        judge = Judge(present.files, False)
        judge.catch_up(self.tree())
        return judge._docket

    def blocked(self, at: int | None = None) -> dict[str, str]:
        """By an operator's own judgement: which names are in force, and under which id."""
        at = self.now if at is None else at
        bases = [basis for basis in self.docket().state(at) if basis.starts <= at < basis.ends]
        return {names.key_text(key): basis.reference for basis in bases for key, _ in basis.listed}
