"""What goes out of who carried out what."""

from __future__ import annotations

from typing import Any

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
