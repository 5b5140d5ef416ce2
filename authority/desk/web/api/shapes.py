"""What goes in and out of the API. Times are unix seconds, in UTC."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator


class Problem(BaseModel):
    """Why something was not done (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    field: str = ""


class In(BaseModel):
    """What a program sends: no field that we do not know, no text that no database takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        _require_plain(given)
        return given


class Out(BaseModel):
    """What we send, from our own rows."""

    model_config = ConfigDict(from_attributes=True)


def _require_plain(given: Any) -> None:
    waiting = [given]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            if "\0" in each or any("\ud800" <= sign <= "\udfff" for sign in each):
                raise ValueError("a text has a character that no text has (U+0000, or half of a surrogate pair)")
        elif isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each


Line = Annotated[str, Field(max_length=255)]
Text = Annotated[str, Field(max_length=20_000)]
Why = Annotated[str, Field(min_length=1, max_length=20_000, description="Why; it stands in the timeline and in the audit log.")]
Seconds = Annotated[int, Field(ge=0, lt=1 << 40)]
Version = Annotated[
    int | None,
    Field(ge=0, lt=1 << 31, description="Of the case, as it was read: refused with 409 if it has taken a step since. None: whatever it is."),
]
Number = Annotated[str, Path(pattern=r"^[0-9]{4}-[0-9]{6,12}$", description="The case's number, such as 2026-000123.")]
Digest = Annotated[str, Path(pattern=r"^sha256:[0-9a-f]{64}$", description="The order's digest.")]
Id = Annotated[int, Path(ge=1, lt=1 << 31)]
After = Annotated[str, Query(max_length=100, description="Where the page before ended; empty: the first page.")]


class Refer(In):
    """Something that is pointed at. Without names, those in the addresses of `location` are meant."""

    names: Annotated[list[Line], Field(max_length=100)] = []
    location: Annotated[str, Field(max_length=8000)] = ""
    category: Annotated[str, Field(max_length=64)] = ""
    words: Text = ""
    contact: Annotated[str, Field(max_length=254)] = ""
    threat: Annotated[bool, Field(description="Whether a life is in danger now.")] = False


class Taken(Out):
    reference: str
    case: Annotated[str | None, Field(description="The case's number, for who may list cases.")]
    joined: Annotated[bool, Field(description="Whether the case was there before.")]
    again: Annotated[bool, Field(description="Whether the same had been sent before.")]


class Status(Out):
    reference: str
    taken_at: int
    state: Literal["received", "looked_at", "asked", "ordered", "ended", "closed"]
    changed_at: int


class Import(Out):
    id: int
    label: str
    made_at: int
    made_by: str
    octets: int
    at_octet: int
    at_line: int
    taken: int
    joined: int
    again: int
    bad: int
    ended_at: int | None


class Fault(Out):
    id: int
    line: int
    value: str
    reason: str


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
    details: Annotated[dict[Annotated[str, Field(max_length=40)], Text], Field(max_length=20, description="What the step asks for; see above.")] = {}


class Facts(In):
    """What the next order says: only what is given changes; null takes a fact away."""

    why: Why
    version: Version = None
    facts: Annotated[dict[Annotated[str, Field(max_length=40)], Any], Field(max_length=20)]


class Draft(In):
    what: Literal["block", "renew", "amend", "withdraw", "suspend", "confirm", "recommend"]
    why: Why
    reasons: Annotated[
        dict[Annotated[str, Field(max_length=20)], Text] | None,
        Field(max_length=20, description="By language, as visitors read them; by default `why`."),
    ] = None
    version: Version = None


class Act(In):
    why: Why
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


class Evidence(Out):
    id: int
    media_type: str
    label: str
    size: int
    commitment: str
    stored_at: int
    stored_by: str
    retain_until: int
    hold: str
    shredded_at: int | None


class Observe(In):
    label: Line
    why: Why
    location: Annotated[str, Field(min_length=1, max_length=2000)]
    seen_at: Seconds
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    status: Annotated[int, Field(ge=0, le=999)] = 0
    words: Annotated[str, Field(max_length=2000)] = ""


class Because(In):
    why: Why


class Extend(Because):
    until: Seconds


class Shred(Because):
    evidence: Annotated[list[Annotated[int, Field(ge=1, lt=1 << 31)]], Field(min_length=1, max_length=1000)]
    early: bool = False


class Propose(In):
    kind: Line
    body: Annotated[dict[Annotated[str, Field(max_length=40)], Any], Field(max_length=20)]
    why: Why


class Decide(In):
    confirm: bool
    reason: Text = ""


class Proposal(Out):
    id: int
    kind: str
    subject: str
    body: dict[str, Any]
    why: str
    made_at: int
    decided_at: int | None
    decision: str | None
    reason: str


class Done(Out):
    proposal: Proposal
    shown: Annotated[str, Field(description="Half of a code, or a token, that is shown only now; mostly empty.")]


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
