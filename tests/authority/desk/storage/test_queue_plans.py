"""On PostgreSQL, whose planner goes by estimates: no page of any queue reads thousands of cases to show fifty, or none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import event, insert

from authority.desk import queues
from authority.desk.roles import Actor
from authority.desk.states import CLOSED
from authority.desk.store import Store
from authority.desk.tables import Base, Case

CASES = 40_000
MOST_LEFT_OUT = 5000
"""Rows that one query may look at in vain."""


def test_no_queue_looks_at_thousands_of_cases_in_vain(new_store: Callable[[str], Store]) -> None:
    """Half of the cases ended long ago and have no clock; those that run are of one state: by each figure alone, many would be ended and have one."""
    store = new_store("postgresql")
    Base.metadata.create_all(store.engine)
    with store.writing() as session:
        session.execute(insert(Case), [_case(number) for number in range(1, CASES + 1)])
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE desk_case")
    asked: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "desk_case" in statement:
            asked.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    with store.reading() as session:
        for queue in queues.QUEUES:
            queues.page(session, Actor("o.martin", frozenset({"officer"}), 3), queue, CASES)
    event.remove(store.engine, "before_cursor_execute", note)
    assert len(asked) > len(queues.QUEUES)
    with store.engine.connect() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters).scalar_one()
            assert _left_out(plan[0]["Plan"]) <= MOST_LEFT_OUT, (parameters, json.dumps(plan, indent=1))


def _case(number: int) -> dict[str, Any]:
    ended = number % 2 == 0
    state = sorted(CLOSED)[number % len(CLOSED)] if number % 20 == 0 else "restored" if ended else "in_force"
    return {
        "number": f"2026-{number:06}", "title": f"site{number}.test", "state": state, "state_since": number, "opened_at": number,
        "closed_at": number if ended else None, "due_at": None if ended else (number * 7919) % (2 * CASES), "facts": {},
    }  # fmt: skip


def _left_out(plan: dict[str, Any]) -> int:
    return int(plan.get("Rows Removed by Filter", 0)) + sum(_left_out(each) for each in plan.get("Plans", []))
