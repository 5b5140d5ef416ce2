"""Two persons: one asks, another agrees or refuses, and only then it is done. Nobody agrees to what they asked for, or to what is about themselves.

What is asked is looked at again when it is agreed to: what has become impossible meanwhile is not done.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import audit
from authority.desk.desk import Desk
from authority.desk.errors import BadField, Conflict, Forbidden, NotFound
from authority.desk.people import invitations
from authority.desk.people.kinds import KINDS, Kind
from authority.desk.people.sessions import digest_of
from authority.desk.roles import Actor, Role
from authority.desk.states import MOST_WHY
from authority.desk.tables import Person, Proposal
from authority.desk.words import clean

GOOD_SECONDS = 30 * 86_400
"""After which nobody agrees to it any more: it is asked anew."""
WITH_CODE = frozenset({"person", "reset"})
"""Kinds that end in a code of two halves."""


class Done(NamedTuple):
    """A proposal, and what is shown once to who did this: half of a code, or a token; mostly nothing."""

    proposal: Proposal
    shown: str


def make(session: Session, desk: Desk, actor: Actor, kind: str, body: dict[str, Any], why: str, now: int) -> Done:
    """Asks. Raises BadField, Conflict, Forbidden or NotFound."""
    actor.require("proposal.make")
    found = _kind(kind)
    if not found.here:
        raise BadField("kind", f"{kind} is proposed where it belongs, not here")
    if not actor.roles & found.makers or actor.person is None:
        raise Forbidden(f"{actor.name} may not propose this ({kind}); it is open to: {', '.join(sorted(found.makers))}")
    if not (why := clean(why, "why", MOST_WHY)):
        raise BadField("why", "say why; who confirms must be able to judge")
    # What nobody looks at would be kept all the same, and shown to who confirms.
    if odd := sorted(body.keys() - found.fields):
        raise BadField(odd[0][:40], f"there is no such field; {kind} has {', '.join(sorted(found.fields))}")
    subject = found.check(session, desk, body := dict(body))
    if found.about_person and subject == actor.name and kind not in ("end_grant", "end_person"):
        raise Forbidden("nobody proposes this for themselves; ask another administrator")
    waiting = select(Proposal.id).where(Proposal.kind == kind, Proposal.subject == subject, Proposal.decided_at.is_(None))
    if kind != "grant" and session.scalar(waiting.where(Proposal.made_at > now - GOOD_SECONDS)) is not None:
        raise Conflict(f"the same is proposed already ({kind}: {subject}), and waits; decide that first")
    shown = ""
    if kind in WITH_CODE and not str(body.get("subject", "")).strip():
        shown = invitations.half()
        body["half"] = digest_of(shown)
    proposal = Proposal(
        kind=kind, subject=subject, body=body, why=why, made_by=actor.person, made_at=now, decided_by=None, decided_at=None, decision=None
    )  # fmt: skip
    session.add(proposal)
    session.flush()
    audit.record(session, actor, "proposal.make", f"proposal:{proposal.id}", now, kind=kind, subject=subject, why=proposal.why)
    return Done(proposal, shown)


def decide(session: Session, desk: Desk, actor: Actor, number: int, confirm: bool, reason: str, now: int) -> Done:
    """Agrees, and does it, or refuses. Who asked may refuse, which takes it back. Raises Conflict, Forbidden, NotFound, and what doing it raises."""
    proposal = opened(session, actor, number)
    if proposal.decided_at is not None:
        raise Conflict(f"proposal {number} was {proposal.decision} already")
    if actor.person is None:
        raise Forbidden(f"{actor.name} is no person, and decides nothing")
    if confirm:
        _require_able(session, proposal, actor)
        if now > proposal.made_at + GOOD_SECONDS:
            raise Conflict("it is too old to be agreed to; have it proposed anew")
    elif proposal.made_by != actor.person and not may_decide(session, proposal, actor):
        raise Forbidden(f"{actor.name} may not refuse this")
    if not (reason := clean(reason, "reason", MOST_WHY)) and not confirm:
        raise BadField("reason", "say why it is refused")
    proposal.decided_by, proposal.decided_at, proposal.reason = actor.person, now, reason
    proposal.decision = "confirmed" if confirm else "refused"
    audit.record(
        session,
        actor,
        f"proposal.{proposal.decision}",
        f"proposal:{number}",
        now,
        kind=proposal.kind,
        subject=proposal.subject,
        reason=proposal.reason,
    )
    shown = _kind(proposal.kind).carry_out(session, desk, proposal, actor, now) if confirm else ""
    session.flush()
    return Done(proposal, shown)


def may_decide(session: Session, proposal: Proposal, actor: Actor) -> bool:
    """Whether the actor's agreement would count."""
    try:
        _require_able(session, proposal, actor)
    except Forbidden:
        return False
    return proposal.decided_at is None


