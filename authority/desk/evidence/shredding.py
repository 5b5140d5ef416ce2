"""Deletion by two persons: an officer proposes and the reviewer confirms, or the other way round, and the object's wrapped key is destroyed. Nothing
here deletes by the clock; `people.proposals` has a proposal decided.

What is left is a tombstone: that there was evidence, of what length, kept and shredded when and by whom, and the commitment that orders carry. The
secret salt goes with the key, so that the commitment proves nothing more. `sweeping` then takes the encrypted octets out of the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import audit, steps
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, Forbidden
from authority.desk.evidence import keeping
from authority.desk.evidence.keeping import DAY, OBSERVATION, Gone
from authority.desk.people.proposals import GOOD_SECONDS
from authority.desk.procedure import Procedure
from authority.desk.roles import Actor
from authority.desk.states import CLOSED
from authority.desk.tables import Case, Evidence, Proposal

SHRED = "shred_evidence"
RELEASE = "release_hold"
"""Kinds of proposals."""
MOST = 500
"""Objects in one proposal."""
PIECE = 1000
SHOWN = 10
"""Numbers that a proposal's subject names."""


class Due(NamedTuple):
    """Evidence that should be shredded, unless a person says why not."""

    evidence: Evidence
    case: Case
    why: str


def propose(desk: Desk, actor: Actor, evidence: Sequence[int], why: str, now: int, early: bool = False) -> Proposal:
    """Asks a second person to have evidence shredded. `early`: although it may still be needed; the reason must then say why.

    Raises Forbidden, BadField, NotFound, Gone; Conflict for what is held, is proposed already, or is not due while `early` is not said.
    """
    actor.require("evidence.delete")
    wanted = sorted(set(evidence))
    if not 1 <= len(wanted) <= MOST:
        raise BadField("evidence", f"{len(wanted)} objects are named; name 1 to {MOST}")
    with desk.store.writing() as session:
        procedure = desk.procedure(session)
        proposed = _proposed(session, SHRED, now)
        for each in wanted:
            row, case = keeping.find(session, each)
            _require_free(row, case, procedure, now, early)
            if each in proposed:
                raise Conflict(f"proposal {proposed[each]} has evidence {each} shredded already; confirm or refuse that one")
        return _propose(session, actor, SHRED, wanted, why, now, early=early)


def propose_release(desk: Desk, actor: Actor, evidence: int, why: str, now: int) -> Proposal:
    """Asks a second person to end a hold. Raises Forbidden, BadField, NotFound, Gone, Conflict when it is not held or proposed already."""
    actor.require("evidence.delete")
    with desk.store.writing() as session:
        row, case = keeping.find(session, evidence)
        if row.shredded_at is not None:
            raise Gone(f"evidence {row.id} of case {case.number} was shredded")
        if not row.hold:
            raise Conflict(f"evidence {row.id} is not held; there is nothing to release")
        before = _proposed(session, RELEASE, now)
        if evidence in before:
            raise Conflict(f"proposal {before[evidence]} releases evidence {evidence} already; confirm or refuse that one")
        return _propose(session, actor, RELEASE, [evidence], why, now, hold=row.hold)


def propose_due(desk: Desk, actor: Actor, why: str, now: int) -> Proposal | None:
    """Asks a second person to have shredded what is past its retention, as much as one proposal takes; None when nothing is. Raises Forbidden."""
    actor.require("evidence.delete")
    with desk.store.reading() as session:
        found = due(session, desk.procedure(session), now)
    return propose(desk, actor, [each.evidence.id for each in found[:MOST]], why, now) if found else None


def due(session: Session, procedure: Procedure, now: int, most: int = MOST) -> list[Due]:
    """What is past its retention, in a closed case without an open appeal, not held and not yet proposed; and content that its category forbids,
    which is older than the category's finding. The first `most`."""
    proposed = _proposed(session, SHRED, now)
    banned = [name for name, rule in procedure.categories.items() if rule.forbids_content]
    found: list[Due] = []
    past = (Evidence.retain_until <= now) & Case.state.in_(sorted(CLOSED)) & (Case.appeals == 0)
    unlawful = Case.category.in_(banned) & (Evidence.media_type != OBSERVATION)
    after = 0
    while len(found) < most:
        asked = select(Evidence, Case).join(Case, Evidence.case_id == Case.id).where(Evidence.shredded_at.is_(None), Evidence.hold == "")
        asked = asked.where(Evidence.id > after, past | unlawful if banned else past).order_by(Evidence.id).limit(PIECE)
        rows = session.execute(asked).all()
        for row, case in rows:
            why = reason(row, case, procedure, now)
            if why and row.id not in proposed:
                found.append(Due(row, case, why))
        if len(rows) < PIECE:
            break
        after = rows[-1][0].id
    return found[:most]


