"""What officers, and each operator of itself, may see of who carried out what: the fleet, one operator, one order, weeks. Queries alone.

An operator's account sees its own rows and nobody else's; for it, others do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from authority.desk.enforcement import fulfilment, penalty, spread
from authority.desk.enforcement.rows import week as week_of
from authority.desk.enforcement.tables import Enforcement, EnforcementWeek, Obligation, OperatorRecord
from authority.desk.errors import BadField, Forbidden, NotFound
from authority.desk.roles import Actor

SHOWS = ("overdue", "late", "missed", "waiting", "applied", "all")
"""Lists of an operator's page."""
COUNTED = ("applied", "late", "missed", "void", "terms", "open")
MOST = 200
"""Rows on one page."""
State = str
"""waiting, silent (overdue, no receipt has it), withheld (overdue, received and not in force), applied, late, missed, void, terms."""


class Sums(NamedTuple):
    """What was done of what fell due."""

    applied: int = 0
    late: int = 0
    missed: int = 0
    void: int = 0
    terms: int = 0
    open: int = 0
    worst: int = 0
    median: int | None = None
    """Seconds from order to receipt within which half were done."""
    most: int | None = None
    """And nineteen of twenty."""
    overdue: int = 0
    """Of those open, where it was counted: on the scoreboard."""

    @property
    def owed(self) -> int:
        """Decided by now, one way or the other; silence does not better a place on the scoreboard."""
        return self.applied + self.late + self.missed + self.overdue

    @property
    def share(self) -> float | None:
        """Of those, what was in time; None of none."""
        return self.applied / self.owed if self.owed else None


class Standing(NamedTuple):
    """One operator."""

    record: OperatorRecord
    behind: int
    """Obligations that its newest receipt does not have."""
    silent: int
    """Overdue, and in no receipt."""
    withheld: int
    """Overdue, received, and not in force there."""
    block: Sums
    lift: Sums

    @property
    def left_at(self) -> int | None:
        """When it left; None while it is here."""
        return fulfilment.left_at(self.record.away)

    @property
    def trouble(self) -> bool:
        """Whether an officer should look."""
        return bool(self.silent or self.withheld or not self.record.ours or self.record.newest_size < self.record.size)


class Shown(NamedTuple):
    """One obligation at one operator."""

    row: fulfilment.Row
    obligation: Obligation
    state: State


class Week(NamedTuple):
    """What fell due in one week; `rows.begins` says when it began."""

    number: int
    block: Sums
    lift: Sums


def scope(actor: Actor) -> str | None:
    """The one operator that the actor may see; None for all. Raises Forbidden."""
    if actor.may("compliance.read"):
        return None
    actor.require("compliance.own")
    if not actor.operator:
        raise Forbidden(f"{actor.name} belongs to no operator of the policy; an administrator can say to which")
    return actor.operator


def require(actor: Actor, operator: str) -> None:
    """Raises Forbidden, or NotFound for an operator that is not the actor's own."""
    own = scope(actor)
    if own is not None and own != operator:
        raise NotFound(f"there is no operator {operator[:64]}")


def fleet(session: Session, actor: Actor, now: int, last: int) -> list[Standing]:
    """Every operator that the actor may see, with what fell due in the last so many weeks, this one too; those to look at first."""
    own = scope(actor)
    records = session.scalars(select(OperatorRecord).where(*([OperatorRecord.operator == own] if own else []))).all()
    summed = _sums(session, [each.operator for each in records], week_of(now) - last + 1)
    overdue = _overdue(session, [each.operator for each in records], now)
    behind = {size: _behind(session, size) for size in {each.newest_size for each in records}}  # most have the same
    found = [
        Standing(
            each,
            behind[each.newest_size],
            *overdue.get(each.operator, (0, 0)),
            summed.get((each.operator, "block"), Sums()),
            summed.get((each.operator, "lift"), Sums()),
        )
        for each in records
    ]
    return sorted(found, key=lambda each: (each.left_at is not None, not each.trouble, -each.silent - each.withheld, each.record.operator))


def operator(session: Session, actor: Actor, name: str, now: int, last: int) -> Standing:
    """One operator. Raises NotFound, Forbidden."""
    require(actor, name)
    narrowed = Actor(actor.name, frozenset({"operator"}), actor.person, name)
    found = fleet(session, narrowed, now, last)
    if not found:
        raise NotFound(f"there is no operator {name[:64]}")
    return found[0]


def scoreboard(standings: Sequence[Standing]) -> list[Standing]:
    """Those of the fleet that owed anything, by what share of all they did in time, then by how fast."""
    ranked = [each for each in standings if each.left_at is None and both(each).owed]
    return sorted(ranked, key=lambda each: (-(both(each).share or 0), both(each).median or 0, each.record.operator))


