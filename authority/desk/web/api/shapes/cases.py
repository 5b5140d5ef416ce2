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
    officer: Annotated[str | None, Field(description="The login of who has it.")]
    content_forbidden: Annotated[str, Field(description="Why no content may be kept as evidence; empty: it may.")]


class Choice(Out):
    value: str
    label: str


class Field_(Out):
    name: str
    label: str
    kind: Annotated[str, Field(description="line, text, choice, names (one a line), hours, number, date (2026-03-31), mail.")]
    hint: str
    needed: bool
    choices: Annotated[list[Choice], Field(description="What a choice is of.")]


class Form(Out):
    """A step that whose token it is may take now, and what its `details` are."""

    step: str
    title: str
    says: str
    why: Annotated[str, Field(description="What `why` is asked for.")]
    main: Annotated[bool, Field(description="Whether it moves the case on.")]
    fields: list[Field_]


class Forms(Out):
    """What can be done with a case now."""

    version: int
    forms: list[Form]
    drafts: Annotated[list[str], Field(description="Orders that may be drafted.")]
    missing: Annotated[list[str], Field(description="What a block still lacks.")]
    facts: Annotated[bool, Field(description="Whether what the order will say may be written.")]


class Referral(Out):
    id: int
    reference: str
    source: str
    sender: str
    contact: str
    names: list[Any]
    location: str
    category: str
    words: str
    threat: bool
    taken_at: int


class Message(Out):
    """Mail about a case."""

    id: int
    kind: str
    recipient: str
    subject: str
    body: str
    made_at: int
    sent_at: int | None
    failed_at: int | None
    tries: int
    proof: Annotated[str, Field(description="What the mail server answered, or the file it became.")]


class Took(Out):
    """How long a case was in one state."""

    state: str
    since: int
    seconds: int
    by: Annotated[str, Field(description="The step that led there.")]


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
