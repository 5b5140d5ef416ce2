"""What goes out of rules and lists."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from authority.desk.web.api.shapes.common import Out


class Version(Out):
    number: int
    made_at: int
    digest: str
    proposal_id: Annotated[int | None, Field(description="The proposal that two persons agreed to.")]


class Document(Out):
    kind: str
    says: str
    version: Annotated[int, Field(description="In force; 0: nobody has decided, and what the desk begins with holds, or nothing.")]
    made_at: int | None
    digest: str


class Shown(Document):
    """One document; its text is at /documents/{kind}/text."""

    versions: Annotated[list[Version], Field(description="The newest first.")]
    before: Annotated[int | None, Field(description="Where the next page of versions begins; null: this is the last.")]
