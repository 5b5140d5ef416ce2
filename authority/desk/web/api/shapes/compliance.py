"""What goes out of who carried out what."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from authority.desk.web.api.shapes.common import Out


class Sums(Out):
    applied: int
    late: int
    missed: int
    void: int
    terms: int
    open: int
    worst: int
    median: int | None
    most: int | None


class Operator(Out):
    operator: str
    name: str
    at: int
    taken_at: int
    behind: int
    silent: int
    withheld: int
    left_at: int | None
    block: Sums
    lift: Sums


class Obliged(Out):
    operator: str
    log_index: int
    kind: str
    action: str
    order_id: str
    due_at: int
    received_at: int | None
    taken_at: int | None
    applied_at: int | None
    state: str
    exceptions: list[Any]


class Obligations(Out):
    rows: list[Obliged]
    after: str


class Week(Out):
    number: Annotated[int, Field(description="Of the week, counted from 1970.")]
    begins_at: int
    block: Sums
    lift: Sums


class Place(Out):
    """One operator on the scoreboard: blocks and restorings together."""

    operator: str
    name: str
    owed: int
    share: Annotated[float | None, Field(description="Of what was owed, what was done in time.")]
    sums: Sums


class Worked(Out):
    """One late order, and what it would cost."""

    row: Obliged
    amount: Annotated[int, Field(description="In the currency's smallest unit.")]
    working: list[str]


class Owed(Out):
    """What the penalty schedule computes for one month. It decides nothing."""

    operator: str
    month: str
    currency: str
    total: Annotated[int, Field(description="Of all late orders, in the currency's smallest unit.")]
    worked: list[Worked]
    more: Annotated[int, Field(description="Late orders whose working is not here; the export has all.")]
