"""What is said against an order: appeals, visitors' reports of errors, recommendations of the reviewer."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from authority.desk.tables.base import Base, Seconds


class Appeal(Base):
    """Somebody objects to an order."""

    __tablename__ = "appeal"
    __table_args__ = (Index("appeal_waiting", "decided_at", "filed_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("desk_case.id"), index=True)
    reference: Mapped[str] = mapped_column(String(32), unique=True)
    standing: Mapped[str] = mapped_column(String(16))
    """owner, host, visitor, other."""
    contact: Mapped[str] = mapped_column(String(254), default="")
    words: Mapped[str] = mapped_column(Text)
    filed_at: Mapped[int] = mapped_column(Seconds)
    decided_at: Mapped[int | None] = mapped_column(Seconds)
    decision: Mapped[str | None] = mapped_column(String(16))
    """upheld (the order stands), lifted, amended."""
    answer: Mapped[str] = mapped_column(Text, default="")


class ErrorReport(Base):
    """A visitor says that a block is an error; an operator passed it on. Who wrote it is not known, unless it is written there."""

    __tablename__ = "error_report"
    __table_args__ = (
        UniqueConstraint("operator", "reference"),
        Index("error_report_waiting", "decided_at", "case_id", "order_id", "taken_at"),
        Index("error_report_case", "case_id", "id"),
        Index("error_report_reference", "reference"),
        Index("error_report_untold", "told_at", "decided_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    operator: Mapped[str] = mapped_column(String(64))
    """Whose visitor it was: its id in the policy."""
    reference: Mapped[str] = mapped_column(String(32))
    """The visitor follows it by this."""
    order_id: Mapped[str] = mapped_column(String(64))
    """The order's public id, as the visitor gave it."""
    case_id: Mapped[int | None] = mapped_column(ForeignKey("desk_case.id"))
    """None: no case here made such an order."""
    name: Mapped[str] = mapped_column(Text)
    """The site's, as it was to be reached; empty again, with the words and the contact, some time after the answer."""
    words: Mapped[str] = mapped_column(Text)
    contact: Mapped[str] = mapped_column(String(254), default="")
    language: Mapped[str] = mapped_column(String(35))
    taken_at: Mapped[int] = mapped_column(Seconds)
    decided_at: Mapped[int | None] = mapped_column(Seconds)
    decision: Mapped[str | None] = mapped_column(String(16))
    """upheld, lifted, amended, elsewhere (the order is not what keeps the site away), unknown (no such order was ever made)."""
    answer: Mapped[str] = mapped_column(Text, default="")
    answer_language: Mapped[str] = mapped_column(String(35), default="")
    told_at: Mapped[int | None] = mapped_column(Seconds)
    """When the answer was laid out for the operator to fetch."""


class Recommendation(Base):
    """The reviewer recommends that an order be withdrawn."""

    __tablename__ = "recommendation"
    __table_args__ = (Index("recommendation_waiting", "answered_at", "due_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("desk_case.id"), index=True)
    why: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(String(80))
    made_at: Mapped[int] = mapped_column(Seconds)
    due_at: Mapped[int] = mapped_column(Seconds)
    answered_at: Mapped[int | None] = mapped_column(Seconds)
    answer: Mapped[str | None] = mapped_column(String(16))
    """followed or refused."""
    reason: Mapped[str] = mapped_column(Text, default="")
