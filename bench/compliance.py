"""How long the queries behind the compliance pages take: 50,000 orders at 20 operators, a tenth withdrawn, one operator silent from the middle on.

    python -m bench.compliance [ORDERS [OPERATORS]]

The tables are filled by SQL as the fold would leave them; that the fold leaves them so is what tests hold. Times are of this process alone, the best
and the worst of five.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from authority.desk.enforcement import fleet, rows
from authority.desk.enforcement.fulfilment import Row
from authority.desk.enforcement.tables import Enforcement, Obligation, OperatorRecord
from authority.desk.roles import Actor
from authority.desk.store import Store
from authority.desk.tables import Base

NOW = 1_790_000_000
DAY = 86_400
YEAR = 365 * DAY
OFFICER = Actor("officer", frozenset({"officer"}), 1)


def fill(store: Store, orders: int, operators: int) -> None:
    """A year of orders, evenly."""
    names = [f"op-{number:02}" for number in range(operators)]
    with store.writing() as session:
        for name in names:
            session.add(OperatorRecord(operator=name, name=name, away=[[0, NOW - YEAR]], number=1, size=orders, newest_size=orders, exceptions=[]))
        for start in range(0, orders, 5000):
            many = range(start, min(orders, start + 5000))
            session.execute(insert(Obligation), [_obligation(index, orders) for index in many])
            rows.add(session, _rows(many, orders, names))
        every = range(rows.week(NOW - YEAR), rows.week(NOW + 2 * DAY) + 1)
        rows.count(session, [], dict.fromkeys(names, every))


def _began(index: int, orders: int) -> int:
    return NOW - YEAR + index * YEAR // orders


def _obligation(index: int, orders: int) -> dict[str, Any]:
    began = _began(index, orders)
    kind = "lift" if index % 10 == 9 else "block"
    return {
        "log_index": index, "kind": kind, "order_id": f"XX-{index - index % 10 % 9}", "action": "withdraw" if kind == "lift" else "block",
        "category": "terrorism", "title": f"n{index}.test", "names": 1, "digest": "sha256:", "logged_at": began, "begins_at": began, "hours": 24,
        "due_at": began + DAY, "closers": [], "settled_at": began,
    }  # fmt: skip


def _rows(many: Iterable[int], orders: int, names: list[str]) -> Iterable[Row]:
    for index in many:
        began = _began(index, orders)
        kind, action = ("lift", "withdraw") if index % 10 == 9 else ("block", "block")
        for number, name in enumerate(names):
            row = Row(index, kind, name, action, began, began + DAY)
            if number or index < orders // 2:
                took = (index * 7919 + number * 104_729) % 900 + (90_000 if index % 100 == number else 0)
                row.received_at = row.taken_at = row.applied_at = began + took
                row.receipt, row.outcome = index + 1, "late" if took > DAY else "applied"
            yield row


def main() -> None:
    """Fills a database, and times what the pages ask of it."""
    orders, operators = (int(each) for each in (*sys.argv[1:], *("50000", "20")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as directory:
        store = Store(f"sqlite:///{Path(directory) / 'desk.db'}")
        Base.metadata.create_all(store.engine)
        begun = time.perf_counter()
        fill(store, orders, operators)
        with store.reading() as session:
            print(f"{len(session.scalars(select(Enforcement.log_index)).all())} rows in {time.perf_counter() - begun:.1f} s")
        for what, ask in _asked(orders, operators):
            times = []
            for _ in range(5):
                begun = time.perf_counter()
                with store.reading() as session:
                    ask(session)
                times.append(time.perf_counter() - begun)
            print(f"{what:<40} {min(times) * 1000:8.1f} ms   {max(times) * 1000:8.1f} ms")
        store.close()


def _asked(orders: int, operators: int) -> Iterable[tuple[str, Callable[[Session], Any]]]:
    for weeks in (4, 52):
        yield f"fleet, {weeks} weeks", partial(fleet.fleet, actor=OFFICER, now=NOW, last=weeks)
    yield "13 weeks of all", partial(fleet.weeks, actor=OFFICER, now=NOW, count=13)
    for what, name in (("silent", "op-00"), ("good", f"op-{operators - 1:02}")):
        yield f"the {what} operator", partial(fleet.operator, actor=OFFICER, name=name, now=NOW, last=4)
        for show in fleet.SHOWS:
            yield f"the {what} operator's {show}", partial(fleet.listed, actor=OFFICER, name=name, show=show, now=NOW)
        month = partial(fleet.late_rows, actor=OFFICER, name=name, begin=NOW - 60 * DAY, end=NOW - 30 * DAY, now=NOW)
        yield f"the {what} operator's month", month
    yield "one order", partial(fleet.order, actor=OFFICER, index=orders // 3, now=NOW)


if __name__ == "__main__":
    main()
