"""Reports of errors: visitors of blocked sites write them, operators pass them on, officers answer, and each visitor reads the answer by a reference.

The server that strangers speak to keeps what comes in as files (`authority.reports`); here they become rows of the order's case, each once, and the
files go. Answers go the way back as files. Killed between the two, both are done again, and nothing is there twice. A flood of reports on one order
is one clock, one line of work and a step in the timeline every now and then: it keeps nobody from answering.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from authority import reports
from authority.desk import alerts, appeals, audit, outbox, steps, texts
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, NotFound
from authority.desk.roles import LOG, Actor
from authority.desk.tables import Case, Clock, ErrorReport, Event
from authority.desk.words import clean
from authority.places import Places
from authority.reports import Incoming
from blocklists import report
from blocklists.errors import BadDocument
from blocklists.log import entry as entries
from blocklists.log.tree import Tree
from blocklists.trust import strict

Decision = Literal["upheld", "lifted", "amended", "elsewhere"]
"""What an officer answers; `unknown` is said by itself, where no order ever had the reference."""
DECISIONS: tuple[Decision, ...] = get_args(Decision)
LANGUAGES = texts.LANGUAGES
BATCH = 200
"""Reports and answers carried in one run."""
SHOWN = 50
"""On a page."""
AGAIN_SECONDS = 3600
"""Between two steps in a case's timeline that say that reports came, while some wait."""
RETAIN_SECONDS = 183 * 86_400
"""After the answer was laid out, what the visitor wrote is forgotten."""
PUBLIC = Actor("public")
_log = logging.getLogger("authority.desk")


class Waiting(NamedTuple):
    """Reports of one order that wait for an answer."""

    order_id: str
    case_id: int | None
    number: int
    since: int
    """When the oldest was taken, in unix seconds."""
    last: int
    """The newest one's row."""


