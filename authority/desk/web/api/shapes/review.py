"""What goes in and out of review: orders, recommendations, appeals, visitors' reports of errors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from authority.desk.web.api.shapes.cases import Row
from authority.desk.web.api.shapes.common import In, Line, Out


class Ordered(Out):
    """An order in the reviewer's view."""

    id: int
    digest: str
    order_id: str
    case: Annotated[str, Field(description="The case's number.")]
    title: str
    category: str
    state: str
    what: str
    at: Annotated[Literal["draft", "waiting", "published", "dropped"], Field(description="Where it stands.")]
    made_at: int
    made_by: str
    log_index: int | None
    published_at: int | None


class AllOrders(Out):
    orders: list[Ordered]
    before: Annotated[int | None, Field(description="Where the next page begins; null: this is the last.")]


class Recommendation(Out):
    id: int
    case: str
    why: str
    made_by: str
    made_at: int
    due_at: int
    answered_at: int | None
    answer: str | None
    reason: str


class Appeal(Out):
    reference: str
    case: str
    standing: str
    contact: str
    words: str
    filed_at: int
    due_at: Annotated[int | None, Field(description="By when it is decided; null once it is.")]
    decided_at: int | None
    decision: str | None
    answer: str


class Objection(Out):
    """An appeal in a list; what it says is at its case."""

    reference: str
    case: Row
    standing: str
    filed_at: int
    due_at: int | None


class Objections(Out):
    appeals: list[Objection]
    after: Annotated[str | None, Field(description="Where the next page begins; null: this is the last.")]


class Report(Out):
    """A visitor's report that a block is an error."""

    id: int
    reference: str
    operator: str
    order_id: str
    name: str
    words: str
    contact: str
    language: str
    taken_at: int
    decided_at: int | None
    decision: str | None
    answer: str


class Reported(Out):
    """An order that reports wait about."""

    order_id: str
    case: Annotated[str | None, Field(description="The case's number; null: no case here made the order, and it is answered at /reports.")]
    number: Annotated[int, Field(description="Of reports.")]
    since: int
    due_at: int | None
    last: Annotated[int, Field(description="The newest one's id: `all-` and it answers all up to it.")]


class AllReported(Out):
    waiting: Annotated[int, Field(description="Of all orders.")]
    orders: Annotated[list[Reported], Field(description="Those that wait longest first.")]


class Answer(In):
    report: Annotated[Line, Field(description="Its reference; or `all-` and the id of the newest one that you have read.")]
    decision: Literal["upheld", "lifted", "amended", "elsewhere"]
    answer: Annotated[str, Field(min_length=1, max_length=4000)]
    language: Literal["en", "fr"]


class Answered(Out):
    reports: int