def reason(row: Evidence, case: Case, procedure: Procedure, now: int) -> str:
    """Why evidence should be shredded; empty when it should still be kept."""
    if row.shredded_at is not None or row.hold:
        return ""
    if row.media_type != OBSERVATION and case.category and procedure.category(case.category).forbids_content:
        return f"the law forbids to have content of {case.category}"
    # The category may have been found, or its days changed, after it was kept.
    until = max(row.retain_until, row.stored_at + procedure.category(case.category).retain_days * DAY)
    if until <= now and case.state in CLOSED and not case.appeals:
        return "its retention has ended, and its case is closed"
    return ""


def shred(session: Session, desk: Desk, proposal: Proposal, actor: Actor, now: int) -> None:
    """What a confirmed proposal of kind SHRED does, in the transaction that confirms it; `actor` confirms.

    Raises Forbidden, and Conflict for what came to be held, or is needed again, since it was proposed: then all of it is kept.
    """
    _require_second(proposal, actor)
    procedure = desk.procedure(session)
    for each in proposal.body["evidence"]:
        row, case = keeping.find(session, each)
        _require_free(row, case, procedure, now, bool(proposal.body["early"]))
        row.wrapped, row.shredded_at, row.proposal_id = None, now, proposal.id
        steps.take(session, case, "shred_evidence", actor, proposal.why, now, procedure, evidence=row.id, proposal=proposal.id)
        audit.record(session, actor, "evidence.shred", f"evidence:{row.id}", now, case=case.number, proposal=proposal.id)


def release(session: Session, desk: Desk, proposal: Proposal, actor: Actor, now: int) -> None:
    """What a confirmed proposal of kind RELEASE does, likewise. Raises Forbidden, Conflict when it is no more the hold that was to be released."""
    _require_second(proposal, actor)
    (each,) = proposal.body["evidence"]
    row, case = keeping.find(session, each)
    if not row.hold or row.hold != proposal.body["hold"]:
        raise Conflict(f"evidence {row.id} is not held for what the proposal says; look again, and propose anew")
    row.hold = ""
    steps.take(session, case, "release_evidence", actor, proposal.why, now, desk.procedure(session), evidence=row.id, proposal=proposal.id)
    audit.record(session, actor, "evidence.release", f"evidence:{row.id}", now, case=case.number, proposal=proposal.id)


def _require_second(proposal: Proposal, actor: Actor) -> None:
    actor.require("evidence.delete")
    if actor.person is None or actor.person == proposal.made_by:
        raise Forbidden(f"{actor.name} proposed this; another person must confirm it")


def _require_free(row: Evidence, case: Case, procedure: Procedure, now: int, early: bool) -> None:
    if row.shredded_at is not None:
        raise Gone(f"evidence {row.id} of case {case.number} was shredded already")
    if row.hold:
        raise Conflict(f"evidence {row.id} is held ({row.hold[:100]}); propose first that it be released")
    if not early and not reason(row, case, procedure, now):
        raise Conflict(f"evidence {row.id} of case {case.number} is still to be kept; say that it is early, and why it must go all the same")


def _proposed(session: Session, kind: str, now: int) -> dict[int, int]:
    """Objects that a proposal names which can still be confirmed, and its number."""
    waiting = session.scalars(select(Proposal).where(Proposal.kind == kind, Proposal.decided_at.is_(None), Proposal.made_at > now - GOOD_SECONDS))
    return {each: proposal.id for proposal in waiting for each in proposal.body["evidence"]}


def _propose(session: Session, actor: Actor, kind: str, evidence: list[int], why: str, now: int, **more: Any) -> Proposal:
    actor.require("evidence.delete")
    if actor.person is None:
        raise Forbidden(f"{actor.name} is no person; two persons delete evidence")
    if not why.strip():
        raise BadField("why", "say why")
    subject = f"evidence {', '.join(map(str, evidence[:SHOWN]))}{' …' if len(evidence) > SHOWN else ''}"
    proposal = Proposal(kind=kind, subject=subject, body={"evidence": evidence, **more}, why=why.strip(), made_by=actor.person, made_at=now)
    session.add(proposal)
    session.flush()
    audit.record(session, actor, "proposal.make", f"proposal:{proposal.id}", now, kind=kind, subject=subject, why=proposal.why)
    return proposal
