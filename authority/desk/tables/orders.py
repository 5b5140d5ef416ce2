"""Orders, from draft to log."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from authority.desk.tables.base import Base, Seconds


class Order(Base):
    """One directive or reviewer's decision of a case, from draft to log."""

    __tablename__ = "desk_order"
    __table_args__ = (Index("order_waiting", "published_at", "ended_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("desk_case.id"), index=True)
    order_id: Mapped[str] = mapped_column(String(64), index=True)
    action: Mapped[str] = mapped_column(String(16))
    """block, amend, withdraw, suspend, review."""
    what: Mapped[str] = mapped_column(String(16))
    """What it does to the case: block, amend, renew, withdraw, suspend, confirm, recommend."""
    digest: Mapped[str] = mapped_column(String(71), unique=True)
    """sha256:… of the payload, as the log and later orders name it."""
    packet: Mapped[bytes]
    """As signed so far; officers take it away and bring it back."""
    threshold: Mapped[int]
    """Officers who must sign, with one more for each guard that was overridden."""
    guards: Mapped[list[Any]] = mapped_column(default=list)
    made_at: Mapped[int] = mapped_column(Seconds)
    made_by: Mapped[str] = mapped_column(String(80))
    ended_at: Mapped[int | None] = mapped_column(Seconds)
    """When it was dropped unsigned."""
    log_index: Mapped[int | None] = mapped_column(BigInteger, index=True)
    published_at: Mapped[int | None] = mapped_column(Seconds)
