"""The procedure as data: its clocks by category, its fixed texts, its rules of retention and penalty. A document that two persons change. Pure.

What judges an order at the operators' (who may sign, how many, for how long at most) is the signed policy's; what stands here is how the house works.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from authority.desk.errors import BadField
from authority.desk.states import STEPS, State
from blocklists import formats

Hours = Annotated[float, Field(gt=0, le=87_840)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class Part(BaseModel):
    """A part of the procedure: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClockRule(Part):
    """How long something may take: from one step to another."""

    begins: tuple[str, ...]
    """Steps that start it."""
    ends: tuple[str, ...] = ()
    """Steps that stop it, beside leaving its states; the end of the case stops every clock that does not outlive it."""
    hours: Hours | None = None
    """None: it runs only in categories that say how long."""
    until: Literal["", "deadline", "enforce_by", "review_due", "expires_at", "lapses_at", "ends_at", "until"] = ""
    """The detail of the step that says when it is due, instead of `hours`."""
    since: Literal["step", "referral"] = "step"
    """What the hours are counted from: the step that starts it, or the case's first referral."""
    anew: bool = True
    """Whether a step that starts it, while it runs, starts it anew; otherwise it runs on."""
    each: Literal["", "appeal", "recommendation", "message"] = ""
    """The detail that tells apart several of it that run at once: each appeal has its own."""
    only: Literal["", "emergency", "urgent", "dated"] = ""
    """It runs only in such cases; dated: only if the detail that `until` names is there."""
    states: tuple[State, ...] = ()
    """It runs only in these: a case that leaves them stops it. None: in any."""
    when: dict[str, str] = Field(default_factory=dict)
    """Details that the step that starts it must have."""
    ends_when: dict[str, str] = Field(default_factory=dict)
    """Details of a step that stops it: one that says otherwise does not."""
    outlives: bool = False
    """It runs on when the case has ended: somebody still waits for an answer."""
    tell: Literal["clerk", "officer", "reviewer", "administrator"] = "officer"
    """Whom it tells when it is overdue, beside the case's own officer."""
    warn: Annotated[float, Field(ge=0, le=87_840)] = 0
    """So many hours before it is due it tells them that it will be; as many as it has: at once. 0: never."""
    takes: str = ""
    """The step that its end takes by itself, such as deadline_passed."""

    @model_validator(mode="after")
    def _known(self) -> ClockRule:
        for step in (*self.begins, *self.ends, *([self.takes] if self.takes else [])):
            if step not in STEPS:
                raise ValueError(f"{step!r} is no step of a case; see docs/case.md")
        if self.takes and "clock" not in STEPS[self.takes].doers:
            raise ValueError(f"takes: no clock may take the step {self.takes}; see docs/case.md")
        if self.only == "dated" and not self.until:
            raise ValueError("only: dated needs until, the detail that has the date")
        return self


class CategoryRule(Part):
    """What is special to one category of the policy."""

    clocks: dict[Name, Hours] = Field(default_factory=dict)
    """Hours that differ from the clock's own."""
    forbids_content: bool = False
    """Evidence of this category may not be content: the law forbids to have it. Addresses, times and digests alone."""
    retain_days: Annotated[int, Field(ge=1, le=36_600)] = 183
    legal_basis: str = ""
    """With which an order's draft begins."""


class Penalty(Part):
    """What an operator owes for one order carried out late."""

    free_hours: Annotated[float, Field(ge=0)] = 0
    """So long after it was due, nothing."""
    per_hour: Annotated[int, Field(ge=0)] = 0
    """For each hour begun, in the currency's smallest unit."""
    most: Annotated[int, Field(ge=0)] = 0
    """For one order; 0: without limit."""
    restore_factor: Annotated[float, Field(ge=0)] = 1
    """Names not restored in time count so many times as much."""
    excuses: tuple[Literal["held", "refused", "suspended", "skipped"], ...] = ("refused", "skipped")
    """Exceptions for which nothing is owed: by default those that rules make alike at every operator, and nobody decided."""


class Procedure(Part):
    """All of it."""

    clocks: dict[Name, ClockRule]
    categories: dict[Name, CategoryRule] = Field(default_factory=dict)
    penalty: Penalty = Penalty()
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    catches_most: Annotated[int, Field(ge=1)] = 20
    """Other known names that a subtree may catch before a guard objects."""

    @model_validator(mode="after")
    def _categories_name_clocks(self) -> Procedure:
        for name, category in self.categories.items():
            for clock in category.clocks:
                if clock not in self.clocks:
                    raise ValueError(f"categories.{name}.clocks: there is no clock {clock!r}; there are {', '.join(self.clocks)}")
        return self

    def hours(self, clock: str, category: str) -> float | None:
        """How long a clock runs in a category; None when it does not run there."""
        found = self.categories.get(category)
        return found.clocks.get(clock, self.clocks[clock].hours) if found else self.clocks[clock].hours

    def category(self, name: str) -> CategoryRule:
        """What is special to a category; the defaults when nothing is."""
        return self.categories.get(name, CategoryRule())


