"""What is known of evidence; its octets are elsewhere."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authority.desk.tables.base import Base, Seconds


class Evidence(Base):
    """One object of evidence: what is known of it here; its octets are in the store, encrypted under a key of its own."""

    __tablename__ = "evidence"
    __table_args__ = (Index("evidence_due", "shredded_at", "retain_until"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("desk_case.id"), index=True)
    address: Mapped[str] = mapped_column(String(64), index=True)
    """SHA-256 of the encrypted octets: the object's name in the store."""
    size: Mapped[int] = mapped_column(BigInteger)
    """Octets before encryption."""
    media_type: Mapped[str] = mapped_column(String(100))
    label: Mapped[str] = mapped_column(String(255))
    commitment: Mapped[str] = mapped_column(String(71))
    """sha256:… over a secret salt and the octets: what a directive carries."""
    wrapped: Mapped[bytes | None]
    """Its key, the salt and the octets' own SHA-256, wrapped; None once shredded: then nobody reads it, or proves what it was, again."""
    stored_at: Mapped[int] = mapped_column(Seconds)
    stored_by: Mapped[str] = mapped_column(String(80))
    retain_until: Mapped[int] = mapped_column(Seconds)
    hold: Mapped[str] = mapped_column(Text, default="")
    """Why it may not be deleted, by law; empty: no hold."""
    shredded_at: Mapped[int | None] = mapped_column(Seconds)
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposal.id"))
    removed_at: Mapped[int | None] = mapped_column(Seconds)
    """When the encrypted octets of what was shredded were gone from the store too."""
