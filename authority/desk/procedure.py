"""The procedure as data: its clocks by category, its fixed texts, its rules of retention and penalty. A document that two persons change. Pure.

What judges an order at the operators' (who may sign, how many, for how long at most) is the signed policy's; what stands here is how the house works.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from authority.desk.errors import BadField
from authority.desk.states import CLOSED, STEPS
from blocklists import formats

Hours = Annotated[float, Field(gt=0, le=87_840)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class Part(BaseModel):
    """A part of the procedure: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClockRule(Part):
    """How long something may take: from one step to another."""

    begins: tuple[str, ...]
    """Steps that start it; when it runs already, they start it anew."""
    ends: tuple[str, ...] = ()
    """Steps that stop it; the end of the case stops every clock."""
    hours: Hours
    until: Literal["", "deadline", "enforce_by", "expires_at"] = ""
    """The detail of the step that says when it is due, instead of `hours`."""
    only: Literal["", "emergency", "urgent", "gone"] = ""
    """It runs only in such cases."""
    tell: Literal["clerk", "officer", "reviewer", "administrator"] = "officer"
    """Whom it tells when it is overdue, beside the case's own officer."""
    takes: str = ""
    """The step that its end takes by itself, such as deadline_passed."""

    @model_validator(mode="after")
    def _known(self) -> ClockRule:
        for step in (*self.begins, *self.ends, *([self.takes] if self.takes else [])):
            if step not in STEPS:
                raise ValueError(f"{step!r} is no step of a case; see docs/case.md")
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


class Procedure(Part):
    """All of it."""

    clocks: dict[Name, ClockRule]
    categories: dict[Name, CategoryRule] = Field(default_factory=dict)
    penalty: Penalty = Penalty()
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    catches_most: Annotated[int, Field(ge=1)] = 20
    """Other known names that a subtree may catch before a guard objects."""

    def hours(self, clock: str, category: str) -> float:
        """How long a clock runs in a category."""
        found = self.categories.get(category)
        return found.clocks.get(clock, self.clocks[clock].hours) if found else self.clocks[clock].hours

    def category(self, name: str) -> CategoryRule:
        """What is special to a category; the defaults when nothing is."""
        return self.categories.get(name, CategoryRule())


def load(text: str) -> Procedure:
    """The procedure in a YAML text. Raises BadField naming the first fault met."""
    found, bad = formats.documents(text.encode())
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
# How long each step of a case may take, and what else the house has decided. A change takes two persons.
# begins, ends: steps of a case (docs/case.md). hours: how long. until: the detail of the step that says when it is due instead.
# tell: who hears of it when it is overdue. takes: the step that the clock itself takes when it has run out.

clocks:
  assess:      # a referral is looked at
    {begins: [refer], ends: [assess, dismiss], hours: 24, tell: clerk}
  threat:      # an imminent threat to life
    {begins: [escalate], ends: [request_removal, declare_emergency, publish], hours: 1, only: urgent}
  owner:       # the host or publisher removes, or is silent
    {begins: [request_removal], ends: [record_removed, record_refusal, owner_unidentifiable], hours: 24, until: deadline, takes: deadline_passed}
  draft:       # the order is written and signed once nothing else is left
    {begins: [deadline_passed, record_refusal, owner_unidentifiable, declare_emergency], ends: [publish, abandon_draft], hours: 48}
  operators:   # every operator carries it out
    {begins: [publish], ends: [], hours: 24, until: enforce_by, tell: officer}
  recheck:     # the content is looked at again, each quarter
    {begins: [publish, recheck, renew], ends: [withdraw, expire, lapse], hours: 2208}
  renewal:     # before the order ends: renew it, or let it end
    {begins: [publish, renew], ends: [withdraw, expire, lapse], hours: 8784, until: expires_at, takes: expire}
  confirm:     # the reviewer confirms an emergency
    {begins: [publish], ends: [confirm_emergency, withdraw], hours: 72, only: emergency, tell: reviewer, takes: lapse}
  suspension:  # 72 hours, then it goes on unless it is withdrawn
    {begins: [suspend], ends: [withdraw, resume], hours: 72, takes: resume}
  annulment:   # a court has annulled it
    {begins: [annul], ends: [withdraw, expire, lapse], hours: 1}
  gone:        # the content is gone: operators are told without delay
    {begins: [recheck], ends: [withdraw, expire, lapse], hours: 24, only: gone}
  restore:     # every operator restores
    {begins: [withdraw, expire, lapse], ends: [restored], hours: 24}
  appeal:      # an appeal is decided
    {begins: [file_appeal], ends: [decide_appeal], hours: 1440}
  reviewer:    # a recommendation is answered
    {begins: [recommend_withdrawal], ends: [answer_recommendation], hours: 72}

categories:
  terrorism:
    {clocks: {}, retain_days: 183}
"""
"""The procedure that a new desk begins with: the French rules of 2015. `hours` of a category override a clock's: TCO's 1 h, the G7's 2 h."""

FINAL = CLOSED
"""States in which every clock stops."""
