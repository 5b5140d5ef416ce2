"""The slow twin of the incremental fold: reads the whole log and all receipts anew for each row, by the rules as words say them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from authority.desk.enforcement import obligations
from authority.desk.enforcement.tables import Obligation
from authority.receipts import Kept
from blocklists.log.entry import Entry
from blocklists.trust.policy import Policy

Key = tuple[int, str, str]


class Slow(NamedTuple):
    """One row."""

    due: int
    received: int | None
    taken: int | None
    applied: int | None
    receipt: int | None
    outcome: str
    said: Any


def owed(entries: Sequence[Entry], policy: Policy) -> list[Obligation]:
    """Every obligation of the log, whoever looks when."""
    chains: dict[str, list[Obligation]] = {}
    for index, entry in enumerate(entries):
        order = obligations.read(entry)
        if order is not None:
            chain = chains.setdefault(order.id, [])
            made = obligations.follow(index, entry, order, chain, policy)
            chain += [made] if made is not None else []
    return [each for chain in chains.values() for each in chain]


def rows(entries: Sequence[Entry], policy: Policy, book: dict[str, list[Kept]], away: dict[str, list[Any]], ours: Any, now: int) -> dict[Key, Slow]:
    """Every row, as of now."""
    found: dict[Key, Slow] = {}
    for operator, absences in away.items():
        chain = [each for each in book[operator] if each.at <= now and ours(each)]
        for each in owed(entries, policy):
            came, left = absences[0][1], absences[-1][0] if absences[-1][1] is None else None
            if left is not None and (each.logged_at >= left or (each.kind == "lift" and each.begins_at >= left)):
                continue
            if (each.begins_at < came) if each.kind == "lift" else (each.end_at is not None and each.end_at < came):
                continue
            row = _row(each, chain, absences, left, now)
            found[each.log_index, each.kind, operator] = row
            ended = each.end_at is not None and each.end_at <= now and all(each.end_at < at for _, at in each.closers)
            if each.kind == "block" and ended and row.taken is not None and (left is None or (each.end_at or 0) < left):
                lift = obligations.at_its_end(each, policy)
                later = [one for one in chain if min(one.at, one.receipt.at) >= lift.begins_at and one.receipt.number > (row.receipt or 0)]
                later = [one for one in later if one.receipt.checkpoint.size > each.log_index]
                first = later[0] if later else None
                found[each.log_index, "lift", operator] = Slow(
                    _due(lift, absences), first and first.at, first and first.at, first and first.receipt.at, first and first.receipt.number,
                    "applied" if first else "terms", None,
                )  # fmt: skip
    return found


def _row(owe: Obligation, chain: Sequence[Kept], absences: list[Any], left: int | None, now: int) -> Slow:
    due = _due(owe, absences)
    done = over = None
    having = [each for each in chain if each.receipt.checkpoint.size > owe.log_index]
    for each in having:
        effect = min(each.at, each.receipt.at)
        said = [one for one in each.receipt.exceptions if one.id == owe.order_id]
        more = any(one.id == "and-more" for one in each.receipt.exceptions)
        if owe.kind == "lift":
            over = owe.action == "suspend" and effect >= (owe.expires_at or 0)
            kept_back = any(one.what == "skipped" for one in said)
        else:
            known = [at for index, at in owe.closers if index < each.receipt.checkpoint.size] + [owe.expires_at or 0]
            if owe.lapses_at is not None and not (owe.confirmed is not None and owe.confirmed < each.receipt.checkpoint.size):
                known.append(owe.lapses_at)
            over = effect >= min(known)
            kept_back = any(one.what != "refused" for one in said) or (bool(said) and len(said) >= owe.names) or more
        if over:
            break
        if not kept_back:
            done = each
            break
    ends = min([each for each in (owe.end_at, left) if each is not None], default=None)
    if done is not None:
        outcome = "late" if min(done.at, ends if ends is not None else done.at) > due else "applied"
    elif ends is not None and ends <= now:
        outcome = "void" if ends <= due else "missed"
    else:
        outcome = "open"
    newest: Any = None
    if owe.kind == "block" and having:
        newest = [{"what": one.what, "why": one.why} for one in chain[-1].receipt.exceptions if one.id == owe.order_id]
        if not newest and done is None and not over:
            newest = [{"what": "unnamed", "why": one.why} for one in chain[-1].receipt.exceptions if one.id == "and-more"]
    first = having[0].at if having else None
    return Slow(due, first, done and done.at, done and done.receipt.at, done and done.receipt.number, outcome, newest or None)


def _due(owe: Obligation, absences: list[Any]) -> int:
    due = owe.due_at
    for left, back in absences:
        if back is not None and left < due and owe.begins_at < back:
            due = max(due, back + owe.hours * 3600)
    return due
