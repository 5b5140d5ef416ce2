"""What leaves the desk."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from authority.desk.tables.base import Base, Seconds


class Message(Base):
    """Something that leaves the desk, by mail or as a file, once it is committed here."""

    __tablename__ = "message"
    __table_args__ = (Index("message_waiting", "sent_at", "again_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("desk_case.id"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    """removal_request, owner_block, owner_lift, overdue, threat, …"""
    channel: Mapped[str] = mapped_column(String(8), default="mail")
    """mail; or hook: the body is JSON for the program that `desk.hook` names."""
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    identity: Mapped[str] = mapped_column(String(120), unique=True)
    """Its Message-ID: a second sending after a crash is seen to be the same."""
    made_at: Mapped[int] = mapped_column(Seconds)
    sent_at: Mapped[int | None] = mapped_column(Seconds)
    again_at: Mapped[int] = mapped_column(Seconds, default=0)
    tries: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[int | None] = mapped_column(Seconds)
    """When it was given up: the mail server refuses it for good."""
    proof: Mapped[str] = mapped_column(Text, default="")
    """What the mail server answered, or the file it became; after a failure, why."""
