"""What goes in and out of what takes two persons."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from authority.desk.web.api.shapes.common import In, Line, Out, Text, Why


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
