"""What goes in and out of evidence."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from authority.desk.web.api.shapes.common import Because, In, Line, Out, Seconds, Why


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


class Extend(Because):
    until: Seconds


class Shred(Because):
    evidence: Annotated[list[Annotated[int, Field(ge=1, lt=1 << 31)]], Field(min_length=1, max_length=1000)]
    early: bool = False
