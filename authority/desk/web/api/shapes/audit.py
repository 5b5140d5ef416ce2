"""What goes out of the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from authority.desk.web.api.shapes.common import Out


class Line(Out):
    number: int
    at: int
    who: str
    action: str
    object: str
    details: Annotated[dict[str, Any], Field(description="`way`: how who did it came: `page`, `command`, or `api token` and its id.")]
    hash: str


class Head(Out):
    """How far the log goes, and how far the public log has it."""

    number: int
    hash: str
    anchored_number: int | None
    anchored_at: int | None
    anchored_index: Annotated[int | None, Field(description="Its entry in the public log; null: not found there yet.")]


class Lines(Head):
    lines: Annotated[list[Line], Field(description="The newest first.")]
    before: Annotated[int | None, Field(description="Where the next page begins; null: this is the last.")]


class Checked(Head):
    lines: Annotated[int, Field(description="Lines that are what was written.")]
    faults: Annotated[list[str], Field(description="What is wrong; empty: nothing is.")]
