"""What goes in and out of orders: drafts, guards, who signed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from authority.desk.web.api.shapes.common import Act, In, Line, Out, Text, Version, Why


class Draft(In):
    what: Literal["block", "renew", "amend", "withdraw", "suspend", "confirm", "recommend"]
    why: Why
    reasons: Annotated[
        dict[Annotated[str, Field(max_length=20)], Text] | None,
        Field(max_length=20, description="By language, as visitors read them; by default `why`."),
    ] = None
    version: Version = None


class Override(Act):
    guard: Line
    name: Line


class Finding(Out):
    guard: str
    name: str
    match: str
    objection: str
    note: str
    may_override: bool
    by: str
    why: str
    tool: str
    data_version: str


class Need(Out):
    whose: str
    threshold: int
    signed: list[str]
    able: list[str]
    missing: int


class Order(Out):
    digest: str
    order_id: str
    case: str
    action: str
    what: str
    threshold: int
    made_at: int
    made_by: str
    ended_at: int | None
    log_index: int | None
    published_at: int | None
    guards: list[Finding]


class Signed(Order):
    """An order with who signed it."""

    needs: list[Need]
    complete: bool
    text: Annotated[str, Field(description="All that is signed, line by line.")]