class _Logged:
    """Ids of all orders in the log, read as far as it is: an authority may be older than its desk. Of one process."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._size = 0
        self._place: Path | None = None

    def has(self, places: Places, order_id: str) -> bool:
        """Whether an order of this id was ever logged."""
        if self._place != places.log:
            self._ids, self._size, self._place = set(), 0, places.log
        tree = Tree(places.log)
        for data in tree.entries(self._size, tree.size):
            try:
                signed = entries.read(data).envelope
                if signed is not None:
                    self._ids.add(str(strict.read(signed.payload, "the order", strict.MAX_PAYLOAD).get("id")))
            except BadDocument:
                continue
        self._size = tree.size
        return order_id in self._ids


_logged = _Logged()


def carry(desk: Desk, now: int) -> int:
    """What the worker does in turn: takes in what came, lays out what was answered, forgets what is old. How many reports it moved."""
    moved = take_in(desk, now) + lay_out(desk, now)
    forget(desk, now)
    return moved


def take_in(desk: Desk, now: int) -> int:
    """Takes reports from the files into their cases; how many files were done with."""
    found = list(reports.incoming(desk.places, BATCH))
    came = [each for _, each in found if each is not None]
    if came:
        with desk.store.writing() as session:
            _take(session, desk, _unknown_here(session, came), now)
    for path, each in found:
        if each is None:
            _log.error("%s is no report, and is set aside; look at it, and remove it", path)
            reports.set_aside(path)
        else:
            reports.forget(path)
    return len(found)


def _unknown_here(session: Session, came: Iterable[Incoming]) -> list[Incoming]:
    """Those that have no row yet."""
    named = {(each.operator, each.report.reference): each for each in came}
    # By the reference, which has an index; of pairs, SQLite would look through all reports there ever were.
    there = session.execute(select(ErrorReport.operator, ErrorReport.reference).where(ErrorReport.reference.in_({second for _, second in named})))
    known = {(operator, reference) for operator, reference in there}
    return [each for key, each in named.items() if key not in known]


def _take(session: Session, desk: Desk, came: list[Incoming], now: int) -> None:
    cases: dict[str, Case | None] = {}
    added: dict[str, list[ErrorReport]] = {}
    for each in came:
        said = each.report
        if said.order not in cases:
            try:
                cases[said.order] = appeals.find_by_order(session, said.order)
            except NotFound:
                cases[said.order] = None
        case = cases[said.order]
        row = ErrorReport(
            operator=each.operator, reference=said.reference, order_id=said.order, case_id=case.id if case else None, name=said.name,
            words=said.words, contact=said.contact, language=said.language, taken_at=each.at, answer="", answer_language="",
        )  # fmt: skip
        if case is None and not _logged.has(desk.places, said.order):
            row.decided_at, row.decision, row.answer_language = now, "unknown", "en"
        session.add(row)
        added.setdefault(said.order, []).append(row)
    session.flush()
    for order_id, rows in added.items():
        case = cases[order_id]
        audit.record(session, PUBLIC, "report.take", f"case:{case.number}" if case else f"order:{order_id}", now, reports=len(rows))
        if case is not None:
            _tell_case(session, desk, case, rows, now)


def _tell_case(session: Session, desk: Desk, case: Case, rows: list[ErrorReport], now: int) -> None:
    """A step of the case, unless one said not long ago that reports wait: each step has officers look again before they take theirs."""
    last = session.scalar(select(Event.at).where(Event.case_id == case.id, Event.step == "report_error").order_by(Event.number.desc()).limit(1))
    many = _count(session, ErrorReport.case_id == case.id)
    if many > len(rows) and last is not None and now < last + AGAIN_SECONDS:
        return
    why = "visitors of a blocked site report an error"
    said = {"report": rows[0].reference, "reports": many, "operators": sorted({row.operator for row in rows})[:20]}
    steps.take(session, case, "report_error", PUBLIC, why, now, desk.procedure(session), **said)


def lay_out(desk: Desk, now: int) -> int:
    """Has operators find what was answered; how many answers."""
    with desk.store.reading() as session:
        ready = select(ErrorReport).where(ErrorReport.told_at.is_(None), ErrorReport.decided_at.is_not(None))
        rows = session.scalars(ready.order_by(ErrorReport.decided_at, ErrorReport.id).limit(BATCH)).all()
    for row in rows:
        said = {"reference": row.reference, "decision": row.decision or "", "answer": row.answer, "language": row.answer_language or "en"}
        reports.tell(desk.places, row.operator, now, **said)
    if rows:
        with desk.store.writing() as session:
            session.execute(update(ErrorReport).where(ErrorReport.id.in_([row.id for row in rows])).values(told_at=now))
    return len(rows)


def forget(desk: Desk, now: int) -> int:
    """Empties what visitors wrote long before; of how many reports."""
    old = (ErrorReport.told_at < now - RETAIN_SECONDS, or_(ErrorReport.words != "", ErrorReport.contact != "", ErrorReport.name != ""))
    with desk.store.reading() as session:
        rows = session.scalars(select(ErrorReport.id).where(*old).limit(BATCH)).all()
    if rows:
        with desk.store.writing() as session:
            session.execute(update(ErrorReport).where(ErrorReport.id.in_(rows)).values(words="", contact="", name=""))
            audit.record(session, LOG, "report.forget", "desk", now, reports=len(rows))
    return len(rows)


def waiting(session: Session, actor: Actor, limit: int = SHOWN) -> list[Waiting]:
    """Orders whose reports wait, the longest waiting first. Raises Forbidden."""
    actor.require("case.list")
    oldest = func.min(ErrorReport.taken_at)
    rows = session.execute(
        select(ErrorReport.order_id, ErrorReport.case_id, func.count(), oldest, func.max(ErrorReport.id))
        .where(ErrorReport.decided_at.is_(None))
        .group_by(ErrorReport.case_id, ErrorReport.order_id)
        .order_by(oldest, ErrorReport.order_id)
        .limit(limit)
    )
    return [Waiting(*row) for row in rows]


def placed(session: Session, found: Iterable[Waiting]) -> dict[int, tuple[Case, int | None]]:
    """The cases of what waits, by their rows, and until when each is to be answered."""
    numbers = [each.case_id for each in found if each.case_id is not None]
    clocks = select(Clock.case_id, Clock.due_at, Clock.name, Clock.ended_at).where(Clock.case_id.in_(numbers))
    due_at = {row.case_id: row.due_at for row in session.execute(clocks) if row.name == "report" and row.ended_at is None}
    return {each.id: (each, due_at.get(each.id)) for each in session.scalars(select(Case).where(Case.id.in_(numbers)))}


def without_case(session: Session, actor: Actor, order_id: str, limit: int = SHOWN) -> list[ErrorReport]:
    """What waits about an order that no case here made, the newest first. Raises Forbidden."""
    actor.require("case.list")
    waits = ErrorReport.decided_at.is_(None), ErrorReport.case_id.is_(None), ErrorReport.order_id == order_id
    return list(session.scalars(select(ErrorReport).where(*waits).order_by(ErrorReport.id.desc()).limit(limit)))


def count(session: Session) -> int:
    """How many wait."""
    return _count(session)


def of_case(session: Session, case: Case, limit: int = SHOWN) -> list[ErrorReport]:
    """Its reports: those that wait first, the newest first."""
    mine = select(ErrorReport).where(ErrorReport.case_id == case.id)
    found = session.scalars(mine.where(ErrorReport.decided_at.is_(None)).order_by(ErrorReport.id.desc()).limit(limit)).all()
    rest = limit - len(found)
    answered = session.scalars(mine.where(ErrorReport.decided_at.is_not(None)).order_by(ErrorReport.id.desc()).limit(rest)).all() if rest else []
    return [*found, *answered]


def answer(
    session: Session, desk: Desk, actor: Actor, number: str, which: str, decision: str, words: str, language: str, why: str, now: int, *,
    version: int | None = None,
) -> list[ErrorReport]:  # fmt: skip
    """Answers one report of a case, by its reference; `all` that wait; or with `all-N` those up to row N: what came since, nobody has read yet.

    `lifted` and `amended` are carried out by orders of their own, each within a clock. Raises BadField, NotFound, Conflict, Forbidden.
    """
    decision, words, language = _checked(decision, words, language)
    case = steps.find(session, number)
    rows = _chosen(session, which, ErrorReport.case_id == case.id)
    left = "some" if _count(session, ErrorReport.case_id == case.id) > len(rows) else "none"
    said = {"report": rows[0].reference, "reports": len(rows), "decision": decision, "left": left}
    steps.step(session, desk, actor, number, "answer_report", why, now, version, **said)
    _decide(session, desk, rows, decision, words, language, now, case)
    return rows


def answer_without_case(
    session: Session, desk: Desk, actor: Actor, order_id: str, which: str, decision: str, words: str, language: str, now: int
) -> list[ErrorReport]:
    """The same for an order that the log has and that no case here made. Raises as `answer`."""
    actor.require("case.decide")
    decision, words, language = _checked(decision, words, language)
    try:
        rows = _chosen(session, which, ErrorReport.case_id.is_(None), ErrorReport.order_id == order_id)
    except Conflict:
        try:
            case = appeals.find_by_order(session, order_id)
        except NotFound:
            case = None
        if case is None:
            raise
        raise Conflict(f"the order {order_id} is of case {case.number}; answer its reports there, by the step answer_report") from None
    _decide(session, desk, rows, decision, words, language, now, None)
    audit.record(session, actor, "report.answer", f"order:{order_id}", now, reports=len(rows), decision=decision)
    return rows


def _checked(decision: str, words: str, language: str) -> tuple[str, str, str]:
    if decision not in DECISIONS:
        raise BadField("decision", f"{decision[:20]!r} is none; write one of {', '.join(DECISIONS)}")
    words = clean(words.replace("\r", "\n"), "answer", report.MOST_WORDS)
    if not words:
        raise BadField("answer", "say to who reported it why it is decided so")
    if language not in LANGUAGES:
        raise BadField("language", f"{language[:20]!r} is none; write one of {', '.join(LANGUAGES)}")
    return decision, words, language


def _chosen(session: Session, which: str, *where: object) -> list[ErrorReport]:
    mine = select(ErrorReport).where(ErrorReport.decided_at.is_(None), *where).order_by(ErrorReport.id)  # type: ignore[arg-type]
    all_of_them, _, last = which.partition("-")
    if which == "all":
        rows = list(session.scalars(mine))
    elif all_of_them == "all" and last.isascii() and last.isdigit() and len(last) < 19:
        rows = list(session.scalars(mine.where(ErrorReport.id <= int(last))))
    else:
        reference = report.reference_in(which)
        rows = list(session.scalars(mine.where(ErrorReport.reference == reference))) if reference else []
    if not rows:
        raise Conflict("no such report waits; it may have been answered meanwhile: look again")
    return rows


def _decide(session: Session, desk: Desk, rows: list[ErrorReport], decision: str, words: str, language: str, now: int, case: Case | None) -> None:
    for row in rows:
        row.decided_at, row.decision, row.answer, row.answer_language = now, decision, words, language
        if row.contact and case is not None:
            values = {**alerts.values(desk, case), "names": [row.name], "reference": row.reference, "decision": decision, "answer": words}
            text = texts.render(session, desk, "report_answered", language, **values)
            try:
                outbox.post(session, desk, "report_answered", row.contact, text.subject, text.body, now, case=case)
            except BadField:  # no address that mail can be sent to: the answer is read by the reference
                continue
    session.flush()


def _count(session: Session, *where: object) -> int:
    query = select(func.count()).select_from(ErrorReport).where(ErrorReport.decided_at.is_(None), *where)  # type: ignore[arg-type]
    return session.scalar(query) or 0
