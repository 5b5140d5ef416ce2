"""Evidence of a case: added, listed, read, held, kept longer. Whoever reads it stands in the audit log before the first octet is given out.

It comes and goes in pieces, so that a film takes no more memory than a screenshot; before it touches a disk it is encrypted. The order of writing
is store, then database: what was acknowledged is in both, and what a crash left in the store alone nobody can read, because its key died with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authority.desk import audit, steps
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, DeskError, NotFound
from authority.desk.evidence import sealing
from authority.desk.evidence.keys import Secret
from authority.desk.evidence.sealing import Tampered
from authority.desk.procedure import Procedure
from authority.desk.roles import Actor
from authority.desk.tables import Case, Evidence
from blocklists.trust import strict

MOST = 2 << 30
"""Octets of one object."""
MOST_COMMITMENTS = 1000
"""In one directive."""
DAY = 86_400
OBSERVATION = "application/vnd.redhand.observation+json"
"""What `observe` makes: a record without content."""
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,48}/[a-z0-9][a-z0-9!#$&^_.+-]{0,48}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Gone(DeskError):
    """It was shredded: nobody reads it again."""

    status = 410


class Observation(BaseModel):
    """What was seen, where and when, without any of it: what alone may be kept of content that the law forbids to have."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    location: Annotated[str, Field(min_length=1, max_length=2000)]
    """Address of what was seen."""
    seen_at: Annotated[int, Field(ge=0, lt=1 << 40)]
    """Unix seconds."""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """Of the content, if it was taken where that is allowed."""
    status: Annotated[int, Field(ge=0, le=999)] = 0
    """Of the HTTP answer; 0: none."""
    words: Annotated[str, Field(max_length=2000)] = ""
    """What it is, described and not quoted."""


class Opened(NamedTuple):
    """Evidence that is being read."""

    evidence: Evidence
    salt: str
    """Hex. `commitment` is SHA-256 over its 32 octets and the text: with both, anyone can check what a directive carries."""
    digest: str
    """SHA-256 of the text, hex."""
    chunks: Iterator[bytes]
    """The text. Raises Tampered where it is not what was stored: what was given out before is only a part then."""


def add(desk: Desk, actor: Actor, number: str, chunks: Iterable[bytes], label: str, media_type: str, why: str, now: int) -> Evidence:
    """Keeps content of a case. Raises BadField for more than MOST octets or none, and where the category forbids to have content; NotFound,
    Forbidden, DiskError, Unreachable. It is stored and recorded when this returns, or not there."""
    if not _MEDIA_TYPE.fullmatch(media_type) or media_type == OBSERVATION:
        raise BadField("media_type", f"{media_type[:60]!r} is none that content has; write one such as image/png")
    return _keep(desk, actor, number, chunks, label, media_type, why, now)


def observe(desk: Desk, actor: Actor, number: str, seen: Observation, label: str, why: str, now: int) -> Evidence:
    """Keeps a record of what was seen, without content: every category allows it. Raises as `add`."""
    try:
        record = strict.write(seen.model_dump(), "the observation")
    except ValueError as error:
        raise BadField("words", str(error)) from None
    return _keep(desk, actor, number, (record,), label, OBSERVATION, why, now)


def of_case(session: Session, actor: Actor, number: str) -> list[Evidence]:
    """What is known of a case's evidence, oldest first, what was shredded too. Raises Forbidden, NotFound."""
    actor.require("case.read")
    case = steps.find(session, number)
    return list(session.scalars(select(Evidence).where(Evidence.case_id == case.id).order_by(Evidence.id)))


def commitments(session: Session, case: Case) -> list[str]:
    """What the case's next directive says of its evidence: the salted commitments to all that is kept, oldest first."""
    kept = select(Evidence.commitment).where(Evidence.case_id == case.id, Evidence.shredded_at.is_(None)).order_by(Evidence.id)
    return list(session.scalars(kept.limit(MOST_COMMITMENTS)))


def read(desk: Desk, actor: Actor, evidence: int, now: int, why: str = "") -> Opened:
    """The text of one object. The line in the audit log is committed when this returns. Raises Forbidden, NotFound, Gone, Missing, Tampered."""
    actor.require("evidence.read")
    with desk.store.writing() as session:
        row, case = find(session, evidence)
        if row.wrapped is None:
            raise Gone(f"evidence {row.id} of case {case.number} was shredded; what is left is that it was there")
        secret = desk.vault.keys.unwrap(row.wrapped, bound(row, case))
        audit.record(session, actor, "evidence.read", f"evidence:{row.id}", now, case=case.number, why=why.strip()[:500])
    if desk.vault.objects.size(row.address) != sealing.sealed_size(row.size):
        raise Tampered(f"evidence {row.id} has not the length that was stored; restore the store's backup elsewhere, and run: evidence verify")
    chunks = sealing.unseal(secret.key, desk.vault.objects.read(row.address))
    return Opened(row, secret.salt.hex(), secret.digest.hex(), chunks)


