"""Eight people at once, on each database: nothing is lost, nothing done twice, one wins where only one can, and who reads sees one state."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, InternalError
from sqlalchemy.orm import Session

from authority.desk import audit, cases
from authority.desk import store as stores
from authority.desk.errors import Conflict, DeskError
from authority.desk.people import proposals
from authority.desk.roles import SETUP
from authority.desk.tables import Audit, Case, CaseName, Counter, Document, Person, Proposal, Referral
from tests.authority.desk.storage.house import NOW, House, whole

WRITERS = 8
EACH = 15
Found = TypeVar("Found")


def together(act: Callable[[int], Found]) -> list[Found | DeskError]:
    """What each of eight gets who begin at the same moment; a refusal is an answer too."""
    gate = threading.Barrier(WRITERS)

    def one(number: int) -> Found | DeskError:
        gate.wait(20)
        try:
            return act(number)
        except DeskError as error:
            return error

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(WRITERS)))


def test_referrals_and_steps_of_all_are_there_once(home: House) -> None:
    def act(number: int) -> list[str]:
        numbers = []
        for turn in range(EACH):
            taken = home.refer(f"n{turn}.test" if turn % 3 == 0 else f"n{turn}.w{number}.test", f"{number}.{turn}")
            with home.desk.store.writing() as session:
                cases.note(session, home.desk, home.people["clerk"], taken.number, f"noted by {number}", NOW)
            numbers.append(taken.number)
        return numbers

    given = [number for answer in together(act) if not isinstance(answer, DeskError) for number in answer]
    shared, alone = EACH // 3, EACH - EACH // 3
    assert len(given) == WRITERS * EACH
    with home.desk.store.reading() as session:
        assert whole(session) == 2 * WRITERS * EACH
        found = list(session.scalars(select(Case.number).order_by(Case.number)))
        assert found == [f"2026-{number:06d}" for number in range(1, shared + alone * WRITERS + 1)]
        assert session.scalar(select(func.count()).select_from(Referral)) == WRITERS * EACH
        # The same name at the same moment opens one case.
        twice = select(CaseName.name).group_by(CaseName.name).having(func.count() > 1)
        assert session.scalars(twice).all() == []


def test_the_same_referral_sent_by_eight_is_one(home: House) -> None:
    answers = together(lambda _: home.refer("www.site.test", "key of the sender"))
    assert len({answer.reference for answer in answers if not isinstance(answer, DeskError)}) == 1
    assert sorted(answer.again for answer in answers if not isinstance(answer, DeskError)) == [False] + [True] * 7
    with home.desk.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Referral)) == 1
        whole(session)


def test_of_eight_who_decide_by_the_same_look_one_does(home: House) -> None:
    taken = home.refer("www.site.test")

    def act(number: int) -> int:
        with home.desk.store.writing() as session:
            who = home.people["officer" if number % 2 else "second"]
            return cases.assess(session, home.desk, who, taken.number, "terrorism", f"finding {number}", "seen", NOW, version=1).version

    answers = together(act)
    assert answers.count(2) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 7
    with home.desk.store.reading() as session:
        whole(session)


def test_of_eight_who_confirm_a_proposal_one_does(home: House) -> None:
    with home.desk.store.writing() as session:
        body = {"kind": "protected", "body": "portal.example\n"}
        number = proposals.make(session, home.desk, home.people["officer"], "document", body, "new list", NOW).proposal.id
        administrator = Person(login="other", name="Other", made_at=NOW)
        session.add(administrator)

    def act(_: int) -> str | None:
        with home.desk.store.writing() as session:
            return proposals.decide(session, home.desk, home.people[able[0]], number, True, "right", NOW).proposal.decision

    with home.desk.store.reading() as session:
        proposal = session.get_one(Proposal, number)
        able = [login for login in home.people if proposals.may_decide(session, proposal, home.people[login])]
    answers = together(act)
    assert answers.count("confirmed") == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 7
    with home.desk.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Document)) == 1
        assert session.scalar(select(func.count()).select_from(Audit).where(Audit.action == "proposal.confirmed")) == 1
        assert audit.verify(session)[1] is None


def test_who_reads_sees_one_state_while_others_write(home: House) -> None:
    """A reading session looks several times, and each time at the same instant."""
    over, looked = threading.Event(), 0

    def write(number: int) -> None:
        for turn in range(EACH):
            home.refer(f"n{turn}.w{number}.test")

    thread = threading.Thread(target=lambda: (together(write), over.set()))
    thread.start()
    while not over.is_set():
        with home.desk.store.reading() as session:
            whole(session)
        looked += 1
    thread.join()
    assert looked > 1


def test_one_state_is_kept_from_the_first_look_on(home: House) -> None:
    with home.desk.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 0
        home.refer("www.site.test")
        assert session.scalar(select(func.count()).select_from(Case)) == 0
    with home.desk.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 1


def test_a_reading_session_leaves_nothing(home: House, kind: str) -> None:
    def write(session: Session) -> None:
        session.add(Counter(name="x", value=1))
        session.flush()

    with home.desk.store.reading() as session:
        if kind == "postgresql":
            with pytest.raises(InternalError, match="read-only"):
                write(session)
        else:
            write(session)
    with home.desk.store.reading() as session:
        assert session.get(Counter, "x") is None


def test_what_fails_leaves_nothing(home: House) -> None:
    home.refer("www.site.test")

    def half() -> None:
        with home.desk.store.writing() as session:
            audit.record(session, SETUP, "never", "case:1", NOW)
            cases.note(session, home.desk, home.people["clerk"], "2026-000001", "half", NOW)
            raise RuntimeError("the machine stops")

    with pytest.raises(RuntimeError, match="the machine"):
        half()
    with home.desk.store.reading() as session:
        assert whole(session) == 1


def test_a_writer_that_waits_too_long_is_told_and_not_left_waiting(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "BUSY_SECONDS", 0.05)
    again = stores.Store(home.desk.store.engine.url.render_as_string())
    with home.desk.store.writing(), pytest.raises(DBAPIError, match=r"lock"), again.writing():
        pass
    with again.writing() as session:
        assert session.scalar(text("SELECT 1")) == 1
    again.close()
