"""A desk for tests of cases: people, a time that stands still until it is moved, and the short ways to a state. Nothing is signed here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from authority.desk import cases, clockwork, delivery, emergencies, mail, notices, referrals, removal, steps
from authority.desk.clockwork import Ran
from authority.desk.desk import Desk
from authority.desk.outbox import BY_HAND
from authority.desk.referrals import Given, Taken
from authority.desk.roles import Actor, Role
from authority.desk.settings import DeskSettings, MailSettings
from authority.desk.tables import Base, Case, Clock, Document, Event, Grant, Message, Person

NOW = 1_790_000_000
"""Monday 2026-09-21, 13:33:20 UTC."""
HOUR = 3600
DAY = 86_400
PUBLIC = Actor("public")
FLAGGER = Actor("flagger:hotline")
PEOPLE: dict[str, tuple[Role, ...]] = {
    "clerk": ("clerk",),
    "officer": ("officer",),
    "second": ("officer",),
    "reviewer": ("reviewer",),
    "admin": ("administrator",),
    "auditor": ("auditor",),
    "north-isp": ("operator",),
}


class House:
    """One desk."""

    def __init__(self, directory: Path, mail: MailSettings | None = None, **settings: Any) -> None:
        self.time = NOW
        self.posts = True
        """Whether a clerk posts at once what only a person can."""
        directory.mkdir(parents=True, exist_ok=True)
        self.base = directory
        (directory / "authority").mkdir()
        self.desk = Desk(DeskSettings(mail=mail or MailSettings(), **settings), directory, lambda: self.time)

        if not self.desk.store.is_postgresql:
            event.listen(self.desk.store.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))

        Base.metadata.create_all(self.desk.store.engine)
        self.people: dict[str, Actor] = {}
        with self.desk.store.writing() as session:
            for login, roles in PEOPLE.items():
                person = Person(
                    login=login, name=login.title(), email=f"{login}@authority.example", made_at=NOW, language="fr" if login == "second" else ""
                )
                session.add(person)
                session.flush()
                session.add_all(Grant(person_id=person.id, role=role, given_at=NOW) for role in roles)
                self.people[login] = Actor(login, frozenset(roles), person.id)

    def __getitem__(self, login: str) -> Actor:
        return self.people[login]

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self.desk.store.writing() as session:
            yield session

    def later(self, seconds: float) -> Ran:
        """Time passes; the worker does what it does, until nothing is left to do."""
        self.time += round(seconds)
        return self.work()

    def work(self) -> Ran:
        """Clocks and mail; without a mail server, a clerk posts what there is."""
        total = Ran(0, 0, 0)
        while True:
            ran = clockwork.run(self.desk, self.time)
            total = Ran(*(a + b for a, b in zip(total, ran, strict=True)))
            left = mail.send_due(self.desk, self.time)
            if self.posts:
                self.post()
            if not left and not any(ran):
                return total

    def post(self) -> None:
        """A clerk posts every file that waits for it."""
        with self.writing() as session:
            waiting = select(Message.id, Case.number).join(Case, Case.id == Message.case_id)
            for number, case in session.execute(waiting.where(Message.again_at == BY_HAND, Message.sent_at.is_(None)).order_by(Message.id)).all():
                delivery.posted(session, self.desk, self["clerk"], case, number, "taken to the post", self.time)

    def refer(self, *names: str, who: Actor = PUBLIC, source: Any = "public", key: str | None = None, **fields: Any) -> Taken:
        with self.writing() as session:
            given = Given(names=names or ("www.site.test",), **fields)
            return referrals.take(session, self.desk, who, given, self.time, source=source, key=key)

    def do(self, function: Any, login: str, number: str, *args: Any, **more: Any) -> Any:
        """One service function, in a transaction."""
        with self.writing() as session:
            return function(session, self.desk, self[login], number, *args, now=self.time, **more)

    def step(self, login: str, number: str, name: str, why: str = "so", **details: Any) -> Case:
        """One bare step, as Part C takes it."""
        with self.writing() as session:
            return steps.step(session, self.desk, self[login], number, name, why, self.time, **details)

    # --- the short ways

    def assessed(self, *names: str, category: str = "terrorism") -> str:
        number = self.refer(*names).number
        self.do(cases.assess, "officer", number, category, "it calls for terror", "seen on the page")
        return number

    def requested(self, *names: str, category: str = "terrorism", recipient: str = "abuse@host.example") -> str:
        number = self.assessed(*names, category=category)
        self.do(removal.request, "clerk", number, recipient, "host", "the host of the page")
        self.work()
        return number

    def unanswered(self, *names: str) -> str:
        number = self.requested(*names)
        self.do(removal.refused, "clerk", number, "they say it is satire")
        return number

    def emergency(self, *names: str) -> str:
        number = self.assessed(*names)
        self.do(emergencies.declare, "officer", number, "an attack is announced for tonight", "no time to ask")
        return number

    def order(self, number: str, days: float = 90, tell: bool = True, **details: Any) -> str:
        """Drafted, signed and published."""
        self.step("clerk", number, "draft", order=f"sha256:{number}")
        self.step("officer", number, "open_signing", order=f"sha256:{number}")
        for login in ("officer", "second"):
            self.step(login, number, "add_signature", order=f"sha256:{number}", office=login)
        with self.writing() as session:
            case = steps.find(session, number)
            case.order_id = f"XX-{number}"
            said = {"index": 7, "enforce_by": self.time + DAY, "expires_at": self.time + round(days * DAY), **details}
            steps.step(session, self.desk, self["officer"], number, "publish", "complete", self.time, order=f"sha256:{number}", **said)
            if tell:
                notices.follow(session, self.desk, case, "publish", self.time)
        return number

    def in_force(self, *names: str, **details: Any) -> str:
        return self.order(self.unanswered(*names), **details)

    def withdraw(self, number: str) -> None:
        with self.writing() as session:
            case = steps.step(session, self.desk, self["officer"], number, "withdraw", "it is gone", self.time, order="sha256:w", index=8)
            notices.follow(session, self.desk, case, "withdraw", self.time)

    # --- what is to be seen

    def case(self, number: str) -> Case:
        with self.desk.store.reading() as session:
            return steps.find(session, number)

    def state(self, number: str) -> str:
        return self.case(number).state

    def timeline(self, number: str) -> list[Event]:
        with self.desk.store.reading() as session:
            return list(session.scalars(select(Event).join(Case).where(Case.number == number).order_by(Event.number)))

    def taken(self, number: str) -> list[str]:
        return [event.step for event in self.timeline(number)]

    def running(self, number: str) -> dict[str, int]:
        """Clocks that run, and when each is due, in seconds from now."""
        with self.desk.store.reading() as session:
            found = session.scalars(select(Clock).join(Case).where(Case.number == number, Clock.ended_at.is_(None)))
            return {clock.name: clock.due_at - self.time for clock in found}

    def messages(self, kind: str = "") -> list[Message]:
        with self.desk.store.reading() as session:
            return list(session.scalars(select(Message).where(Message.kind == kind if kind else Message.id > 0).order_by(Message.id)))

    def told(self, kind: str) -> list[str]:
        """Whom messages of a kind go to."""
        return sorted(message.recipient.partition("@")[0] for message in self.messages(kind) if message.channel == "mail")

    def hooks(self) -> list[Any]:
        return [json.loads(message.body) for message in self.messages() if message.channel == "hook"]

    def document(self, kind: str, body: str) -> None:
        """Puts a document in force, as two persons would."""
        with self.writing() as session:
            session.add(Document(kind=kind, version=len(self.documents(session, kind)) + 1, body=body, digest="sha256:", made_at=self.time))

    def documents(self, session: Session, kind: str) -> list[Document]:
        return list(session.scalars(select(Document).where(Document.kind == kind)))
