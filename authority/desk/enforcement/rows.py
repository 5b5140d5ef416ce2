"""Rows of the table `enforcement`, many at once, and what is counted of them by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.orm import Session

from authority.desk.enforcement import spread
from authority.desk.enforcement.fulfilment import SELF_ENDING, Row
from authority.desk.enforcement.tables import Enforcement, EnforcementDay, Obligation

DAY = 86_400
MANY = 500
"""Values in one statement."""
FIELDS = tuple(Row.__dataclass_fields__)
_COLUMNS = tuple(getattr(Enforcement, name) for name in FIELDS)


def load(session: Session, *conditions: ColumnElement[bool] | Any) -> list[Row]:
    """Rows, apart from the session."""
    return [Row(*found) for found in session.execute(select(*_COLUMNS).where(*conditions))]


def add(session: Session, rows: Iterable[Row]) -> None:
    """New ones."""
    if made := [_document(row) for row in rows]:
        session.execute(insert(Enforcement), made)


def change(session: Session, rows: Iterable[Row]) -> None:
    """Those that are there."""
    if made := [_document(row) for row in rows]:
        session.execute(update(Enforcement), made)


def _document(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}


def of(session: Session, indexes: Iterable[int]) -> dict[tuple[int, str], Obligation]:
    """Obligations of log positions, by position and kind."""
    wanted = sorted(set(indexes))
    found: dict[tuple[int, str], Obligation] = {}
    for at in range(0, len(wanted), MANY):
        piece = wanted[at : at + MANY]
        neighbours = piece[-1] - piece[0] < 2 * MANY  # as a receipt covers them
        condition = Obligation.log_index.between(piece[0], piece[-1]) if neighbours else Obligation.log_index.in_(piece)
        found.update({(each.log_index, each.kind): each for each in session.scalars(select(Obligation).where(condition))})
    return found


def count(session: Session, indexes: Iterable[int], days: Mapping[str, Iterable[int]]) -> None:
    """Counts anew how many operators have not done what stands at these log positions, and what each did of what fell due on these days."""
    session.flush()
    _count_open(session, sorted(set(indexes)))
    for operator, touched in days.items():
        for day in sorted(set(touched)):
            _count_day(session, operator, day)


def _count_open(session: Session, indexes: list[int]) -> None:
    for at in range(0, len(indexes), MANY):
        piece = indexes[at : at + MANY]
        values: dict[str, Any] = {}
        for column, outcome in (("open_rows", "open"), ("terms_rows", "terms")):
            same = (Enforcement.log_index == Obligation.log_index, Enforcement.kind == Obligation.kind, Enforcement.outcome == outcome)
            values[column] = select(func.count()).select_from(Enforcement).where(*same).correlate(Obligation).scalar_subquery()
        session.execute(update(Obligation).where(Obligation.log_index.in_(piece)).values(values).execution_options(synchronize_session=False))


def _count_day(session: Session, operator: str, day: int) -> None:
    within = (Enforcement.operator == operator, Enforcement.due_at >= day * DAY, Enforcement.due_at < (day + 1) * DAY)
    made: dict[str, dict[str, Any]] = {}
    for kind, outcome, action, begins, taken in session.execute(
        select(Enforcement.kind, Enforcement.outcome, Enforcement.action, Enforcement.begins_at, Enforcement.taken_at).where(*within)
    ):
        found = made.setdefault(kind, {"times": {}, "worst": 0})
        found[outcome] = found.get(outcome, 0) + 1
        if taken is not None and action not in SELF_ENDING:
            seconds = max(0, taken - begins)
            name = str(spread.bucket(seconds))
            found["times"][name] = found["times"].get(name, 0) + 1
            found["worst"] = max(found["worst"], seconds)
    session.execute(delete(EnforcementDay).where(EnforcementDay.operator == operator, EnforcementDay.day == day))
    blank = dict.fromkeys(("applied", "late", "missed", "void", "terms", "open"), 0)
    if rows := [{"operator": operator, "kind": kind, "day": day, **blank, **found} for kind, found in made.items()]:
        session.execute(insert(EnforcementDay), rows)