def load(text: str) -> Procedure:
    """The procedure in a YAML text. Raises BadField naming the first fault met."""
    found, bad = formats.documents(f"{text}\n".encode())
    if bad:
        raise BadField("procedure", f"line {bad[0].line}: {bad[0].value}: {bad[0].reason}")
    if len(found) != 1:
        raise BadField("procedure", f"it has {len(found)} documents; write one")
    try:
        return Procedure.model_validate(found[0].data)
    except ValidationError as error:
        fault: dict[str, Any] = dict(error.errors(include_url=False, include_context=False)[0])
        raise BadField("procedure", f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')[:400]}") from None


DEFAULT = """\
# How long each step of a case may take, and what else the house has decided. A change takes two persons. docs/case.md explains every field.
# begins, ends: steps of a case. states: those it runs in. hours: how long; without, it runs only in categories that say. until: the detail of the
# step that says when it is due. tell: who hears of it when it is overdue. warn: so many hours before. takes: the step that it takes at its end.

clocks:
  # Before an order.
  assess:      # a referral is looked at
    {begins: [refer], ends: [assess, dismiss], states: [received], hours: 24, anew: false, tell: clerk}
  threat:      # an imminent threat to life: who can save it is told, or an emergency declared
    {begins: [escalate], ends: [alert, stand_down, declare_emergency], hours: 1, anew: false}
  request:     # the host or publisher is asked, or it is said why not
    {begins: [assess, abandon_draft, reopen, request_failed], ends: [request_removal], states: [assessed, requested], hours: 24, anew: false}
  send:        # a removal request leaves the house
    {begins: [request_removal], ends: [request_sent, request_failed], hours: 1, each: message}
  owner:       # the host or publisher removes, or is silent
    {begins: [request_sent], states: [requested], hours: 24, until: deadline, takes: deadline_passed}
  removal:     # from the referral until the content is gone, or ordered to be blocked
    {begins: [assess], states: [assessed, requested, unanswered, unidentifiable, emergency, drafted, signing], since: referral, anew: false}
  draft:       # the order is written and signed once nothing else is left
    {begins: [deadline_passed, record_refusal, owner_unidentifiable], states: [unanswered, unidentifiable, drafted, signing], hours: 48, anew: false}
  act:         # the same in an emergency
    {begins: [declare_emergency], states: [emergency, drafted, signing], hours: 2}
  # While an order stands.
  operators:   # every operator carries it out
    {begins: [publish, published_elsewhere, renew, amend], ends: [enforced], states: [in_force, suspended], hours: 24, until: enforce_by}
  owner_block: # whom it concerns is told of the block, or it is said why not
    {begins: [publish, published_elsewhere], ends: [notify_owner, owner_not_notified], ends_when: {occasion: block}, hours: 24, outlives: true}
  disclose:    # they may be told now
    {begins: [owner_not_notified], ends: [notify_owner], hours: 24, until: until, only: dated, outlives: true}
  confirm:     # the reviewer confirms an emergency
    {begins: [publish, published_elsewhere, renew, amend], ends: [confirm_emergency], states: [in_force, suspended], hours: 72, until: lapses_at,
     only: emergency, tell: reviewer, warn: 72, takes: lapse}
  recheck:     # the content is looked at again, each quarter
    {begins: [publish, published_elsewhere, recheck, renew], states: [in_force, suspended], hours: 2208, until: review_due, warn: 168}
  gone:        # the content is gone: the order is withdrawn without delay
    {begins: [recheck], ends: [recheck], states: [in_force, suspended], hours: 24, when: {found: gone}}
  renewal:     # before the order ends: renew it, or let it end
    {begins: [publish, published_elsewhere, renew, amend], states: [in_force, suspended], hours: 8784, until: expires_at, warn: 336, takes: expire}
  suspension:  # 72 hours, then it goes on unless it is withdrawn
    {begins: [suspend], states: [suspended], hours: 72, until: ends_at, warn: 24, takes: resume}
  # Those who object, and those who check.
  appeal:      # an appeal is decided
    {begins: [file_appeal], ends: [decide_appeal], hours: 1440, each: appeal, outlives: true, warn: 168}
  report:      # visitors report that the block is an error: an officer looks, and they are answered
    {begins: [report_error], ends: [answer_report], hours: 24, anew: false, ends_when: {left: none}, outlives: true, warn: 24}
  lift:        # an appeal or a report was right: the order is withdrawn
    {begins: [decide_appeal, answer_report], states: [in_force, suspended], hours: 24, anew: false, when: {decision: lifted}}
  mend:        # an appeal or a report was right in part: the order is amended
    {begins: [decide_appeal, answer_report], ends: [amend], states: [in_force, suspended], hours: 48, anew: false, when: {decision: amended}}
  reviewer:    # a recommendation is answered
    {begins: [recommend_withdrawal], ends: [answer_recommendation], hours: 72, each: recommendation, outlives: true, warn: 72}
  follow:      # a recommendation is followed
    {begins: [answer_recommendation], states: [in_force, suspended], hours: 24, anew: false, when: {answer: followed}}
  annulment:   # a court has annulled the order
    {begins: [annul], states: [in_force, suspended], hours: 1, anew: false, warn: 1}
  # After it.
  restore:     # every operator restores
    {begins: [withdraw, expire, lapse], states: [withdrawn, expired, lapsed], hours: 24}
  owner_lift:  # whom it concerns is told that it is lifted, or it is said why not
    {begins: [withdraw, expire, lapse], ends: [notify_owner, owner_not_notified], ends_when: {occasion: lift}, hours: 24, outlives: true}

# hours of a category override a clock's. The names are those of the signed policy.
categories:
  terrorism:             # the French rules of 2015
    {retain_days: 183}
  terrorist-content:     # Regulation (EU) 2021/784: one hour; and the two hours that the G7 asked for in 2017
    {clocks: {owner: 1, removal: 2}, retain_days: 183}
  child-abuse:           # nobody may keep it, whatever for
    {forbids_content: true, retain_days: 183}
"""
"""The procedure that a new desk begins with: the French rules of 2015, and beside them TCO's hour and the G7's two."""
