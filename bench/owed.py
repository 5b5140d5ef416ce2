"""What twenty operators owed and did of 50,000 logged orders, written at once for `bench.desk`: following the log row by row takes minutes.

The rows are of the shape that `authority.desk.compliance` makes; its own counting counts them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from authority.desk import compliance
from authority.desk.enforcement import rows
from authority.desk.enforcement.tables import Enforcement, Obligation, OperatorRecord
from authority.desk.tables import Counter

HOUR = 3600
SILENT = ("op-18", "op-19")
"""They have sent no receipt for months."""
PIECE = 20_000


def fill(session: Session, operators: list[str], logged: list[dict[str, Any]], size: int, now: int) -> None:
    """`logged`: for each entry index, at, kind, order_id, title, digest, expires_at and end_at."""
    half = now - 150 * 24 * HOUR
    session.execute(insert(OperatorRecord), [_record(name, size, half if name in SILENT else now - 300) for name in operators])
    session.execute(insert(Obligation), [_obligation(each, now) for each in logged])
    waiting: list[dict[str, Any]] = []
    for row in _rows(operators, logged, half, now):
        waiting.append(row)
        if len(waiting) == PIECE:
            session.execute(insert(Enforcement.__table__), waiting)  # type: ignore[arg-type]
            waiting.clear()
    if waiting:
        session.execute(insert(Enforcement.__table__), waiting)  # type: ignore[arg-type]
    weeks = {rows.week(each["at"] + 24 * HOUR) for each in logged}
    session.add(Counter(name=compliance.SEEN, value=size))
    rows.count(session, [], dict.fromkeys(operators, weeks))


def _record(name: str, size: int, at: int) -> dict[str, Any]:
    number = 7 if name in SILENT else 15
    reached = size * number // 15
    said = {"number": number, "size": reached, "newest_size": reached, "at": at, "taken_at": at, "ours": True, "exceptions": []}
    return {"operator": name, "name": f"Provider {name[3:]}", "away": [[0, 0]], **said}


def _obligation(each: dict[str, Any], now: int) -> dict[str, Any]:
    ended = each["end_at"] is not None and each["end_at"] <= now
    return {
        "log_index": each["index"], "kind": each["kind"], "order_id": each["order_id"], "action": each["action"], "category": "terrorism",
        "title": each["title"], "names": 1, "digest": each["digest"], "logged_at": each["at"], "begins_at": each["at"], "hours": 24,
        "due_at": each["at"] + 24 * HOUR, "expires_at": each["expires_at"], "lapses_at": None, "confirmed": None, "closers": [],
        "end_at": each["end_at"], "ended": ended, "open_rows": 0, "terms_rows": 0, "settled_at": each["at"] + 30 * HOUR,
    }  # fmt: skip


def _rows(operators: list[str], logged: list[dict[str, Any]], half: int, now: int) -> Iterator[dict[str, Any]]:
    for each in logged:
        at, end = each["at"], each["end_at"]
        for place, name in enumerate(operators):
            took = 600 + (each["index"] * 7919 + place * 104_729) % (26 * HOUR)
            silent = name in SILENT and at > half
            done = not silent and at + took < now
            outcome = ("applied" if took <= 24 * HOUR else "late") if done else "open"
            if not done and end is not None and end <= now:
                outcome = "missed"
            yield {
                "log_index": each["index"], "kind": each["kind"], "operator": name, "action": each["action"], "begins_at": at,
                "due_at": at + 24 * HOUR, "outcome": outcome, "received_at": at + took if done else None, "taken_at": at + took if done else None,
                "applied_at": at + took if done else None, "receipt": 1 if done else None, "waits": False, "exception": None,
            }  # fmt: skip
