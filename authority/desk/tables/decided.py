"""What takes two persons, and what two persons have decided: proposals, and documents in force."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authority.desk.tables.base import Base, Seconds


class Proposal(Base):
    """Something that takes two persons: one asks, another confirms or refuses."""

    __tablename__ = "proposal"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), index=True)
    """grant, end_grant, person, end_person, document, shred_evidence, release_hold, flagger …"""
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[dict[str, Any]]
    why: Mapped[str] = mapped_column(Text)
    made_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    made_at: Mapped[int] = mapped_column(Seconds)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[int | None] = mapped_column(Seconds)
    decision: Mapped[str | None] = mapped_column(String(16))
    """confirmed or refused."""
    reason: Mapped[str] = mapped_column(Text, default="")


class Document(Base):
    """One version of what the regulator decides: procedure, protected, popular, shared_hosting, templates."""

    __tablename__ = "document"
    __table_args__ = (UniqueConstraint("kind", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    version: Mapped[int]
    body: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(71))
    """sha256:… of the body in UTF-8."""
    made_at: Mapped[int] = mapped_column(Seconds)
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposal.id"))