def both(standing: Standing) -> Sums:
    """Blocks and restorings together; the slower of the two times."""
    one, other = standing.block, standing.lift
    counts: dict[str, Any] = {name: getattr(one, name) + getattr(other, name) for name in COUNTED}
    counts |= {"worst": max(one.worst, other.worst), "overdue": standing.silent + standing.withheld}
    return Sums(**counts, median=_slower(one.median, other.median), most=_slower(one.most, other.most))


def _slower(one: int | None, other: int | None) -> int | None:
    return max((each for each in (one, other) if each is not None), default=None)


def listed(session: Session, actor: Actor, name: str, show: str, now: int, after: str = "", limit: int = 50) -> tuple[list[Shown], str]:
    """Rows of one operator, the latest due first, and the key of the next page; empty at the end. Raises NotFound, Forbidden, BadField."""
    require(actor, name)
    if show not in SHOWS:
        raise BadField("show", f"take one of {', '.join(SHOWS)}")
    conditions: list[ColumnElement[bool]] = [Enforcement.operator == name, *_of(show, now)]
    if after:
        conditions.append(tuple_(Enforcement.due_at, Enforcement.log_index, Enforcement.kind) < _key(after))
    limit = max(1, min(limit, MOST))
    found = rows(session, conditions, now, limit + 1)
    last = found[limit - 1].row if len(found) > limit else None
    return found[:limit], f"{last.due_at}.{last.log_index}.{last.kind}" if last else ""


def order(session: Session, actor: Actor, index: int, now: int) -> list[tuple[Obligation, list[Shown]]]:
    """All that the order at a log position, and those before and after it under its id, oblige to, and who did it. Raises NotFound, Forbidden."""
    own = scope(actor)
    identity = session.scalar(select(Obligation.order_id).where(Obligation.log_index == index).limit(1))
    if identity is None:
        raise NotFound(f"the log has no order at position {index}")
    chain = session.scalars(select(Obligation).where(Obligation.order_id == identity).order_by(Obligation.begins_at, Obligation.log_index)).all()
    conditions: list[ColumnElement[bool]] = [Enforcement.log_index.in_([each.log_index for each in chain])]
    if own:
        conditions.append(Enforcement.operator == own)
    found = rows(session, conditions, now)
    if own and not found:
        raise NotFound(f"the log has no order at position {index}")
    by_key: dict[tuple[int, str], list[Shown]] = {}
    for each in found:
        by_key.setdefault((each.row.log_index, each.row.kind), []).append(each)
    worst = ("silent", "withheld", "missed", "late", "waiting", "terms", "applied", "void")
    for some in by_key.values():
        some.sort(key=lambda each: (worst.index(each.state), -(each.row.taken_at or 0), each.row.operator))
    return [(each, by_key.get((each.log_index, each.kind), [])) for each in chain]


def weeks(session: Session, actor: Actor, now: int, count: int, name: str | None = None) -> list[Week]:
    """The last so many weeks, oldest first; the last one is not over. Of one operator, or of all that the actor may see."""
    own = scope(actor)
    if name is not None:
        require(actor, name)
    first = week_of(now) - count + 1
    chosen = name or own
    buckets: dict[tuple[int, str], list[_Counted]] = {}
    for each in _counted(session, first, *([EnforcementWeek.operator == chosen] if chosen else [])):
        if each.week < first + count:
            buckets.setdefault((each.week, each.kind), []).append(each)
    return [Week(number, _sum(buckets.get((number, "block"), [])), _sum(buckets.get((number, "lift"), []))) for number in range(first, first + count)]


def rows(session: Session, conditions: Sequence[ColumnElement[bool]], now: int, limit: int | None = None) -> list[Shown]:
    """Rows with their obligations, the latest due first."""
    columns = [getattr(Enforcement, name) for name in fulfilment.Row.__dataclass_fields__]
    same = and_(Obligation.log_index == Enforcement.log_index, Obligation.kind == Enforcement.kind)
    latest = (Enforcement.due_at.desc(), Enforcement.log_index.desc(), Enforcement.kind.desc())
    query = select(Obligation, *columns).join(Enforcement, same).where(*conditions).order_by(*latest).limit(limit)
    found = []
    for obligation, *values in session.execute(query):
        row = fulfilment.Row(*values)
        found.append(Shown(row, obligation, state(row, now)))
    return found


