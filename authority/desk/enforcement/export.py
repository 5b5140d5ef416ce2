"""Who carried out what, as CSV (RFC 4180) or as JSON, one row for each operator and obligation, streamed in pieces."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, tuple_

from authority.desk import audit
from authority.desk.desk import Desk
from authority.desk.enforcement import fleet, fulfilment, penalty
from authority.desk.enforcement.fleet import Shown
from authority.desk.enforcement.tables import Enforcement, OperatorRecord
from authority.desk.roles import Actor

PIECE = 1000
FIELDS = (
    "operator", "order", "log_index", "kind", "action", "category", "name", "names", "logged_at", "due_at", "received_at", "done_at",
    "done_at_by_operator", "receipt", "state", "late_seconds", "exceptions", "penalty", "currency",
)  # fmt: skip
"""Times are the authority's, in UTC; `done_at_by_operator` is the operator's own. `penalty` is in the currency's smallest unit."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def documents(desk: Desk, actor: Actor, begin: int, end: int, now: int, operator: str | None = None) -> Iterator[dict[str, Any]]:
    """What was due from `begin` to before `end` (unix seconds), operator by operator, the latest first. Logged before the first row.

    Raises Forbidden, NotFound for an operator that is not the actor's own.
    """
    if operator is not None:
        fleet.require(actor, operator)
    chosen = operator or fleet.scope(actor)
    with desk.store.writing() as session:
        audit.record(session, actor, "compliance.export", f"operator:{chosen}" if chosen else "compliance", now, begin=begin, end=end)
        known = select(OperatorRecord).where(*([OperatorRecord.operator == chosen] if chosen else [])).order_by(OperatorRecord.operator)
        records = session.scalars(known).all()
        procedure = desk.procedure(session)

    def made() -> Iterator[dict[str, Any]]:
        for record in records:
            left = fulfilment.left_at(record.away)
            for each in _all(desk, record.operator, begin, end, now):
                owed = penalty.amount(facts(each, left), procedure.penalty, now)
                yield document(each, left, now) | {"penalty": owed, "currency": procedure.currency}

    return made()


def facts(shown: Shown, left: int | None) -> penalty.Facts:
    """What a penalty is computed from."""
    row, obligation = shown.row, shown.obligation
    return penalty.facts(row.kind, row.action, row.due_at, row.taken_at, obligation.end_at, row.exception, left)


def document(shown: Shown, left: int | None, now: int) -> dict[str, Any]:
    """One row, without its penalty."""
    row, obligation = shown.row, shown.obligation
    ends = facts(shown, left).end_at
    late = 0 if row.action in fulfilment.SELF_ENDING else fulfilment.late_seconds(row.due_at, row.taken_at, ends, now)
    return {
        "operator": row.operator, "order": obligation.order_id, "log_index": row.log_index, "kind": row.kind, "action": row.action,
        "category": obligation.category, "name": obligation.title, "names": obligation.names, "logged_at": _time(obligation.logged_at),
        "due_at": _time(row.due_at), "received_at": _time(row.received_at), "done_at": _time(row.taken_at),
        "done_at_by_operator": _time(row.applied_at), "receipt": row.receipt, "state": shown.state, "late_seconds": late,
        "exceptions": list(row.exception or ()),
    }  # fmt: skip


def as_csv(found: Iterator[dict[str, Any]]) -> Iterator[str]:
    """Lines with a header. A text that a spreadsheet would take for a formula begins with an apostrophe."""
    yield _line(FIELDS)
    for each in found:
        said = "; ".join(f"{one['what']}: {one['why']}" for one in each["exceptions"])
        yield _line([_plain(said if name == "exceptions" else each[name]) for name in FIELDS])


def as_json(found: Iterator[dict[str, Any]]) -> Iterator[str]:
    """One array."""
    before = "["
    for each in found:
        yield before + json.dumps(each, ensure_ascii=False)
        before = ",\n"
    yield "]\n" if before != "[" else "[]\n"


def _all(desk: Desk, operator: str, begin: int, end: int, now: int) -> Iterator[Shown]:
    after: tuple[int, int, str] | None = None
    while True:
        conditions = [Enforcement.operator == operator, Enforcement.due_at >= begin, Enforcement.due_at < end]
        if after is not None:
            conditions.append(tuple_(Enforcement.due_at, Enforcement.log_index, Enforcement.kind) < after)
        with desk.store.reading() as session:
            found = fleet.rows(session, conditions, now, PIECE)
        yield from found
        if len(found) < PIECE:
            return
        after = (found[-1].row.due_at, found[-1].row.log_index, found[-1].row.kind)


def _line(values: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue()


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
