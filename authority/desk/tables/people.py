"""People, what they sign in with, and their roles."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from authority.desk.tables.base import Base, Seconds


class Person(Base):
    """Somebody who signs in."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    """As in the policy, where they hold an office: one person is known by one name."""
    email: Mapped[str] = mapped_column(String(254), default="")
    password: Mapped[str | None] = mapped_column(Text)
    """argon2id's encoded hash; None: no sign-in by password."""
    subject: Mapped[str | None] = mapped_column(String(255), unique=True)
    """The `sub` at the OpenID Connect provider."""
    office: Mapped[str | None] = mapped_column(String(64), unique=True)
    """The office id in the signed policy whose key this person holds; the key itself never comes here."""
    operator: Mapped[str | None] = mapped_column(String(64))
    """For the role operator: the provider's id in the policy."""
    language: Mapped[str] = mapped_column(String(8), default="")
    made_at: Mapped[int] = mapped_column(Seconds)
    ended_at: Mapped[int | None] = mapped_column(Seconds)
    failures: Mapped[int] = mapped_column(default=0)
    """Wrong passwords since the last right one: its holder is told at the next sign-in. How many may be tried is held in memory (`people.limits`)."""
    grants: Mapped[list[Grant]] = relationship(lazy="selectin")


class Grant(Base):
    """One role of one person; two persons gave it."""

    __tablename__ = "role_grant"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    role: Mapped[str] = mapped_column(String(32))
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposal.id"))
    """None for those made at setup."""
    given_at: Mapped[int] = mapped_column(Seconds)
    ended_at: Mapped[int | None] = mapped_column(Seconds)


class SignedIn(Base):
    """One session."""

    __tablename__ = "signed_in"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the cookie's token, which is nowhere kept."""
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[int] = mapped_column(Seconds)
    seen_at: Mapped[int] = mapped_column(Seconds)
    ends_at: Mapped[int] = mapped_column(Seconds)


class ApiToken(Base):
    """What a program signs in with: a person's, or a trusted flagger's."""

    __tablename__ = "api_token"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    flagger: Mapped[str | None] = mapped_column(String(64))
    label: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[int] = mapped_column(Seconds)
    ends_at: Mapped[int] = mapped_column(Seconds)
    """Whatever happens, it is good for nothing from then on."""
    ended_at: Mapped[int | None] = mapped_column(Seconds)


class Invitation(Base):
    """One chance for a person to choose a password: a new person's, or one's whose password two persons agreed to forget.

    Its code has two halves: who proposed was given one, who confirmed the other. Neither alone can sign in as the person.
    """

    __tablename__ = "invitation"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    first: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the first half."""
    second: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[int] = mapped_column(Seconds)
    ends_at: Mapped[int] = mapped_column(Seconds)
    used_at: Mapped[int | None] = mapped_column(Seconds)