def state(row: fulfilment.Row, now: int) -> State:
    """What people are told of a row."""
    if row.outcome != "open":
        return row.outcome
    if row.due_at >= now:
        return "waiting"
    return "silent" if row.received_at is None else "withheld"


def _of(show: str, now: int) -> list[ColumnElement[bool]]:
    match show:
        case "overdue":
            return [Enforcement.outcome == "open", Enforcement.due_at < now]
        case "waiting":
            return [Enforcement.outcome == "open", Enforcement.due_at >= now]
        case "all":
            return []
    return [Enforcement.outcome == show]


def _key(after: str) -> tuple[int, int, str]:
    due, _, rest = after.partition(".")
    index, _, kind = rest.partition(".")
    if not (due.isascii() and due.isdigit() and index.isascii() and index.isdigit() and kind in ("block", "lift")) or len(after) > 40:
        raise BadField("after", "take it from the page before")
    return int(due), int(index), kind


def _behind(session: Session, size: int) -> int:
    """Obligations that a receipt for a log of that size does not have."""
    mine = (Obligation.log_index >= size, Obligation.action.not_in(fulfilment.SELF_ENDING))
    return session.scalar(select(func.count()).select_from(Obligation).where(*mine)) or 0


def _overdue(session: Session, names: Sequence[str], now: int) -> dict[str, tuple[int, int]]:
    """By operator, of what is overdue: how many are in no receipt, and how many are in one and not in force. Who has none is not there."""
    late = (Enforcement.operator.in_(names), Enforcement.outcome == "open", Enforcement.due_at < now)
    received = func.count(Enforcement.received_at)
    query = select(Enforcement.operator, func.count() - received, received).where(*late).group_by(Enforcement.operator)
    return {operator: (silent, withheld) for operator, silent, withheld in session.execute(query)}


class _Counted(NamedTuple):
    operator: str
    kind: str
    week: int
    applied: int
    late: int
    missed: int
    void: int
    terms: int
    open: int
    worst: int
    times: dict[str, int]


def _counted(session: Session, first: int, *conditions: ColumnElement[bool]) -> list[_Counted]:
    columns = [getattr(EnforcementWeek, name) for name in _Counted._fields]
    return [_Counted(*found) for found in session.execute(select(*columns).where(EnforcementWeek.week >= first, *conditions))]


def _sums(session: Session, names: Sequence[str], first: int) -> dict[tuple[str, str], Sums]:
    buckets: dict[tuple[str, str], list[_Counted]] = {}
    for each in _counted(session, first, EnforcementWeek.operator.in_(names)):
        buckets.setdefault((each.operator, each.kind), []).append(each)
    return {key: _sum(found) for key, found in buckets.items()}


def _sum(found: Sequence[_Counted]) -> Sums:
    histogram = spread.added(each.times for each in found)
    counts: dict[str, Any] = {name: sum(getattr(each, name) for each in found) for name in COUNTED}
    worst = max((each.worst for each in found), default=0)
    return Sums(**counts, worst=worst, median=_capped(spread.quantile(histogram, 0.5), worst), most=_capped(spread.quantile(histogram, 0.95), worst))


def _capped(seconds: int | None, worst: int) -> int | None:
    return None if seconds is None else min(seconds, worst)


def late_rows(session: Session, actor: Actor, name: str, begin: int, end: int, now: int, limit: int | None = None) -> list[Shown]:
    """What was due from `begin` to before `end` and was late, missed, or is overdue: what a penalty is computed from. Raises NotFound, Forbidden."""
    require(actor, name)
    return rows(session, _late(name, begin, end, now), now, limit)


def late_facts(session: Session, actor: Actor, name: str, begin: int, end: int, now: int, left: int | None) -> list[penalty.Facts]:
    """Of the same, only what a penalty is computed from: there may be thousands in a month. `left`: when the operator left."""
    require(actor, name)
    same = and_(Obligation.log_index == Enforcement.log_index, Obligation.kind == Enforcement.kind)
    columns = (Enforcement.kind, Enforcement.action, Enforcement.due_at, Enforcement.taken_at, Obligation.end_at, Enforcement.exception)
    query = select(*columns).join(Obligation, same).where(*_late(name, begin, end, now))
    found = session.execute(query)
    return [penalty.facts(kind, action, due, taken, ends, said, left) for kind, action, due, taken, ends, said in found]


def _late(name: str, begin: int, end: int, now: int) -> list[ColumnElement[bool]]:
    due = and_(Enforcement.due_at >= begin, Enforcement.due_at < end)
    overdue = and_(Enforcement.outcome == "open", Enforcement.due_at < now)
    return [Enforcement.operator == name, due, or_(Enforcement.outcome.in_(("late", "missed")), overdue)]
