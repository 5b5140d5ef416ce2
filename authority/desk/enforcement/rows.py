"""Rows of the table `enforcement`, many at once, and what is counted of them by week."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from authority.desk.enforcement import spread
from authority.desk.enforcement.fulfilment import SELF_ENDING, Row
from authority.desk.enforcement.obligations import Bound
from authority.desk.enforcement.tables import Enforcement, EnforcementWeek, Obligation

DAY = 86_400
WEEK = 7 * DAY
MANY = 500
"""Values in one statement."""
FIELDS = tuple(Row.__dataclass_fields__)
_TABLE = cast(Table, Enforcement.__table__)
_COLUMNS = tuple(_TABLE.c[name] for name in FIELDS)
_OBLIGED = tuple(cast(Table, Obligation.__table__).c[name] for name in Bound._fields)
_KEY = ("b_log_index", "b_kind", "b_operator")
_SAME = tuple(_TABLE.c[name[2:]] == bindparam(name) for name in _KEY)
_CHANGES = ("received_at", "taken_at", "applied_at", "receipt", "exception", "outcome", "waits")
_TOLD = tuple((name, name.removeprefix("b_")) for name in (*_KEY, *_CHANGES))
_INSERT = insert(_TABLE)
_UPDATE = update(_TABLE).where(*_SAME).values({name: bindparam(name) for name in _CHANGES})


def load(session: Session, *conditions: ColumnElement[bool] | Any) -> list[Row]:
    """Rows, apart from the session."""
    session.flush()
    return [Row(*found) for found in session.connection().execute(select(*_COLUMNS).where(*conditions))]


def load_at(session: Session, indexes: Iterable[int], *conditions: ColumnElement[bool]) -> list[Row]:
    """Rows of these log positions."""
    wanted = sorted(set(indexes))
    pieces = [wanted[at : at + MANY] for at in range(0, len(wanted), MANY)]
    return [row for piece in pieces for row in load(session, Enforcement.log_index.in_(piece), *conditions)]


def add(session: Session, rows: Iterable[Row]) -> None:
    """New ones."""
    if made := [{name: getattr(row, name) for name in FIELDS} for row in rows]:
        session.connection().execute(_INSERT, made)


def change(session: Session, rows: Iterable[Row]) -> None:
    """What receipts and time change of those that are there: not when they are due, which stands in two indexes."""
    if made := [{name: getattr(row, field) for name, field in _TOLD} for row in rows]:
        session.connection().execute(_UPDATE, made)


def postpone(session: Session, rows: Iterable[Row]) -> None:
    """When they are due, and what came of them by that."""
    if made := [{**{name: getattr(row, name[2:]) for name in _KEY}, "due_at": row.due_at, "outcome": row.outcome} for row in rows]:
        session.connection().execute(update(_TABLE).where(*_SAME).values(due_at=bindparam("due_at"), outcome=bindparam("outcome")), made)


def of(session: Session, indexes: Iterable[int]) -> dict[tuple[int, str], Bound]:
    """Obligations of log positions, by position and kind."""
    wanted = sorted(set(indexes))
    found: dict[tuple[int, str], Bound] = {}
    for at in range(0, len(wanted), MANY):
        piece = wanted[at : at + MANY]
        neighbours = piece[-1] - piece[0] < 2 * MANY  # as a receipt covers them
        condition = Obligation.log_index.between(piece[0], piece[-1]) if neighbours else Obligation.log_index.in_(piece)
        found.update({(each.log_index, each.kind): each for each in bound(session, condition)})
    return found


def bound(session: Session, *conditions: ColumnElement[bool], limit: int | None = None) -> list[Bound]:
    """Obligations as rows are judged by them, in the order of the log."""
    chosen = select(*_OBLIGED).where(*conditions).order_by(Obligation.log_index, Obligation.kind).limit(limit)
    return [Bound(*each) for each in session.connection().execute(chosen)]


def week(at: int) -> int:
    """The week of a time, from Monday 00:00 UTC; 1970 began in week 0, on a Thursday."""
    return (at + 3 * DAY) // WEEK


def begins(number: int) -> int:
    """When a week begins, in unix seconds."""
    return number * WEEK - 3 * DAY


def weeks(names: Iterable[str], *found: Iterable[Row]) -> dict[str, set[int]]:
    """By operator, the weeks in which rows fall due."""
    touched: dict[str, set[int]] = {name: set() for name in names}
    for some in found:
        for row in some:
            touched[row.operator].add(week(row.due_at))
    return touched


def count(session: Session, indexes: Iterable[int], touched: Mapping[str, Iterable[int]]) -> None:
    """Counts anew how many operators have not done what stands at these log positions, and what each did of what fell due in these weeks."""
    session.flush()
    _count_open(session, sorted(set(indexes)))
    for operator, numbers in touched.items():
        for run in _runs(sorted(set(numbers))):
            _count_weeks(session, operator, run)


def _count_open(session: Session, indexes: list[int]) -> None:
    for at in range(0, len(indexes), MANY):
        piece = indexes[at : at + MANY]
        neighbours = piece[-1] - piece[0] < 2 * MANY
        here = Obligation.log_index.between(piece[0], piece[-1]) if neighbours else Obligation.log_index.in_(piece)
        values: dict[str, Any] = {}
        for column, outcome in (("open_rows", "open"), ("terms_rows", "terms")):
            same = (Enforcement.log_index == Obligation.log_index, Enforcement.kind == Obligation.kind, Enforcement.outcome == outcome)
            values[column] = select(func.count()).select_from(Enforcement).where(*same).correlate(Obligation).scalar_subquery()
        session.execute(update(Obligation).where(here).values(values).execution_options(synchronize_session=False))


def _runs(numbers: list[int]) -> Iterator[list[int]]:
    """Neighbours together."""
    run: list[int] = []
    for number in numbers:
        if run and number != run[-1] + 1:
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def _count_weeks(session: Session, operator: str, run: list[int]) -> None:
    within = (Enforcement.operator == operator, Enforcement.due_at >= begins(run[0]), Enforcement.due_at < begins(run[-1] + 1))
    wanted = (Enforcement.kind, Enforcement.outcome, Enforcement.action, Enforcement.due_at, Enforcement.begins_at, Enforcement.taken_at)
    made: dict[tuple[str, int], dict[str, Any]] = {}
    for kind, outcome, action, due, began, taken in session.execute(select(*wanted).where(*within)):
        found = made.get((kind, week(due)))
        if found is None:
            blank = dict.fromkeys(("applied", "late", "missed", "void", "terms", "open", "worst"), 0)
            found = made[kind, week(due)] = {"operator": operator, "kind": kind, "week": week(due), **blank, "times": {}}
        found[outcome] += 1
        if taken is not None and action not in SELF_ENDING:
            seconds = max(0, taken - began)
            name = str(spread.bucket(seconds))
            found["times"][name] = found["times"].get(name, 0) + 1
            found["worst"] = max(found["worst"], seconds)
    old = (EnforcementWeek.operator == operator, EnforcementWeek.week.between(run[0], run[-1]))
    session.execute(delete(EnforcementWeek).where(*old).execution_options(synchronize_session=False))
    if made:
        session.execute(insert(EnforcementWeek), list(made.values()))
