"""The state machine of a case: every state, every step, who may take it, from where to where. Pure; docs/case.md draws it from here.

A step without a target leaves the state as it is, and still stands in the timeline: there is no step without who, when and why.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from authority.desk.errors import BadField, Conflict, Forbidden
from authority.desk.roles import Action, Actor

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
    "refer": Step(OPEN | ORDERED | CLOSED, None, ("case.open", "public"), ("referral",)),
    "escalate": Step(OPEN, None, ("case.work", "public"), ("threat",)),
    "assess": Step(_from("received"), "assessed", ("case.decide",), ("category", "finding")),
    "dismiss": Step(_from("received", "assessed"), "dismissed", ("case.decide",)),
    # Who could take the content away is asked first, or it is said why not.
    "request_removal": Step(_from("assessed", "requested", "unanswered"), "requested", ("case.work",), ("recipient", "kind", "deadline")),
    "record_refusal": Step(_from("requested"), "unanswered", ("case.work",)),
    "deadline_passed": Step(_from("requested"), "unanswered", ("clock",)),
    "owner_unidentifiable": Step(_from("assessed", "requested", "unanswered"), "unidentifiable", ("case.decide",)),
    "declare_emergency": Step(_from("assessed", "requested"), "emergency", ("case.decide",), ("ground",)),
    "record_removed": Step(_BEFORE_ORDER - _from("signing"), "removed", ("case.work",)),
    # The order is drafted, guarded, signed elsewhere, published.
    "draft": Step(_from("unanswered", "unidentifiable", "emergency", "drafted", "signing"), "drafted", ("case.work",), ("order",)),
    "open_signing": Step(_from("drafted"), "signing", ("case.decide",), ("order",)),
    "add_signature": Step(_from("signing", "in_force", "suspended"), None, ("case.sign",), ("order", "office")),
    "abandon_draft": Step(_from("drafted", "signing"), "assessed", ("case.decide",)),
    "publish": Step(_from("signing"), "in_force", ("case.publish",), ("order", "index")),
    # While it is in force.
    "confirm_emergency": Step(ORDERED, None, ("review.decide",), ("index",)),
    "recheck": Step(ORDERED, None, ("case.work",), ("found",)),
    "draft_follower": Step(ORDERED, None, ("case.work", "review.decide"), ("order", "action")),
    "renew": Step(ORDERED, "in_force", ("case.publish",), ("order", "index")),
    "amend": Step(ORDERED, None, ("case.publish",), ("order", "index")),
    "suspend": Step(_from("in_force"), "suspended", ("case.publish",), ("order", "index")),
    "resume": Step(_from("suspended"), "in_force", ("clock", "case.publish")),
    "withdraw": Step(ORDERED, "withdrawn", ("case.publish",), ("order", "index")),
    "expire": Step(ORDERED, "expired", ("clock",)),
    "lapse": Step(ORDERED, "lapsed", ("clock",)),
    "restored": Step(ENDING, "restored", ("log", "case.decide")),
    # Those who may object, and those who check.
    "file_appeal": Step(_ORDERED_OR_ENDED, None, ("case.work", "public"), ("appeal",)),
    "decide_appeal": Step(_ORDERED_OR_ENDED, None, ("case.decide",), ("appeal", "decision")),
    "annul": Step(ORDERED, None, ("case.decide", "review.decide"), ("court", "decided_at")),
    "recommend_withdrawal": Step(ORDERED, None, ("review.decide",)),
    "answer_recommendation": Step(_ORDERED_OR_ENDED, None, ("case.decide",), ("answer",)),
    # Who must be told, and what else is worth remembering.
    "notify_owner": Step(_ORDERED_OR_ENDED, None, ("case.work", "clock"), ("occasion",)),
    "owner_not_notified": Step(_ORDERED_OR_ENDED, None, ("case.work",), ("occasion",)),
    "enforced": Step(ORDERED, None, ("log",), ("operator",)),
    "override_guard": Step(_from("drafted"), None, ("case.decide",), ("guard", "name")),
    "assign": Step(_ALL, None, ("case.decide",), ("officer",)),
    "note": Step(_ALL, None, ("case.work", "case.decide", "review.decide")),
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
    if not why.strip():
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
