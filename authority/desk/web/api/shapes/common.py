"""What all that goes in and out of the API has in common. Times are unix seconds, in UTC."""

from __future__ import annotations

from typing import Annotated, Any

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


class Act(In):
    why: Why
    version: Version = None


class Because(In):
    why: Why
