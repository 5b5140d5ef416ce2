"""The whole machine at random: whatever anybody does in whatever order, and however time passes, what is on record hangs together."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from authority.desk import annulment, appeals, audit, cases, emergencies, notices, procedure, recommendations, removal, states, steps
from authority.desk.errors import DeskError
from authority.desk.roles import CLOCK, LOG, Actor
from authority.desk.states import CLOSED, ENDING, OPEN, ORDERED, STATES, STEPS, State
from authority.desk.tables import Appeal, Audit, Base, Case, Clock, Event, Message, Recommendation
from tests.authority.desk.cases.house import DAY, HOUR, NOW, PUBLIC, House
from tests.tools import memory

RULES = procedure.load(procedure.DEFAULT).clocks
NAMES = st.sampled_from(["a.test", "b.test"])
WHO = ("clerk", "officer", "reviewer", "admin", "log", "public")
BY_SERVICE = {
    "refer", "assess", "request_removal", "request_sent", "request_failed", "file_appeal", "decide_appeal", "recommend_withdrawal",
    "answer_recommendation", "notify_owner", "assign", "set_names",
}  # fmt: skip
BY_CLOCK = {"resume", "expire", "lapse", "deadline_passed"}
"""Taken when their clock has run out: `passes`."""
BARE = sorted(step for step in set(STEPS) - BY_SERVICE - BY_CLOCK if not step.endswith("_evidence") and step not in ("note", "refer_to_court"))
RUNS_IN: dict[str, frozenset[State]] = {
    "assess": frozenset({"received"}),
    "request": frozenset({"assessed", "requested"}),
    "owner": frozenset({"requested"}),
    "draft": frozenset({"unanswered", "unidentifiable", "drafted", "signing"}),
    "act": frozenset({"emergency", "drafted", "signing"}),
    "removal": OPEN,
    "threat": OPEN | ORDERED | ENDING,
    "suspension": frozenset({"suspended"}),
    "restore": ENDING,
    **dict.fromkeys(("operators", "confirm", "recheck", "gone", "renewal", "lift", "mend", "follow", "annulment"), ORDERED),
}
"""Where a clock has a meaning."""


class Desk(RuleBasedStateMachine):
    """One desk with a few cases."""

    house: House
    directory: Path

    @classmethod
    def begin(cls) -> None:
        cls.directory = Path(tempfile.mkdtemp(prefix="machine-", dir=memory(1 << 26)))
        cls.house = House(cls.directory / "house", hook="/bin/true")

    @classmethod
    def end(cls) -> None:
        cls.house.desk.close()
        shutil.rmtree(cls.directory)

    def __init__(self) -> None:
        super().__init__()
        self.house.time = NOW
        self.numbers: list[str] = []

    def teardown(self) -> None:
        with self.house.writing() as session:
            _, broken = audit.verify(session)
            assert broken is None
            told = session.scalar(select(func.count()).where(Audit.action.startswith("case."))) or 0
            assert told == session.scalar(select(func.count()).select_from(Event)), "each step stands in the audit log too"
            for table in reversed(Base.metadata.sorted_tables):
                if table.name not in ("person", "role_grant", "counter"):
                    session.execute(delete(table))

    @initialize(
        state=st.sampled_from(["received", "requested", "unanswered", "emergency", "in_force", "in_force_emergency", "suspended", "restored"])
    )
    def start(self, state: str) -> None:
        """A case that has come so far."""
        house = self.house
        match state:
            case "received":
                number = house.refer("b.test").number
            case "requested":
                number = house.requested("b.test", category="terrorist-content")
            case "unanswered":
                number = house.unanswered("b.test")
            case "emergency":
                number = house.emergency("b.test")
            case "in_force_emergency":
                number = house.order(house.emergency("b.test"), lapses_at=house.time + 72 * HOUR)
            case _:
                number = house.in_force("b.test")
        if state == "suspended":
            house.step("officer", number, "suspend", order="x", index=2, ends_at=house.time + 72 * HOUR)
        if state == "restored":
            house.withdraw(number)
            house.do(cases.restored, "officer", number, "so")
        self.numbers.append(number)

    # --- what people do

    @rule(name=NAMES, threat=st.booleans())
    def refer(self, name: str, threat: bool) -> None:
        taken = self.house.refer(name, threat=threat)
        assert taken.joined == (taken.number in self.numbers)
        if not taken.joined:
            self.numbers.append(taken.number)

    @precondition(lambda self: self.numbers)
    @rule(data=st.data(), days=st.sampled_from([1, 30, 120]))
    def allowed(self, data: st.DataObject, days: int) -> None:
        """A step that somebody may take just now."""
        number = data.draw(st.sampled_from(self.numbers))
        state = self.house.state(number)
        who, step = data.draw(st.sampled_from([(who, step) for who in WHO for step in BARE if step in states.open_to(state, self.actor(who))]))  # type: ignore[arg-type]
        self.attempt(number, step, self.actor(who), self.details(data, step, days))

    @precondition(lambda self: self.numbers)
    @rule(data=st.data(), hours=st.sampled_from([1, 24, 48]))
    def ask(self, data: st.DataObject, hours: int) -> None:
        """A removal request, which leaves, or not yet."""
        number = data.draw(st.sampled_from(self.numbers))
        deadline = self.house.time + hours * HOUR
        with self.house.writing() as session:
            if steps.find(session, number).state in STEPS["request_removal"].sources:
                removal.request(
                    session, self.house.desk, self.house["clerk"], number, "a@host.example", "host", "so", self.house.time, deadline=deadline
                )
        if data.draw(st.booleans()):
            self.house.work()

    @precondition(lambda self: self.numbers)
    @rule(data=st.data(), step=st.sampled_from(BARE), who=st.sampled_from(WHO))
    def anything(self, data: st.DataObject, step: str, who: str) -> None:
        """A step, whether or not it may be taken."""
        self.attempt(data.draw(st.sampled_from(self.numbers)), step, self.actor(who), self.details(data, step, 30))

    def details(self, data: st.DataObject, step: str, days: int) -> dict[str, Any]:
        later = self.house.time + days * DAY
        known = {"enforce_by": self.house.time + DAY, "expires_at": later, "ends_at": self.house.time + 72 * HOUR, "until": later}
        details: dict[str, Any] = {name: known.get(name, "x") for name in STEPS[step].needs}
        if step == "recheck":
            details["found"] = data.draw(st.sampled_from(["still", "gone", "unclear"]))
        if step == "owner_not_notified":
            details["occasion"] = data.draw(st.sampled_from(["block", "lift"]))
        return details

    @precondition(lambda self: self.numbers)
    @rule(data=st.data())
    def onwards(self, data: st.DataObject) -> None:
        """The next step on the way to an order, so that cases come far."""
        number = data.draw(st.sampled_from(self.numbers))
        state = self.house.state(number)
        with self.house.writing() as session:
            officer = self.house["officer"]
            match state:
                case "received":
                    cases.assess(session, self.house.desk, officer, number, data.draw(st.sampled_from(["terrorism", "terrorist-content"])), "x", "y",
                                 self.house.time)  # fmt: skip
                case "assessed" | "requested":
                    removal.unidentifiable(session, self.house.desk, officer, number, "nobody there", self.house.time)
                case "unanswered" | "unidentifiable" | "emergency":
                    steps.step(session, self.house.desk, officer, number, "draft", "so", self.house.time, order="x")
                case "drafted":
                    steps.step(session, self.house.desk, officer, number, "open_signing", "so", self.house.time, order="x")
                case "signing":
                    times = {"enforce_by": self.house.time + DAY, "expires_at": self.house.time + 90 * DAY}
                    case = steps.step(session, self.house.desk, officer, number, "publish", "so", self.house.time, order="x", index=1, **times)
                    notices.follow(session, self.house.desk, case, "publish", self.house.time)

    @precondition(lambda self: self.numbers)
    @rule(data=st.data(), who=st.sampled_from(WHO), what=st.integers(0, 9))
    def service(self, data: st.DataObject, who: str, what: int) -> None:
        number = data.draw(st.sampled_from(self.numbers))
        actor, desk, now = self.actor(who), self.house.desk, self.house.time
        try:
            with self.house.writing() as session:
                match what:
                    case 0:
                        removal.request(session, desk, actor, number, "abuse@host.example", "host", "so", now)
                    case 1:
                        cases.assess(session, desk, actor, number, data.draw(st.sampled_from(["terrorism", "terrorist-content"])), "x", "y", now)
                    case 2:
                        emergencies.declare(session, desk, actor, number, "tonight", "so", now)
                    case 3:
                        appeals.file(session, desk, actor, number, "owner", "no", "so", now)
                    case 4:
                        found = session.scalars(select(Appeal)).all()
                        if found:
                            chosen = data.draw(st.sampled_from(sorted(one.reference for one in found)))
                            decision = data.draw(st.sampled_from(appeals.DECISIONS))
                            appeals.decide(session, desk, actor, chosen, decision, "so", "so", now)
                    case 5:
                        recommendations.recommend(session, desk, actor, number, "so", now)
                    case 6:
                        ids = sorted(session.scalars(select(Recommendation.id)))
                        if ids:
                            said = data.draw(st.sampled_from(["followed", "refused"]))
                            recommendations.answer(session, desk, actor, data.draw(st.sampled_from(ids)), said, "so", now)
                    case 7:
                        annulment.annul(session, desk, actor, number, "Court", now, "so", now)
                    case 8:
                        occasion = data.draw(st.sampled_from(["block", "lift"]))
                        notices.notify_owner(session, desk, actor, number, occasion, "o@site.test", "so", now)
                    case _:
                        cases.set_names(session, desk, actor, number, [(data.draw(NAMES), "exact")], "so", now)
        except DeskError:
            pass

    @rule(hours=st.sampled_from([0.5, 1, 24, 72, 24 * 30, 24 * 100]))
    def passes(self, hours: float) -> None:
        self.house.later(hours * HOUR)
        with self.house.desk.store.reading() as session:
            for clock in session.scalars(select(Clock).where(Clock.ended_at.is_(None), Clock.due_at <= self.house.time)):
                assert not RULES[clock.name].takes, f"{clock.name} ran out and took nothing"
                assert clock.notified_at is not None, f"nobody was told of {clock.name}"
            assert not list(session.scalars(select(Message).where(Message.sent_at.is_(None))))

    def actor(self, who: str) -> Actor:
        return {"clock": CLOCK, "log": LOG, "public": PUBLIC}.get(who) or self.house[who]

    def attempt(self, number: str, step: str, actor: Actor, details: dict[str, Any]) -> None:
        """A step that is refused changes nothing at all."""
        with self.house.writing() as session:
            case = steps.find(session, number)
            before = (case.state, case.version, case.due_at, case.urgent, case.emergency)
            try:
                steps.take(session, case, step, actor, "so", self.house.time, self.house.desk.procedure(session), **details)
            except DeskError:
                assert before == (case.state, case.version, case.due_at, case.urgent, case.emergency)
                return
            notices.follow(session, self.house.desk, case, step, self.house.time)

    # --- what must hold

    @invariant()
    def it_hangs_together(self) -> None:
        with self.house.desk.store.reading() as session:
            for case in session.scalars(select(Case)):
                replayed(session, case)
                timed(session, case)


def replayed(session: Session, case: Case) -> None:
    """The timeline alone says what the row says."""
    state, since, at, emergency, urgent = "received", case.opened_at, 0, False, False
    events = session.scalars(select(Event).where(Event.case_id == case.id).order_by(Event.number)).all()
    for number, event in enumerate(events, 1):
        step = STEPS[event.step]
        assert (event.number, event.before) == (number, state)
        assert state in step.sources, event.step
        assert event.after == (step.target or state)
        assert event.at >= at
        assert event.who, event.step
        assert event.why, event.step
        assert all(event.details.get(name) not in (None, "") for name in step.needs), event.step
        if event.after != state:
            since = event.at
        state, at = event.after, event.at
        urgent = {"escalate": True, "stand_down": False}.get(event.step, urgent)
        emergency = event.step == "declare_emergency" or (
            emergency and event.step not in ("confirm_emergency", "abandon_draft") and state not in ENDING | CLOSED
        )
    assert (case.state, case.state_since, case.version) == (state, since, len(events))
    assert (case.urgent, case.emergency) == (urgent, emergency)
    assert case.closed_at == (since if state in CLOSED else None)


def timed(session: Session, case: Case) -> None:
    """Its clocks."""
    running = session.scalars(select(Clock).where(Clock.case_id == case.id, Clock.ended_at.is_(None))).all()
    for clock in running:
        assert case.state not in CLOSED or RULES[clock.name].outlives, f"{clock.name} runs, and the case is {case.state}"
        assert case.state in RUNS_IN.get(clock.name, frozenset(STATES)), f"{clock.name} runs, and the case is {case.state}"
    assert len({(clock.name, clock.subject) for clock in running}) == len(running), "one clock runs once"
    assert case.due_at == min((clock.due_at for clock in running), default=None)
    assert case.state in CLOSED or running, f"{case.state}: nobody is awaited, and the case is not closed"
    names = [clock.name for clock in running]
    objecting = session.scalars(select(Appeal.reference).where(Appeal.case_id == case.id, Appeal.decided_at.is_(None))).all()
    assert sorted(objecting) == sorted(clock.subject for clock in running if clock.name == "appeal")
    assert case.appeals == len(objecting)
    asking = session.scalars(select(Recommendation).where(Recommendation.case_id == case.id, Recommendation.answered_at.is_(None))).all()
    assert names.count("reviewer") == len(asking)
    assert ("confirm" not in names) or case.emergency
    assert ("restore" in names) == (case.state in ENDING)
    assert ("suspension" in names) == (case.state == "suspended")
    assert {"recheck", "renewal"} <= set(names) or case.state not in ORDERED
    told = list(session.scalars(select(Event.step).where(Event.case_id == case.id).order_by(Event.number)))
    if case.state in ORDERED and "owner_block" not in names:
        since = max(place for place, step in enumerate(told) if step in ("publish", "published_elsewhere"))
        assert {"notify_owner", "owner_not_notified"} & set(told[since:]), "the owner was told, or it is recorded why not"


def test_whatever_happens_what_is_on_record_hangs_together() -> None:
    Desk.begin()
    try:
        test = Desk.TestCase
        test.settings = settings(max_examples=50, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck))
        test().runTest()
    finally:
        Desk.end()
