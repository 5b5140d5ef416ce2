"""From the log to obligations, and to a row for each operator; and what time alone ends. Each function is one transaction's work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from authority.desk.enforcement import fulfilment, obligations, rows
from authority.desk.enforcement.fulfilment import SELF_ENDING, Row
from authority.desk.enforcement.obligations import Bound
from authority.desk.enforcement.tables import Enforcement, EnforcementWeek, Obligation, OperatorRecord
from blocklists.log.entry import Entry
from blocklists.trust.policy import Policy

MOST = 250
"""Entries, and ends, in one transaction."""
TOGETHER = 2000
"""Rows of one operator in one transaction."""


def take(session: Session, policy: Policy, start: int, piece: Sequence[Entry], now: int) -> None:
    """Takes the log's next entries, the first of which stands at `start`."""
    records = _records(session)
    found = [(index, entry, order) for index, entry in enumerate(piece, start) if (order := obligations.read(entry)) is not None]
    chains: dict[str, list[Obligation]] = {order.id: [] for _, _, order in found}
    for each in session.scalars(select(Obligation).where(Obligation.order_id.in_(chains)).order_by(Obligation.log_index)):
        chains[each.order_id].append(each)
    dues = {(each.log_index, each.kind): each.due_at for chain in chains.values() for each in chain}
    ends = {(each.log_index, each.kind): each.end_at for chain in chains.values() for each in chain}
    made: list[Obligation] = []
    for index, entry, order in found:
        new = obligations.follow(index, entry, order, chains[order.id], policy)
        if new is not None:
            chains[order.id].append(new)
            made.append(new)
    session.add_all(made)
    session.flush()
    fresh = [row for record in records.values() for row in _owed(made, record, now)]
    rows.add(session, fresh)
    weeks = rows.weeks(records, fresh)
    for chain in chains.values():
        for each in chain:
            if dues.get((each.log_index, each.kind), each.due_at) != each.due_at:
                _postpone(session, each, records, weeks, now)
            if ends.get((each.log_index, each.kind), each.end_at) != each.end_at:
                _forgo(session, each, records, weeks)
    rows.count(session, [each.log_index for each in made], weeks)


def end(session: Session, policy: Policy, now: int) -> int:
    """Judges obligations that bind no more, at most MOST of them; how many."""
    over = (Obligation.ended.is_(False), Obligation.end_at <= now)
    ended = session.scalars(select(Obligation).where(*over).order_by(Obligation.end_at, Obligation.log_index).limit(MOST)).all()
    records = _records(session)
    fresh: list[Row] = []
    changed: list[Row] = []
    by_key = {(each.log_index, each.kind): each for each in ended}
    lifts: dict[int, Obligation] = {}
    for each in ended:
        each.ended = True
        if each.kind == "block" and obligations.by_its_terms(each):
            lifts[each.log_index] = obligations.at_its_end(each, policy)
    session.add_all(lifts.values())
    for row in rows.load_at(session, (index for index, _ in by_key)):
        if (row.log_index, row.kind) not in by_key:
            continue
        if row.taken_at is not None:
            if row.log_index in lifts and row.kind == "block":
                fresh += _owed([lifts[row.log_index]], records[row.operator], now)
            continue
        row.outcome = fulfilment.judge(row, by_key[row.log_index, row.kind], fulfilment.left_at(records[row.operator].away), now)
        changed.append(row)
    session.flush()
    rows.add(session, fresh)
    rows.change(session, changed)
    rows.count(session, [each.log_index for each in ended], rows.weeks(records, fresh, changed))
    return len(ended)


def reset(session: Session, record: OperatorRecord) -> None:
    """Begins to make an operator's rows as before any receipt of it: what it owes has changed, or is to be made anew. `rebuild` goes on."""
    forget(record)
    session.flush()
    mine = record.operator
    session.execute(delete(EnforcementWeek).where(EnforcementWeek.operator == mine).execution_options(synchronize_session=False))
    session.execute(delete(Enforcement).where(Enforcement.operator == mine).execution_options(synchronize_session=False))
    record.unbuilt = 0


def unbuilt(session: Session) -> list[str]:
    """Operators whose rows are not all made again yet."""
    return list(session.scalars(select(OperatorRecord.operator).where(OperatorRecord.unbuilt.is_not(None)).order_by(OperatorRecord.operator)))


def rebuild(session: Session, operator: str, now: int) -> bool:
    """Makes the next of its rows, of at most TOGETHER obligations; whether some are left."""
    record = session.get_one(OperatorRecord, operator)
    if record.unbuilt is None:
        return False
    some = rows.bound(session, Obligation.log_index >= record.unbuilt, Obligation.action.not_in(SELF_ENDING), limit=TOGETHER)
    fresh = _owed(some, record, now)
    rows.add(session, fresh)
    rows.count(session, [each.log_index for each in some], rows.weeks([operator], fresh))
    record.unbuilt = some[-1].log_index + 1 if len(some) == TOGETHER else None
    return record.unbuilt is not None


def forget(record: OperatorRecord) -> None:
    """As before its first receipt."""
    record.number = record.size = record.newest_size = record.at = record.taken_at = 0
    record.ours, record.exceptions = True, []


def _owed(made: Sequence[Obligation | Bound], record: OperatorRecord, now: int) -> list[Row]:
    found = []
    for each in made:
        if fulfilment.owes(each, record.away):
            row = fulfilment.first_row(each, record.operator, record.away)
            row.outcome = fulfilment.judge(row, each, fulfilment.left_at(record.away), now)
            found.append(row)
    return found


def _postpone(session: Session, obligation: Obligation, records: Mapping[str, OperatorRecord], weeks: dict[str, set[int]], now: int) -> None:
    """A suspension moved what was due; who was judged already, for an operator that left, is judged anew."""
    found = rows.load(session, Enforcement.log_index == obligation.log_index, Enforcement.kind == obligation.kind)
    for row in found:
        weeks[row.operator].add(rows.week(row.due_at))
        away = records[row.operator].away
        row.due_at = fulfilment.due(obligation, away)
        row.outcome = fulfilment.judge(row, obligation, fulfilment.left_at(away), now)
        weeks[row.operator].add(rows.week(row.due_at))
    rows.postpone(session, found)


def _forgo(session: Session, obligation: Obligation, records: Mapping[str, OperatorRecord], weeks: dict[str, set[int]]) -> None:
    """It ended before some operators came, as is seen only now, when the log is followed anew in pieces: they never owed it."""
    for record in records.values():
        if not fulfilment.owes(obligation, record.away):
            here = (Enforcement.log_index == obligation.log_index, Enforcement.kind == obligation.kind, Enforcement.operator == record.operator)
            weeks[record.operator].update(rows.week(row.due_at) for row in rows.load(session, *here))
            session.execute(delete(Enforcement).where(*here).execution_options(synchronize_session=False))


def _records(session: Session) -> dict[str, OperatorRecord]:
    return {each.operator: each for each in session.scalars(select(OperatorRecord))}
