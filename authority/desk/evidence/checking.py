"""Looks at all evidence anew: that every object is there and is what was stored, and that no row came, went or changed without its line in the log.

It decrypts, and shows nothing of what it decrypts; who may see the audit log may have it run. It changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authority.desk import audit
from authority.desk.desk import Desk
from authority.desk.errors import DeskError
from authority.desk.evidence import keeping, sealing
from authority.desk.evidence.keys import Secret
from authority.desk.evidence.sealing import Tampered
from authority.desk.evidence.shredding import SHRED
from authority.desk.evidence.store import Missing, Unreachable
from authority.desk.roles import SETUP, Actor
from authority.desk.tables import Audit, Case, Evidence, Proposal

PIECE = 500


class Fault(NamedTuple):
    """Something that is not as it was left."""

    evidence: int
    case: str
    """Its number; empty where no row says it."""
    why: str


class Report(NamedTuple):
    """All that was found."""

    checked: int
    """Objects that were read."""
    octets: int
    shredded: int
    """Tombstones."""
    faults: tuple[Fault, ...]


class Progress(NamedTuple):
    """How far it is."""

    done: int
    all: int
    """Objects and tombstones."""
    octets: int
    """Read so far."""


def verify(desk: Desk, actor: Actor, now: int, progress: Callable[[Progress], None] = lambda _: None) -> Report:
    """Reads everything again, one object after the other. `progress` hears of each. Raises Forbidden; Unreachable when the store does not answer,
    and DeskError when there is no key file, for then nothing is known of any object."""
    if actor != SETUP and not actor.may("evidence.read"):
        actor.require("audit.read")
    faults: list[Fault] = []
    checked = octets = shredded = 0
    with desk.store.reading() as session:
        total = session.scalar(select(func.count()).select_from(Evidence)) or 0
    for row, case, recorded in _rows(desk):
        why = recorded
        if row.wrapped is None:
            shredded += 1
        else:
            try:
                octets += _read(desk, row, case)
            except (Tampered, Missing) as fault:
                why = why or str(fault)
            checked += 1
        if why:
            faults.append(Fault(row.id, case.number, why))
        progress(Progress(checked + shredded, total, octets))
    with desk.store.reading() as session:
        faults += _vanished(session)
    report = Report(checked, octets, shredded, tuple(faults))
    with desk.store.writing() as session:
        audit.record(session, actor, "evidence.verify", "evidence:store", now, checked=checked, faults=len(faults), shredded=shredded)
    return report


def _rows(desk: Desk) -> Iterator[tuple[Evidence, Case, str]]:
    """Every row, its case, and what the database alone says against it."""
    after = 0
    while True:
        with desk.store.reading() as session:
            asked = select(Evidence, Case).join(Case, Evidence.case_id == Case.id).where(Evidence.id > after).order_by(Evidence.id).limit(PIECE)
            some = [(row, case, _recorded(session, row, case)) for row, case in session.execute(asked)]
        if not some:
            return
        yield from some
        after = some[-1][0].id


def _recorded(session: Session, row: Evidence, case: Case) -> str:
    """What the audit log and the proposals have against a row; empty when nothing."""
    said = _line(session, row.id, "evidence.add")
    known = {"address": row.address, "case": case.number, "commitment": row.commitment, "media_type": row.media_type, "size": row.size}
    if said is None:
        return "the audit log has no line of its being kept: the row was put there by hand"
    if said != known:
        differ = ", ".join(sorted(name for name in known if said.get(name) != known[name]))
        return f"the row is not what the audit log says was kept ({differ}); restore a backup of the database"
    if (row.wrapped is None) != (row.shredded_at is not None):
        return "its key is gone and it was not shredded, or the other way round; restore a backup of the database"
    if row.wrapped is None:
        proposal = session.get(Proposal, row.proposal_id) if row.proposal_id else None
        if (
            proposal is None
            or proposal.kind != SHRED
            or row.id not in proposal.body["evidence"]
            or proposal.decision != "confirmed"
            or proposal.decided_by in (None, proposal.made_by)
            or _line(session, row.id, "evidence.shred") is None
        ):
            return "it was shredded, and no proposal that two persons made and confirmed says so"
    return ""


def _read(desk: Desk, row: Evidence, case: Case) -> int:
    """Reads one object; its octets. Raises Tampered, Missing, Unreachable."""
    secret = _secret(desk, row, case)
    stored, plain, salted = hashlib.sha256(), hashlib.sha256(), hashlib.sha256(secret.salt)

    def pieces() -> Iterator[bytes]:
        for piece in desk.vault.objects.read(row.address):
            stored.update(piece)
            yield piece

    size = 0
    for chunk in sealing.unseal(secret.key, pieces()):
        size += len(chunk)
        plain.update(chunk)
        salted.update(chunk)
    if stored.hexdigest() != row.address or plain.digest() != secret.digest or size != row.size or f"sha256:{salted.hexdigest()}" != row.commitment:
        raise Tampered(f"evidence {row.id} is not what its address, its digest or its commitment says; restore the store's backup elsewhere")
    return size


def _secret(desk: Desk, row: Evidence, case: Case) -> Secret:
    try:
        return desk.vault.keys.unwrap(row.wrapped or b"", keeping.bound(row, case))
    except (Tampered, Unreachable):
        raise
    except DeskError:  # the key may have been changed since the row was read
        with desk.store.reading() as session:
            row, case = keeping.find(session, row.id)
        return desk.vault.keys.unwrap(row.wrapped or b"", keeping.bound(row, case))


def _vanished(session: Session) -> Iterator[Fault]:
    """Rows that the audit log knows, and the database has no more."""
    after = 0
    while True:
        asked = select(Audit.number, Audit.object, Audit.details).where(Audit.action == "evidence.add", Audit.number > after)
        lines = session.execute(asked.order_by(Audit.number).limit(PIECE)).all()
        if not lines:
            return
        numbers = {int(line.object.partition(":")[2]): json.loads(line.details)["case"] for line in lines}
        there = set(session.scalars(select(Evidence.id).where(Evidence.id.in_(numbers))))
        for number, case in numbers.items():
            if number not in there:
                yield Fault(number, case, "the audit log says that it was kept, and the database has it no more; restore a backup of the database")
        after = lines[-1].number


def _line(session: Session, evidence: int, action: str) -> dict[str, Any] | None:
    found = session.scalar(select(Audit.details).where(Audit.object == f"evidence:{evidence}", Audit.action == action).limit(1))
    return json.loads(found) if found is not None else None
