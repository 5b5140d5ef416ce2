"""What goes in and out of referrals and of files of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from authority.desk.web.api.shapes.common import In, Line, Out, Text


class Refer(In):
    """Something that is pointed at. Without names, those in the addresses of `location` are meant."""

    names: list[Line] = Field(default_factory=list, max_length=100)
    location: Annotated[str, Field(max_length=8000)] = ""
    category: Annotated[str, Field(max_length=64)] = ""
    words: Text = ""
    contact: Annotated[str, Field(max_length=254)] = ""
    threat: Annotated[bool, Field(description="Whether a life is in danger now.")] = False
    why: Annotated[Text, Field(description="Why; it stands in the timeline.")] = ""


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