def headers(evidence: Evidence) -> dict[str, str]:
    """Fields of the HTTP answer that gives it out: always as a file to keep, for what is seen in it may be hostile to whoever looks at it."""
    name = re.sub(r"[^\w.-]+", "_", evidence.label)[:100].strip(".") or "evidence"
    return {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(evidence.size),
        "Content-Disposition": f"attachment; filename=\"evidence-{evidence.id}\"; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def hold(desk: Desk, actor: Actor, evidence: int, why: str, now: int) -> Evidence:
    """Forbids its deletion, by law, until two persons release it. Raises Forbidden, NotFound, Gone, Conflict when it is held already."""
    actor.require("evidence.delete")
    with desk.store.writing() as session:
        row, case = _kept(session, evidence)
        if row.hold:
            raise Conflict(f"evidence {row.id} is held already ({row.hold[:100]}); it needs no second hold")
        steps.take(session, case, "hold_evidence", actor, why, now, desk.procedure(session), evidence=row.id)
        row.hold = why.strip()
        audit.record(session, actor, "evidence.hold", f"evidence:{row.id}", now, case=case.number, why=row.hold)
    return row


def extend(desk: Desk, actor: Actor, evidence: int, until: int, why: str, now: int) -> Evidence:
    """Keeps it longer than its category says, until a time in unix seconds; never shorter. Raises Forbidden, NotFound, Gone, BadField."""
    actor.require("evidence.delete")
    with desk.store.writing() as session:
        row, case = _kept(session, evidence)
        if not row.retain_until < until < 1 << 40:
            raise BadField("until", f"evidence {row.id} is kept as long already, or the time is none; give a later one")
        steps.take(session, case, "extend_evidence", actor, why, now, desk.procedure(session), evidence=row.id, until=until)
        row.retain_until = until
        audit.record(session, actor, "evidence.extend", f"evidence:{row.id}", now, case=case.number, until=until)
    return row


def find(session: Session, evidence: int) -> tuple[Evidence, Case]:
    """A row and its case. Raises NotFound."""
    found = session.execute(select(Evidence, Case).join(Case, Evidence.case_id == Case.id).where(Evidence.id == evidence)).first()
    if found is None:
        raise NotFound(f"there is no evidence {evidence}")
    return found[0], found[1]


def bound(row: Evidence, case: Case) -> dict[str, Any]:
    """What never changes of an object, and is bound to its wrapped key."""
    return {
        "address": row.address,
        "case": case.number,
        "commitment": row.commitment,
        "label": row.label,
        "media_type": row.media_type,
        "size": row.size,
        "stored_at": row.stored_at,
        "stored_by": row.stored_by,
    }


def forbidden(case: Case, procedure: Procedure) -> str:
    """Why the case may have no content; empty when it may. A case that nobody has assessed may be of any category."""
    if case.category:
        return f"the law forbids to have content of {case.category}" if procedure.category(case.category).forbids_content else ""
    able = sorted(name for name, rule in procedure.categories.items() if rule.forbids_content)
    return f"the case has no category yet, and may be one whose content the law forbids to have ({', '.join(able)}): assess it first" if able else ""


def _kept(session: Session, evidence: int) -> tuple[Evidence, Case]:
    row, case = find(session, evidence)
    if row.shredded_at is not None:
        raise Gone(f"evidence {row.id} of case {case.number} was shredded")
    return row, case


def _keep(desk: Desk, actor: Actor, number: str, chunks: Iterable[bytes], label: str, media_type: str, why: str, now: int) -> Evidence:
    actor.require("evidence.add")
    label, why = label.strip(), why.strip()
    if not label or len(label) > 255 or _CONTROL.search(label):
        raise BadField("label", "write on one line what it is, in at most 255 characters")
    if not why:
        raise BadField("why", "say why it is kept")
    with desk.store.reading() as session:
        _require_allowed(session, steps.find(session, number), media_type, desk)
    vault = desk.vault
    secret, text = sealing.new_key(), _Measured(chunks)
    with vault.objects.incoming(sealing.seal(secret, text)) as (address, path):
        if not text.size:
            raise BadField("file", "it is empty")
        vault.objects.put(address, path)
    try:
        with desk.store.writing() as session:
            case = steps.find(session, number)
            _require_allowed(session, case, media_type, desk)  # its category may have been decided while the octets came
            days = desk.procedure(session).category(case.category).retain_days
            row = Evidence(
                case_id=case.id, address=address, size=text.size, media_type=media_type, label=label, commitment=text.commitment,
                stored_at=now, stored_by=actor.name, retain_until=now + days * DAY,
            )  # fmt: skip
            if not session.scalar(select(func.count()).select_from(Evidence)):
                vault.keys.make()
            row.wrapped = vault.keys.wrap(Secret(secret, text.salt, text.digest), bound(row, case))
            session.add(row)
            session.flush()
            steps.take(session, case, "add_evidence", actor, why, now, desk.procedure(session), evidence=row.id)
            audit.record(
                session, actor, "evidence.add", f"evidence:{row.id}", now,
                address=address, case=case.number, commitment=row.commitment, media_type=media_type, size=row.size,
            )  # fmt: skip
    except DeskError:
        with suppress(DeskError):
            vault.objects.remove(address)
        raise
    return row


def _require_allowed(session: Session, case: Case, media_type: str, desk: Desk) -> None:
    procedure = desk.procedure(session)
    why = "" if media_type == OBSERVATION else forbidden(case, procedure)
    if why:
        raise BadField("file", f"{why}; keep an observation instead: its address, its time and its digest")


class _Measured:
    """A text on its way: its length, its SHA-256 and its commitment, known at its end. Raises BadField when it becomes too long."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.size = 0
        self.salt = sealing.new_key()
        self._chunks = chunks
        self._plain = hashlib.sha256()
        self._salted = hashlib.sha256(self.salt)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            if self.size > MOST:
                raise BadField("file", f"it has more than {MOST} octets; split it")
            self._plain.update(chunk)
            self._salted.update(chunk)
            yield chunk

    @property
    def digest(self) -> bytes:
        return self._plain.digest()

    @property
    def commitment(self) -> str:
        return f"sha256:{self._salted.hexdigest()}"
