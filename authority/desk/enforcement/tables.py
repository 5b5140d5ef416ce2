"""Tables of who carried out what: what the log's orders oblige every operator to, and what each one's receipts say of it.

All of it but `OperatorRecord.away` follows from the log and the book of receipts, and can be made from them anew (`compliance.anew`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from authority.desk.tables import Base, Seconds


class OperatorRecord(Base):
    """One operator of the policy, and its newest receipt that was looked at."""

    __tablename__ = "operator_record"
    operator: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    """Of the company, as in the policy."""
    away: Mapped[list[Any]]
    """When it was not in the policy: pairs of from when and until when; the first ends when it came, None in the last: it has left."""
    number: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of the newest receipt looked at; 0: none."""
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    """The largest log that it has said to have in force."""
    newest_size: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of the newest receipt; less than `size`: it went back."""
    at: Mapped[int] = mapped_column(Seconds, default=0)
    """Of the newest receipt, by the operator's clock."""
    taken_at: Mapped[int] = mapped_column(Seconds, default=0)
    """By ours."""
    ours: Mapped[bool] = mapped_column(default=True)
    """Whether the newest receipt names a state that our log had; one that does not proves nothing."""
    unbuilt: Mapped[int | None] = mapped_column(BigInteger)
    """From which log position on its rows are still to be made; None: all are there."""
    exceptions: Mapped[list[Any]] = mapped_column(default=list)
    """What the newest receipt says is not in force there: id, what, why."""


class Obligation(Base):
    """What one entry of the log, or the end of an order by its own terms, obliges every operator to."""

    __tablename__ = "obligation"
    __table_args__ = (
        Index("obligation_ends", "ended", "end_at"),
        Index("obligation_settled", "settled_at", "open_rows", "terms_rows", "due_at"),
    )
    log_index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    """block: put in force; lift: restore."""
    order_id: Mapped[str] = mapped_column(String(64), index=True)
    action: Mapped[str] = mapped_column(String(16))
    """block, amend; withdraw, suspend, or for an end by its own terms expire, lapse."""
    category: Mapped[str] = mapped_column(String(500))
    title: Mapped[str] = mapped_column(String(255))
    """The order's first name."""
    names: Mapped[int]
    """How many it has."""
    digest: Mapped[str] = mapped_column(String(71))
    logged_at: Mapped[int] = mapped_column(Seconds)
    begins_at: Mapped[int] = mapped_column(Seconds)
    """From when it binds: neither before it was logged nor before it takes effect."""
    hours: Mapped[int]
    """How long operators have, by the policy."""
    due_at: Mapped[int] = mapped_column(Seconds)
    """By when: what the order says (enforce_by), or `hours` after it began; a suspension that comes before moves it."""
    expires_at: Mapped[int | None] = mapped_column(Seconds)
    """When it ends by its own terms."""
    lapses_at: Mapped[int | None] = mapped_column(Seconds)
    """An emergency: when it ends unless the reviewer has confirmed it."""
    confirmed: Mapped[int | None] = mapped_column(BigInteger)
    """The log position of that confirmation."""
    closers: Mapped[list[Any]] = mapped_column(default=list)
    """What ended it early: pairs of log position and time."""
    end_at: Mapped[int | None] = mapped_column(Seconds)
    """When it binds no more, as far as is known; None: never."""
    ended: Mapped[bool] = mapped_column(default=False)
    """Whether that was looked at."""
    open_rows: Mapped[int] = mapped_column(default=0)
    """Operators that have not done it."""
    terms_rows: Mapped[int] = mapped_column(default=0)
    """Operators where it ends by its terms, and whose next receipt will say so."""
    settled_at: Mapped[int | None] = mapped_column(Seconds)
    """When the case was told that all have, or that nothing is owed any more."""


class Enforcement(Base):
    """One operator, one obligation."""

    __tablename__ = "enforcement"
    __table_args__ = (
        Index("enforcement_outcome", "operator", "outcome", "due_at", "log_index", "kind", "received_at"),
        Index("enforcement_due", "operator", "due_at", "log_index", "kind"),
        Index("enforcement_waits", "operator", sqlite_where=text("waits"), postgresql_where=text("waits")),
    )
    log_index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    operator: Mapped[str] = mapped_column(String(64), primary_key=True)
    action: Mapped[str] = mapped_column(String(16))
    """As the obligation's."""
    begins_at: Mapped[int] = mapped_column(Seconds)
    due_at: Mapped[int] = mapped_column(Seconds)
    """As the obligation's; later for an operator that came after it was logged."""
    received_at: Mapped[int | None] = mapped_column(Seconds)
    """When we took the first receipt whose log has the entry."""
    taken_at: Mapped[int | None] = mapped_column(Seconds)
    """When we took the first receipt by which it is done: the time that counts."""
    applied_at: Mapped[int | None] = mapped_column(Seconds)
    """The time in that receipt, by the operator's clock."""
    receipt: Mapped[int | None] = mapped_column(BigInteger)
    """Its number."""
    exception: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    """What the newest receipt says of the order: what (held, refused, suspended, skipped, unnamed) and why."""
    outcome: Mapped[str] = mapped_column(String(8))
    """open; applied (in time), late; missed (it ended first, after it was due), void (it ended before it was due); terms: see `fulfilment`."""
    waits: Mapped[bool] = mapped_column(default=False)
    """Whether the operator has the entry, and its next receipt may say that it is done."""


class EnforcementWeek(Base):
    """What one operator did of all that fell due in one week, from Monday (UTC): what the fleet's page counts."""

    __tablename__ = "enforcement_week"
    operator: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    week: Mapped[int] = mapped_column(primary_key=True)
    """Since the one that 1970 began in; `rows.week`."""
    applied: Mapped[int] = mapped_column(default=0)
    late: Mapped[int] = mapped_column(default=0)
    missed: Mapped[int] = mapped_column(default=0)
    void: Mapped[int] = mapped_column(default=0)
    terms: Mapped[int] = mapped_column(default=0)
    open: Mapped[int] = mapped_column(default=0)
    worst: Mapped[int] = mapped_column(default=0)
    """The longest of the times below, in seconds."""
    times: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """How often which time from order to receipt, by `spread.bucket`."""
