"""The desk's tables. Times are unix seconds; details and bodies are JSON; what is public, signed or logged elsewhere is only referred to.

`event`, `audit` and `anchor` only grow. Everything a person did stands in both: in its case's timeline, and in the audit log.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

Seconds = BigInteger
Name = String(256).with_variant(String(256, collation="C"), "postgresql")
"""Names are compared octet by octet, so that a range of an index holds all that begin alike."""


def backwards(name: str) -> str:
    """`www.site.test` as `test.site.www.`."""
    return "".join(f"{label}." for label in reversed(name.split(".")))


class Base(DeclarativeBase):
    """All tables."""

    # Every constraint has a name, so that a later migration can change it in both databases.
    metadata = MetaData(
        naming_convention={
            "ix": "%(table_name)s_%(column_0_N_name)s",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "pk": "%(table_name)s_pkey",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: JSON, list[Any]: JSON, bytes: LargeBinary}


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