def confirmers(session: Session, proposal: Proposal) -> frozenset[Role]:
    """The roles of which one must agree."""
    return _kind(proposal.kind).confirmers(session, proposal)


def find(session: Session, number: int) -> Proposal:
    """A proposal. Raises NotFound."""
    proposal = session.get(Proposal, number)
    if proposal is None:
        raise NotFound(f"there is no proposal {number}")
    return proposal


def opened(session: Session, actor: Actor, number: int) -> Proposal:
    """A proposal, for who may see proposals. Raises Forbidden, NotFound."""
    _require_reader(actor)
    return find(session, number)


def waiting(session: Session, actor: Actor, now: int, limit: int = 200) -> list[Proposal]:
    """What waits for a second person, the oldest first. Raises Forbidden."""
    _require_reader(actor)
    open_ones = select(Proposal).where(Proposal.decided_at.is_(None), Proposal.made_at > now - GOOD_SECONDS)
    return list(session.scalars(open_ones.order_by(Proposal.id).limit(limit)))


def about(session: Session, actor: Actor, login: str, now: int) -> list[Proposal]:
    """What waits about a person, the oldest first. Raises Forbidden."""
    _require_reader(actor)
    mine = select(Proposal).where(Proposal.subject == login, Proposal.decided_at.is_(None), Proposal.made_at > now - GOOD_SECONDS)
    kinds = [name for name, kind in KINDS.items() if kind.about_person]
    return list(session.scalars(mine.where(Proposal.kind.in_(kinds)).order_by(Proposal.id).limit(100)))


def document(session: Session, actor: Actor, number: int) -> str:
    """The whole text of a document that is, or was, proposed. Raises Forbidden, NotFound."""
    found = opened(session, actor, number)
    if found.kind != "document":
        raise NotFound(f"proposal {number} is no document")
    return str(found.body["body"])


def decided(session: Session, actor: Actor, before: int | None = None, limit: int = 50) -> list[Proposal]:
    """What was decided, or became too old, the newest first; `before`: a proposal's number. Raises Forbidden."""
    _require_reader(actor)
    found = select(Proposal).where(Proposal.decided_at.is_not(None))
    if before is not None:
        found = found.where(Proposal.id < before)
    return list(session.scalars(found.order_by(Proposal.id.desc()).limit(limit)))


def _require_reader(actor: Actor) -> None:
    if not (actor.may("proposal.make") or actor.may("proposal.confirm")):
        raise Forbidden(f"{actor.name} may not see proposals")


def _require_able(session: Session, proposal: Proposal, actor: Actor) -> None:
    actor.require("proposal.confirm")
    needed = confirmers(session, proposal)
    if proposal.made_by == actor.person:
        raise Forbidden("who proposed it does not agree to it too; another person must")
    if _kind(proposal.kind).about_person and _is_about(session, proposal, actor):
        raise Forbidden("nobody agrees to what is about themselves")
    if not actor.roles & needed:
        raise Forbidden(f"{actor.name} may not agree to this; it takes one of: {', '.join(sorted(needed))}")


def _is_about(session: Session, proposal: Proposal, actor: Actor) -> bool:
    person = session.scalar(select(Person).where(Person.login == proposal.subject))
    return person is not None and person.id == actor.person


def _kind(kind: str) -> Kind:
    found = KINDS.get(kind)
    if found is None:
        raise BadField("kind", f"take one of {', '.join(KINDS)}")
    return found
