"""What one operator's receipts say of one obligation, receipt by receipt. Pure.

A receipt says: the log of this size is in force here, but for these exceptions. The first one whose log has an entry shows that the operator has
received it; the first one by which the order is in force there (or its names restored) shows that it is done. The time that counts is ours, when we
took the receipt; the operator's own stands beside it. An end by an order's own terms sends no receipt: who had the order has its end in it, and the
next receipt, whenever it comes, confirms it. Until then the outcome is `terms`, which is neither late nor silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from authority.desk.enforcement import obligations
from authority.desk.enforcement.obligations import Bound
from authority.desk.enforcement.tables import Obligation
from blocklists.receipt import Exempt, Receipt

Outcome = Literal["open", "applied", "late", "missed", "void", "terms"]
SELF_ENDING = frozenset({"expire", "lapse"})
MORE = "and-more"
"""The id under which an operator counts the exceptions that did not fit (`blocklists.receipts`)."""


class Heard(NamedTuple):
    """One receipt that names a state of our log."""

    number: int
    size: int
    at: int
    """By the operator's clock."""
    taken_at: int
    """By ours."""
    exceptions: Mapping[str, Sequence[Mapping[str, str]]]
    """By order: what and why."""

    @property
    def effect(self) -> int:
        """The latest time that it can speak of: nobody's clock makes it later than when we took it."""
        return min(self.at, self.taken_at)


@dataclass(slots=True)
class Row:
    """As the table has it."""

    log_index: int
    kind: str
    operator: str
    action: str
    begins_at: int
    due_at: int
    outcome: str = "open"
    received_at: int | None = None
    taken_at: int | None = None
    applied_at: int | None = None
    receipt: int | None = None
    waits: bool = False
    exception: list[Any] | None = field(default=None)


def heard(receipt: Receipt, taken_at: int) -> Heard:
    """A receipt, and when we took it."""
    return Heard(receipt.number, receipt.checkpoint.size, receipt.at, taken_at, by_order(receipt.exceptions))


def by_order(exceptions: Sequence[Exempt]) -> dict[str, list[dict[str, str]]]:
    """Exceptions by the order they name."""
    found: dict[str, list[dict[str, str]]] = {}
    for each in exceptions:
        found.setdefault(each.id, []).append({"what": each.what, "why": each.why})
    return found


def owes(obligation: Obligation | Bound, away: Sequence[Sequence[int | None]]) -> bool:
    """Whether an operator that was away so owes it at all."""
    came, left = away[0][1], left_at(away)
    if left is not None and (obligation.logged_at >= left or (obligation.kind == "lift" and obligation.begins_at >= left)):
        return False
    if obligation.kind == "lift":
        return obligation.begins_at >= (came or 0)
    return obligation.end_at is None or obligation.end_at >= (came or 0)


def due(obligation: Obligation | Bound, away: Sequence[Sequence[int | None]]) -> int:
    """When it is due of that operator: who came, or came back, while it ran has the whole time from then on."""
    found = obligation.due_at
    for left, back in away:
        if back is not None and (left or 0) < found and obligation.begins_at < back:
            found = max(found, back + obligation.hours * obligations.HOUR)
    return found


def left_at(away: Sequence[Sequence[int | None]]) -> int | None:
    """When the operator left; None while it is here."""
    return away[-1][0] if away[-1][1] is None else None


def first_row(obligation: Obligation | Bound, operator: str, away: Sequence[Sequence[int | None]]) -> Row:
    """Before any receipt."""
    row = Row(obligation.log_index, obligation.kind, operator, obligation.action, obligation.begins_at, due(obligation, away))
    row.waits = obligation.action in SELF_ENDING
    return row


def hear(row: Row, obligation: Obligation | Bound, receipt: Heard) -> None:
    """Takes the operator's next receipt, of a log that has the entry, into a row that is not done; `waits` says then whether another may do it."""
    if obligation.action in SELF_ENDING and receipt.effect < obligation.begins_at:
        return
    if row.received_at is None:
        row.received_at = receipt.taken_at
    said = list(receipt.exceptions.get(obligation.order_id, ()))
    if obligation.action in SELF_ENDING:
        row.waits = False
    elif obligation.kind == "lift":
        over = obligation.expires_at is not None and receipt.effect >= obligation.expires_at
        row.waits = not over and any(each["what"] == "skipped" for each in said)
        if over:
            return
    else:
        ends = obligations.end_of(obligation, receipt.size)
        if ends is not None and receipt.effect >= ends:
            row.waits = False
            return
        row.waits = is_withheld(said, obligation.names) or MORE in receipt.exceptions
    if not row.waits:
        row.taken_at, row.applied_at, row.receipt = receipt.taken_at, receipt.at, receipt.number


def is_withheld(said: Sequence[Mapping[str, str]], names: int) -> bool:
    """Whether these exceptions keep the whole order out of force. The guards refuse single names: the others are in force."""
    return any(each["what"] != "refused" for each in said) or (bool(said) and len(said) >= names)


def exception(row: Row, obligation: Obligation | Bound, exceptions: Mapping[str, Sequence[Mapping[str, str]]]) -> list[Any] | None:
    """What the newest receipt says of an order that its log has; None when nothing."""
    if obligation.kind != "block":
        return None
    said = [dict(each) for each in exceptions.get(obligation.order_id, ())]
    if not said and row.waits and MORE in exceptions:
        said = [{"what": "unnamed", "why": each["why"]} for each in exceptions[MORE]]
    return said or None


def judge(row: Row, obligation: Obligation | Bound, left: int | None, now: int) -> Outcome:
    """What came of it by `now`, in unix seconds."""
    ends = min((each for each in (obligation.end_at, left) if each is not None), default=None)
    if row.taken_at is not None:
        if obligation.action in SELF_ENDING:
            return "applied"
        counts = row.taken_at if ends is None else min(row.taken_at, ends)
        return "late" if counts > row.due_at else "applied"
    if obligation.action in SELF_ENDING:
        return "terms"
    if ends is not None and ends <= now:
        return "void" if ends <= row.due_at else "missed"
    return "open"


def late_seconds(due_at: int, taken_at: int | None, ends: int | None, now: int) -> int:
    """How long it was owed beyond its time, so far: until it was done, or bound no more."""
    until = min(each for each in (taken_at, ends, now) if each is not None)
    return max(0, until - due_at)
