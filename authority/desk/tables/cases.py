"""Cases with their names, timelines and clocks. `event` only grows: everything a person did with a case stands in it, and in the audit log."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from authority.desk.tables.base import Base, Name, Seconds, backwards


class Counter(Base):
    """The last number given in a series, such as case-2026."""

    __tablename__ = "counter"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[int]


class Case(Base):
    """One matter, from a referral to its end. Its state is what the timeline says; the row has it for the queues."""

    __tablename__ = "desk_case"
    __table_args__ = (
        Index("case_queue", "state", "urgent", "due_at"),
        Index("case_mine", "officer_id", "urgent", "due_at", "closed_at"),
        Index("case_clocked", "urgent", "due_at", "closed_at"),
        Index("case_emergency", "emergency", "due_at"),
        Index("case_due", "due_at"),
        Index("case_opened", "opened_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    """Such as 2026-000123."""
    title: Mapped[str] = mapped_column(String(255))
    """Its first name."""
    category: Mapped[str] = mapped_column(String(64), default="")
    state: Mapped[str] = mapped_column(String(16))
    state_since: Mapped[int] = mapped_column(Seconds)
    opened_at: Mapped[int] = mapped_column(Seconds)
    closed_at: Mapped[int | None] = mapped_column(Seconds)
    officer_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    urgent: Mapped[bool] = mapped_column(default=False)
    """An imminent threat to life."""
    emergency: Mapped[bool] = mapped_column(default=False)
    """Ordered without a removal request, and not yet confirmed."""
    appeals: Mapped[int] = mapped_column(default=0)
    """How many are undecided."""
    due_at: Mapped[int | None] = mapped_column(Seconds)
    """The soonest of its open clocks."""
    order_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    """The public id of its newest order."""
    ends_at: Mapped[int | None] = mapped_column(Seconds)
    """When that order expires."""
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the next order will say: legal basis, reasons, removal request, redress …; see `cases.facts`."""
    version: Mapped[int] = mapped_column(default=0)
    """Steps taken; a form that was filled in before another's step is refused."""
    names: Mapped[list[CaseName]] = relationship(lazy="selectin", order_by="CaseName.id")


class CaseName(Base):
    """One name of a case."""

    __tablename__ = "case_name"
    __table_args__ = (UniqueConstraint("case_id", "name", "match"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("desk_case.id"))
    name: Mapped[str] = mapped_column(Name, index=True)
    """A-labels, lower case, without the last dot."""
    match: Mapped[str] = mapped_column(String(8), default="exact")
    backwards: Mapped[str] = mapped_column(Name, default=lambda context: backwards(context.get_current_parameters()["name"]), index=True)
    """Its labels from the last to the first, each with a dot: all names under one follow one another."""


class Event(Base):
    """One step in a case's timeline. Never changed."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("case_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("desk_case.id"))
    number: Mapped[int]
    """From 1 in its case."""
    at: Mapped[int] = mapped_column(Seconds)
    who: Mapped[str] = mapped_column(String(80))
    step: Mapped[str] = mapped_column(String(32))
    before: Mapped[str] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    why: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Clock(Base):
    """One running or stopped clock of a case."""

    __tablename__ = "clock"
    __table_args__ = (
        Index("clock_open", "ended_at", "due_at"),
        Index("clock_unwarned", "ended_at", "warned_at", "name", "due_at"),
        Index("clock_case", "case_id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("desk_case.id"))
    name: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(120), default="")
    """Which appeal, recommendation or message it runs for; empty for clocks of the case itself."""
    began_at: Mapped[int] = mapped_column(Seconds)
    due_at: Mapped[int] = mapped_column(Seconds)
    ended_at: Mapped[int | None] = mapped_column(Seconds)
    notified_at: Mapped[int | None] = mapped_column(Seconds)
    """When people were told that it is overdue."""
    warned_at: Mapped[int | None] = mapped_column(Seconds)
    """When people were told that it will soon be due."""
