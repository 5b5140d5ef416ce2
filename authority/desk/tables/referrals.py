"""What came in: referrals, and files of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authority.desk.tables.base import Base, Seconds


class Referral(Base):
    """Somebody pointed at something."""

    __tablename__ = "referral"
    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(32), unique=True)
    """Random; who knows it sees what came of it."""
    source: Mapped[str] = mapped_column(String(16))
    """officer, public, flagger, import."""
    sender: Mapped[str] = mapped_column(String(64), default="")
    """Login or flagger; empty for the public."""
    contact: Mapped[str] = mapped_column(String(254), default="")
    """Only if given."""
    names: Mapped[list[Any]]
    location: Mapped[str] = mapped_column(Text, default="")
    """Where exactly, as it was given."""
    category: Mapped[str] = mapped_column(String(64), default="")
    words: Mapped[str] = mapped_column(Text, default="")
    threat: Mapped[bool] = mapped_column(default=False)
    taken_at: Mapped[int] = mapped_column(Seconds)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("desk_case.id"), index=True)
    key: Mapped[str | None] = mapped_column(String(128), unique=True)
    """The sender's own key of what it sent, so that sending again makes no second one."""


class Import(Base):
    """One file of referrals, read line by line; where it stands survives a crash."""

    __tablename__ = "import_file"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the file: the same file again is the same import."""
    label: Mapped[str] = mapped_column(String(255))
    made_at: Mapped[int] = mapped_column(Seconds)
    made_by: Mapped[str] = mapped_column(String(80))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    octets: Mapped[int] = mapped_column(BigInteger)
    at_octet: Mapped[int] = mapped_column(BigInteger, default=0)
    """How far it was read."""
    at_line: Mapped[int] = mapped_column(default=0)
    taken: Mapped[int] = mapped_column(default=0)
    """Lines that opened a case."""
    joined: Mapped[int] = mapped_column(default=0)
    """Lines that joined one."""
    again: Mapped[int] = mapped_column(default=0)
    """Lines taken before, by the sender's own key."""
    bad: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[int | None] = mapped_column(Seconds, index=True)


class ImportFault(Base):
    """A line that was not taken, and why."""

    __tablename__ = "import_fault"
    __table_args__ = (Index("import_fault_of", "import_id", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("import_file.id"))
    line: Mapped[int]
    value: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
