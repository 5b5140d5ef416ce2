"""The state machine of a case: every state, every step, who may take it, from where to where. Pure; docs/case.md draws it from here.

A step without a target leaves the state as it is, and still stands in the timeline: there is no step without who, when and why.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from authority.desk.errors import BadField, Conflict, Forbidden
from authority.desk.roles import Action, Actor
from authority.desk.words import clean

MOST_WHY = 20_000
"""Characters of a reason."""

State = Literal[
    "received", "assessed", "requested", "unanswered", "unidentifiable", "emergency", "drafted", "signing", "in_force", "suspended", "withdrawn",
    "expired", "lapsed", "restored", "removed", "dismissed",
]  # fmt: skip


def _from(*states: State) -> frozenset[State]:
    return frozenset(states)


OPEN: frozenset[State] = frozenset({"received", "assessed", "requested", "unanswered", "unidentifiable", "emergency", "drafted", "signing"})
"""Before an order: somebody must still decide."""
BLOCKING: frozenset[State] = frozenset({"in_force"})
ORDERED: frozenset[State] = frozenset({"in_force", "suspended"})
"""An order stands."""
ENDING: frozenset[State] = frozenset({"withdrawn", "expired", "lapsed"})
"""The order ended, and operators have not all said so."""
CLOSED: frozenset[State] = frozenset({"restored", "removed", "dismissed"})
STATES: tuple[State, ...] = (
    "received", "assessed", "requested", "unanswered", "unidentifiable", "emergency", "drafted", "signing", "in_force", "suspended", "withdrawn",
    "expired", "lapsed", "restored", "removed", "dismissed",
)  # fmt: skip

_BEFORE_ORDER: frozenset[State] = frozenset({"assessed", "requested", "unanswered", "unidentifiable", "emergency", "drafted", "signing"})
_ORDERED_OR_ENDED: frozenset[State] = ORDERED | ENDING | _from("restored")
_ALL: frozenset[State] = frozenset(STATES)
Doer = Action | Literal["clock", "log", "public"]


class Step(NamedTuple):
    """One step that a case can take."""

    sources: frozenset[State]
    target: State | None
    """None: the state stays."""
    doers: tuple[Doer, ...]
    """Actions of which the actor must be allowed one; or the name of what is no person."""
    needs: tuple[str, ...] = ()
    """Fields of its details without which it is refused; `why` is always needed."""


STEPS: dict[str, Step] = {
    # A referral comes, and somebody looks.
    "refer": Step(OPEN | ORDERED, None, ("case.open", "public"), ("referral",)),
    "assess": Step(_from("received", "assessed"), "assessed", ("case.decide",), ("category", "finding")),
    "set_names": Step((OPEN | ORDERED) - _from("drafted", "signing"), None, ("case.work",), ("names",)),
    "dismiss": Step(OPEN - _from("signing"), "dismissed", ("case.decide",)),
    # A threat to life: the police are told, or somebody finds that it is none.
    "escalate": Step(OPEN | ORDERED, None, ("case.work", "public"), ("threat",)),
    "alert": Step(OPEN | ORDERED, None, ("case.work",), ("told",)),
    "stand_down": Step(OPEN | ORDERED, None, ("case.decide",)),
    # Who could take the content away is asked first, or it is said why not.
    "request_removal": Step(_from("assessed", "requested", "unanswered"), "requested", ("case.work",), ("recipient", "kind", "deadline", "message")),
    "request_sent": Step(_ALL, None, ("clock",), ("message", "deadline")),
    "request_failed": Step(_ALL, None, ("clock",), ("message",)),
    "record_posted": Step(_ALL, None, ("case.work",), ("message", "posted_at")),
    "record_refusal": Step(_from("requested"), "unanswered", ("case.work",)),
    "deadline_passed": Step(_from("requested"), "unanswered", ("clock",)),
    "owner_unidentifiable": Step(_from("assessed", "requested", "unanswered"), "unidentifiable", ("case.decide",)),
    "declare_emergency": Step(_from("assessed", "requested"), "emergency", ("case.decide",), ("ground",)),
    "record_removed": Step(_BEFORE_ORDER - _from("signing"), "removed", ("case.work",)),
    # The order is drafted, guarded, signed elsewhere, published.
    "draft": Step(_from("unanswered", "unidentifiable", "emergency", "drafted", "signing"), "drafted", ("case.work",), ("order",)),
    "override_guard": Step(_from("drafted") | ORDERED, None, ("case.decide",), ("guard", "name")),
    "open_signing": Step(_from("drafted"), "signing", ("case.decide",), ("order",)),
    "add_signature": Step(_from("signing", "in_force", "suspended"), None, ("case.sign",), ("order", "office")),
    "abandon_draft": Step(_from("emergency", "drafted", "signing"), "assessed", ("case.decide",)),
    "publish": Step(_from("signing"), "in_force", ("case.publish", "log"), ("order", "index", "enforce_by", "expires_at")),
    # The log has an order that was dropped here, or was published past the desk: operators carry it out, so that it must be known, and be lifted.
    "published_elsewhere": Step(_ALL, "in_force", ("log",), ("order", "index", "enforce_by", "expires_at")),
    # While it is in force.
    "enforced": Step(ORDERED, None, ("log",), ("index",)),
    "confirm_emergency": Step(ORDERED, None, ("review.decide", "log"), ("index",)),
    "recheck": Step(ORDERED, None, ("case.work",), ("found",)),
    "draft_follower": Step(ORDERED, None, ("case.work", "review.decide"), ("order", "action")),
    "abandon_follower": Step(_ORDERED_OR_ENDED, None, ("case.decide", "review.decide"), ("order",)),
    "renew": Step(ORDERED, None, ("case.publish", "log"), ("order", "index", "enforce_by", "expires_at")),
    "amend": Step(ORDERED, None, ("case.publish", "log"), ("order", "index", "enforce_by", "expires_at")),
    "suspend": Step(_from("in_force"), "suspended", ("case.publish", "log"), ("order", "index", "ends_at")),
    "resume": Step(_from("suspended"), "in_force", ("clock",)),
    "withdraw": Step(ORDERED, "withdrawn", ("case.publish", "log"), ("order", "index")),
    "expire": Step(ORDERED, "expired", ("clock",)),
    "lapse": Step(ORDERED, "lapsed", ("clock",)),
    "restored": Step(ENDING, "restored", ("log", "case.decide")),
    # Those who may object, and those who check.
    "file_appeal": Step(_ORDERED_OR_ENDED, None, ("case.work", "public"), ("appeal",)),
    "decide_appeal": Step(_ALL, None, ("case.decide",), ("appeal", "decision")),
    # Visitors' reports that a block is an error, which operators pass on.
    "report_error": Step(_ALL, None, ("public",), ("report", "reports")),
    "answer_report": Step(_ALL, None, ("case.decide",), ("report", "decision")),
    "annul": Step(_ORDERED_OR_ENDED, None, ("case.decide", "review.decide"), ("court", "decided_at")),
    "recommend_withdrawal": Step(_BEFORE_ORDER | ORDERED, None, ("review.decide", "log"), ("recommendation",)),
    "answer_recommendation": Step(_ALL, None, ("case.decide",), ("recommendation", "answer")),
    "refer_to_court": Step(_ALL, None, ("review.decide",), ("court",)),
    # Whom it concerns is told, or it is said why not.
    "notify_owner": Step(_ORDERED_OR_ENDED, None, ("case.work", "clock"), ("occasion", "message")),
    "owner_not_notified": Step(_ORDERED_OR_ENDED, None, ("case.work", "clock"), ("occasion",)),
    # What else is worth remembering.
    "assign": Step(_ALL, None, ("case.decide",), ("officer",)),
    "add_evidence": Step(_ALL, None, ("evidence.add",), ("evidence",)),
    "hold_evidence": Step(_ALL, None, ("evidence.delete",), ("evidence",)),
    "extend_evidence": Step(_ALL, None, ("evidence.delete",), ("evidence", "until")),
    "release_evidence": Step(_ALL, None, ("evidence.delete",), ("evidence",)),
    "shred_evidence": Step(_ALL, None, ("evidence.delete",), ("evidence",)),
    "note": Step(_ALL, None, ("case.work", "case.decide", "review.decide", "log")),
    "reopen": Step(CLOSED, "assessed", ("case.decide",)),
}


def check(state: State, step: str, actor: Actor, why: str, details: dict[str, object]) -> State:
    """The state that follows. Raises Conflict, Forbidden or BadField, and never changes anything."""
    found = STEPS.get(step)
    if found is None:
        raise BadField("step", f"{step!r} is none; take one of {', '.join(sorted(STEPS))}")
    if state not in found.sources:
        able = ", ".join(each for each in STATES if each in found.sources)
        raise Conflict(f"{step}: the case is {state}; this step is taken from: {able}")
    if not _able(found, actor):
        raise Forbidden(f"{actor.name} may not take the step {step}; it is open to: {', '.join(found.doers)}")
    if not clean(why, "why", MOST_WHY):
        raise BadField("why", f"say why ({step}); every step is explained")
    for field in found.needs:
        if details.get(field) in (None, "", []):
            raise BadField(field, f"the step {step} needs it")
    return found.target or state


def open_to(state: State, actor: Actor) -> list[str]:
    """The steps that the actor may take now."""
    return [name for name, step in STEPS.items() if state in step.sources and _able(step, actor)]


def _able(step: Step, actor: Actor) -> bool:
    for doer in step.doers:
        if doer == "clock" or doer == "log":  # noqa: PLR1714 - mypy narrows by this
            if actor.person is None and actor.name == doer:
                return True
        elif doer == "public":
            if actor.person is None and (actor.name == "public" or actor.name.startswith("flagger:")):
                return True
        elif actor.may(doer):
            return True
    return False
