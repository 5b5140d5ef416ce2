"""What goes in and out of cases: lists, one case, its timeline, steps, facts."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from authority.desk.web.api.shapes.common import In, Out, Text, Version, Why


class Row(Out):
    """A case in a list."""

    number: str
    title: str
    category: str
    state: str
    state_since: int
    opened_at: int
    urgent: bool
    emergency: bool
    appeals: int
    due_at: int | None


class Rows(Out):
    cases: list[Row]
    after: str | None


class Hit(Out):
    case: Row
    by: str
    found: str


class Name(Out):
    name: str
    match: str


class Clock(Out):
    name: str
    subject: str
    began_at: int
    due_at: int
    ended_at: int | None
    overdue: bool


class Case(Row):
    closed_at: int | None
    order_id: str | None
    ends_at: int | None
    version: int
    names: list[Name]
    facts: dict[str, Any]
    missing: Annotated[list[str], Field(description="What an order still lacks.")]
    steps: Annotated[list[str], Field(description="Steps open to whose token it is, in the case's state.")]
    clocks: list[Clock]


class Event(Out):
    number: int
    at: int
    who: str
    step: str
    before: str
    after: str
    why: str
    details: dict[str, Any]


class Step(In):
    why: Why
    version: Version = None
    details: dict[Annotated[str, Field(max_length=40)], Text] = Field(
        default_factory=dict, max_length=20, description="What the step asks for; see above."
    )


class Facts(In):
    """What the next order says: only what is given changes; null takes a fact away."""

    why: Why
    version: Version = None
    facts: Annotated[dict[Annotated[str, Field(max_length=40)], Any], Field(max_length=20)]
