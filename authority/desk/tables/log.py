"""The audit log and its anchors. Both only grow."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authority.desk.tables.base import Base, Seconds


class Audit(Base):
    """One line of the audit log. Never changed; each carries the hash of the one before."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_object", "object", "number"),)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """From 1, without a gap."""
    at: Mapped[int] = mapped_column(Seconds)
    who: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(64))
    object: Mapped[str] = mapped_column(String(120))
    """Such as case:2026-000123 or person:a.martin."""
    details: Mapped[str] = mapped_column(Text)
    """Canonical JSON."""
    hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 over the hash before and this line."""


class Anchor(Base):
    """The audit log's head, as it went into the public log."""

    __tablename__ = "anchor"
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Of the audit log's last line."""
    hash: Mapped[str] = mapped_column(String(64))
    salt: Mapped[str] = mapped_column(String(32))
    """Random: what the log has is a digest over it too, so that nobody who reads the log can try out what the lines say."""
    log_index: Mapped[int | None] = mapped_column(BigInteger)
    """None until it was found there."""
    at: Mapped[int] = mapped_column(Seconds)
