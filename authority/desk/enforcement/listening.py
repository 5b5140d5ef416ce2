"""From an operator's receipts, in the order of its chain, to its rows. One transaction's work."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import audit
from authority.desk.enforcement import fulfilment, rows
from authority.desk.enforcement.fulfilment import Heard, Row
from authority.desk.enforcement.obligations import Bound
from authority.desk.enforcement.tables import Enforcement, Obligation, OperatorRecord
from authority.desk.roles import LOG
from authority.receipts import Kept
from blocklists.receipt import Exempt

_log = logging.getLogger("authority")
_Owed = Mapping[tuple[int, str], Bound]


def take(session: Session, record: OperatorRecord, piece: Sequence[tuple[Kept, bool]], most: int, now: int) -> int:
    """Takes the operator's next receipts, each with whether it names a state that our log had; others prove nothing, and sound an alarm.

    Entries from the log position `most` on are left: only the last receipt may speak of them, and it is taken again then, from there on. How many
    were taken whole. That a part of a receipt is heard twice changes nothing.
    """
    before = fulfilment.by_order([Exempt.model_validate(each) for each in record.exceptions])
    first = record.size
    heard = [fulfilment.heard(kept.receipt, kept.at) for kept, ours in piece if ours]
    largest = min(most, max([first, *(each.size for each in heard)]))
    whole = piece[:-1] if piece[-1][1] and piece[-1][0].receipt.checkpoint.size > most else piece
    mine = Enforcement.operator == record.operator
    waiting = rows.load(session, mine, Enforcement.waits)
    new = rows.load(
        session, mine, Enforcement.log_index >= first, Enforcement.log_index < largest, Enforcement.taken_at.is_(None), ~Enforcement.waits
    )
    owed = rows.of(session, [row.log_index for row in (*waiting, *new)])
    ending = _fold(waiting, sorted(new, key=lambda row: row.log_index), owed, record, heard, most)
    _note(session, record, whole, now)
    after = fulfilment.by_order([Exempt.model_validate(each) for each in record.exceptions])
    changed = {(row.log_index, row.kind): row for row in (*waiting, *new)}
    others = _excepted(session, record, {each for each in {*before, *after} if before.get(each) != after.get(each)})
    changed.update({key: row for key, row in others.items() if key not in changed})
    owed = {**owed, **rows.of(session, [index for index, _ in others])}
    for (index, kind), row in changed.items():
        row.exception = fulfilment.exception(row, owed[index, kind], after) if index < record.size else None
    left = fulfilment.left_at(record.away)
    for row in (*changed.values(), *ending):
        row.outcome = fulfilment.judge(row, owed[row.log_index, row.kind], left, now)
    rows.change(session, changed.values())
    rows.add(session, ending)
    touched = [*changed.values(), *ending]
    rows.count(session, [row.log_index for row in touched], rows.weeks([record.operator], touched))
    return len(whole)


def _fold(waiting: list[Row], new: list[Row], owed: _Owed, record: OperatorRecord, heard: Sequence[Heard], most: int) -> list[Row]:
    """Takes receipts into rows; the rows that they begin: of orders that ended by their terms before we knew that they were in force there."""
    ending: list[Row] = []
    watched = list(waiting)
    covered = 0
    for each in heard:
        record.size = max(record.size, min(each.size, most))
        while covered < len(new) and new[covered].log_index < record.size:
            watched.append(new[covered])
            covered += 1
        still: list[Row] = []
        for row in watched:
            obligation = owed[row.log_index, row.kind]
            if row.log_index < each.size:
                fulfilment.hear(row, obligation, each)
            if row.waits:
                still.append(row)
            elif row.taken_at is not None and row.kind == "block" and obligation.ended:
                lift = owed.get((row.log_index, "lift"))
                if lift is not None and fulfilment.owes(lift, record.away):
                    ending.append(fulfilment.first_row(lift, record.operator, record.away))
                    still.append(ending[-1])
        watched = still
    return ending


def _note(session: Session, record: OperatorRecord, piece: Sequence[tuple[Kept, bool]], now: int) -> None:
    for kept, ours in piece:
        made = kept.receipt
        record.number, record.at, record.taken_at, record.newest_size = made.number, made.at, kept.at, made.checkpoint.size
        if ours:
            record.exceptions = [each.model_dump() for each in made.exceptions]
        elif record.ours:
            _log.error("ALARM %s has a log in force that was never ours; receipt %d proves nothing; find who signed it", record.operator, made.number)
            audit.record(session, LOG, "compliance.foreign", f"operator:{record.operator}", now, receipt=made.number)
        record.ours = ours


def _excepted(session: Session, record: OperatorRecord, ids: set[str]) -> dict[tuple[int, str], Row]:
    """Rows of orders of which the newest receipt says something else than the one before."""
    indexes: list[int] = []
    for at in range(0, len(ids), rows.MANY):
        piece = sorted(ids)[at : at + rows.MANY]
        indexes += session.scalars(select(Obligation.log_index).where(Obligation.order_id.in_(piece), Obligation.kind == "block")).all()
    found: dict[tuple[int, str], Row] = {}
    for at in range(0, len(indexes), rows.MANY):
        piece_of = indexes[at : at + rows.MANY]
        these = (Enforcement.operator == record.operator, Enforcement.kind == "block", Enforcement.log_index.in_(piece_of))
        found.update({(row.log_index, row.kind): row for row in rows.load(session, *these)})
    return found
