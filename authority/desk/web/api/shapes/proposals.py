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
    body: Annotated[dict[str, Any], Field(description="A document's text is left out of lists; it is at /proposals/{id}/text.")]
    why: str
    made_at: int
    made_by: Annotated[str, Field(description="A login.")]
    good_until: Annotated[int, Field(description="After which nobody agrees to it any more.")]
    decided_at: int | None
    decided_by: str | None
    decision: str | None
    reason: str
    confirmers: Annotated[list[str], Field(description="Roles of which one must agree, and not who proposed it.")]
    may_decide: Annotated[bool, Field(description="Whether the agreement of whose token it is would count.")]


class Shown(Proposal):
    """One proposal; of a document that waits, with what would change."""

    changes: Annotated[list[str], Field(description="Line by line, as a unified difference.")]
    cut: Annotated[bool, Field(description="Whether more would change than `changes` says; the whole is at /proposals/{id}/text.")]


class Done(Out):
    proposal: Proposal
    shown: Annotated[str, Field(description="Half of a code, or a token, that is shown only now; mostly empty.")]
