"""What an entry of the log obliges operators to: put an order in force, replace it, lift it. Pure: entries in, obligations out; nothing is verified.

The log has only what its publisher judged as every operator does. What it should have skipped all the same binds nobody here either, as far as that
is seen without signatures: an id that blocks twice, an amendment that follows something else, anything after the withdrawal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from authority.desk.enforcement.tables import Obligation
from blocklists import directive as orders
from blocklists import review
from blocklists.directive import Directive
from blocklists.errors import BadDocument
from blocklists.log.entry import Entry
from blocklists.review import Review
from blocklists.trust.envelope import REVIEW
from blocklists.trust.policy import Clocks, Policy

HOUR = 3600


class Bound(NamedTuple):
    """What rows are judged by of an obligation, read apart from the session: a hundred thousand are read in a second."""

    log_index: int
    kind: str
    order_id: str
    action: str
    names: int
    logged_at: int
    begins_at: int
    hours: int
    due_at: int
    expires_at: int | None
    lapses_at: int | None
    confirmed: int | None
    closers: list[Any]
    end_at: int | None
    ended: bool


def read(entry: Entry) -> Directive | Review | None:
    """What was signed; None for an entry that obliges nobody."""
    if entry.envelope is None:
        return None
    try:
        return review.read(entry.envelope.payload) if entry.envelope.kind == REVIEW else orders.read(entry.envelope.payload)
    except BadDocument:
        return None


def follow(index: int, entry: Entry, order: Directive | Review, chain: Sequence[Obligation], policy: Policy) -> Obligation | None:
    """The obligation of an entry; None when there is none. Those of the same id before it, `chain` in the order of the log, may change."""
    blocks = [each for each in chain if each.kind == "block"]
    if isinstance(order, Review):
        if order.decision == "confirm":
            _confirm(index, entry, order, blocks)
        return None
    begins = max(order.starts, entry.logged_at)
    gone = any(each.action == "withdraw" and each.begins_at <= entry.logged_at for each in chain)
    if gone or bool(blocks) == (order.action == "block"):
        return None
    assert entry.envelope is not None  # noqa: S101 - `read` saw it
    digest = "sha256:" + hashlib.sha256(entry.envelope.payload).hexdigest()
    if order.action in {"block", "amend"}:
        if blocks and order.follows != blocks[-1].digest:
            return None
        made = _block(index, entry, order, digest, _clocks(policy, index, order.category or ""))
    else:
        clocks = _clocks(policy, index, blocks[-1].category)
        made = lift(blocks[-1], index, order.action, entry.logged_at, begins, clocks.restore_hours, digest)
        made.expires_at = order.ends if order.action == "suspend" else None
    if order.action == "suspend":
        standing = [each for each in blocks if each.end_at is None or each.end_at > begins]
        if not standing:
            return None
        for each in standing:
            _suspend(each, begins, order.ends)
    else:
        for each in blocks:
            each.closers = [*each.closers, [index, begins]]
            each.end_at = end_of(each)
    made.end_at = end_of(made)
    return made


def end_of(obligation: Obligation | Bound, size: int | None = None) -> int | None:
    """When it binds no more, in unix seconds, for who has the whole log, or its first `size` entries; None: never."""
    ends = [at for index, at in obligation.closers if size is None or index < size]
    if obligation.expires_at is not None:
        ends.append(obligation.expires_at)
    if obligation.lapses_at is not None and (obligation.confirmed is None or (size is not None and obligation.confirmed >= size)):
        ends.append(obligation.lapses_at)
    return min(ends, default=None)


def by_its_terms(block: Obligation) -> bool:
    """Whether it ends by itself, before anything ends or replaces it."""
    return block.end_at is not None and all(block.end_at < at for _, at in block.closers)


def at_its_end(block: Obligation, policy: Policy) -> Obligation:
    """The obligation to restore when an order ends by its own terms."""
    ends = block.end_at or 0
    action = "expire" if ends == block.expires_at else "lapse"
    return lift(block, block.log_index, action, block.logged_at, ends, _clocks(policy, block.log_index, block.category).restore_hours, block.digest)


def lift(block: Obligation, index: int, action: str, logged_at: int, begins: int, hours: int, digest: str) -> Obligation:
    """To restore the names of a block."""
    return Obligation(
        log_index=index, kind="lift", order_id=block.order_id, action=action, category=block.category, title=block.title, names=block.names,
        digest=digest, logged_at=logged_at, begins_at=begins, hours=hours, due_at=begins + hours * HOUR, closers=[], ended=False,
    )  # fmt: skip


def _block(index: int, entry: Entry, order: Directive, digest: str, clocks: Clocks) -> Obligation:
    targets = order.targets or ()
    begins = max(order.starts, entry.logged_at)
    said = int(order.enforce_by.timestamp()) if order.enforce_by else begins + clocks.operator_hours * HOUR
    return Obligation(
        log_index=index, kind="block", order_id=order.id, action=order.action, category=order.category or "", title=targets[0].fqdn,
        names=len(targets), digest=digest, logged_at=entry.logged_at, begins_at=begins, hours=clocks.operator_hours, due_at=max(said, begins),
        expires_at=int(order.expires_at.timestamp()) if order.expires_at else None,
        lapses_at=order.starts + orders.EMERGENCY_SECONDS if order.emergency else None, closers=[], ended=False,
    )  # fmt: skip


def _suspend(block: Obligation, begins: int, ends: int) -> None:
    """While an order is suspended nobody owes it."""
    if block.due_at > begins:
        block.due_at = max(block.due_at, ends)


def _confirm(index: int, entry: Entry, order: Review, blocks: Sequence[Obligation]) -> None:
    for each in blocks:
        if each.digest == order.follows and each.confirmed is None and each.lapses_at is not None and each.lapses_at > entry.logged_at:
            each.confirmed = index
            each.end_at = end_of(each)


def _clocks(policy: Policy, index: int, category: str) -> Clocks:
    found = policy.at(index).categories.get(category)
    return found.clocks if found is not None else Clocks()
