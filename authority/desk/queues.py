"""The queues: which cases wait for whom, the most urgent first; how many there are. Only reads.

A queue is a few ranges of an index, one after the other, and a page of it begins where the last one ended: the hundredth page costs what the
first does.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Select, func, or_, select, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import InstrumentedAttribute

from authority.desk.errors import BadField
from authority.desk.roles import Actor
from authority.desk.states import CLOSED, STATES, State
from authority.desk.tables import Case

Queue = Literal["mine", "urgent", "overdue", "due", "new"] | State
"""mine: those assigned to who asks; urgent: threats to life; both without what is closed and has no clock running. overdue, due: by their soonest
clock; new: all, newest first; or a state."""
QUEUES: tuple[Queue, ...] = ("mine", "urgent", "overdue", "due", "new", *STATES)
LIMIT = 50
"""Cases on a page."""


class Row(NamedTuple):
    """One case in a list."""

    id: int
    number: str
    title: str
    category: str
    state: str
    state_since: int
    opened_at: int
    officer_id: int | None
    urgent: bool
    emergency: bool
    appeals: int
    due_at: int | None


class Listed(NamedTuple):
    """One page of a queue."""

    rows: list[Row]
    after: str | None
    """Where the next page begins; None: this is the last."""


class _Range(NamedTuple):
    """A range of an index, in its order."""

    where: tuple[ColumnElement[bool], ...]
    by: tuple[InstrumentedAttribute[Any], ...]
    falling: bool = False
    few: bool = False
    """Whether it holds hardly anything, though its states and clocks, each counted alone, let a planner expect thousands."""


COLUMNS = tuple(getattr(Case, field) for field in Row._fields)


def page(session: Session, actor: Actor, queue: str, now: int, after: str = "", limit: int = LIMIT) -> Listed:
    """A page of a queue, beginning after the place that the page before gave. Raises Forbidden; BadField for a queue or a place that is none."""
    actor.require("case.list")
    ranges = _ranges(queue, actor, now)
    number, key = _place(after, ranges)
    found: list[tuple[int, Row]] = []
    while number < len(ranges) and len(found) <= limit:
        query = _query(ranges[number], key).limit(limit + 1 - len(found))
        found += [(number, Row(*row)) for row in session.execute(query)]
        number, key = number + 1, ()
    rows = [row for _, row in found[:limit]]
    if len(found) <= limit:
        return Listed(rows, None)
    number = found[limit - 1][0]
    return Listed(rows, _text(number, ranges[number], rows[-1]))


def counts(session: Session, actor: Actor, now: int) -> dict[str, int]:
    """How many cases each queue holds; `new` is all of them."""
    actor.require("case.list")
    states: dict[str, int] = dict.fromkeys(STATES, 0)
    states |= {str(state): number for state, number in session.execute(select(Case.state, func.count()).group_by(Case.state))}

    def number(*where: ColumnElement[bool]) -> int:
        return session.scalar(select(func.count()).select_from(Case).where(*where)) or 0

    # A case that is closed may have a clock that runs: an appeal outlives it.
    running = or_(Case.due_at.is_not(None), Case.closed_at.is_(None))
    return {
        "mine": number(Case.officer_id == actor.person, running) if actor.person is not None else 0,
        "urgent": number(Case.urgent.is_(True), running),
        "overdue": number(Case.urgent.in_((True, False)), Case.due_at < now),
        "due": number(Case.urgent.in_((True, False)), Case.due_at.is_not(None)),
        "new": sum(states.values()),
        **states,
    }


def _ranges(queue: str, actor: Actor, now: int) -> list[_Range]:
    urgent, calm = Case.urgent.is_(True), Case.urgent.is_(False)
    clocked, idle, running = Case.due_at.is_not(None), Case.due_at.is_(None), Case.closed_at.is_(None)
    soonest = (Case.due_at, Case.id)
    match queue:
        case "mine" if actor.person is None:
            return []
        case "mine":
            his = Case.officer_id == actor.person
            return [
                _Range((his, urgent, clocked), soonest),
                _Range((his, urgent, idle, running), (Case.id,)),
                _Range((his, calm, clocked), soonest),
                _Range((his, calm, idle, running), (Case.id,)),
            ]
        case "urgent":
            return [_Range((urgent, clocked), soonest), _Range((urgent, idle, running), (Case.id,))]
        case "overdue":
            return [_Range((each, Case.due_at < now), soonest) for each in (urgent, calm)]
        case "due":
            return [_Range((each, clocked), soonest) for each in (urgent, calm)]
        case "new":
            return [_Range((), (Case.opened_at, Case.id), True)]
    if queue not in STATES:
        raise BadField("queue", f"{queue[:40]!r} is none; take one of {', '.join(QUEUES)}")
    ended = queue in CLOSED
    return [
        made
        for each in (urgent, calm)
        for made in (_Range((Case.state == queue, each, clocked), soonest, few=ended), _Range((Case.state == queue, each, idle), (Case.id,)))
    ]


def _query(found: _Range, key: tuple[int, ...]) -> Select[Any]:
    query = select(*COLUMNS).where(*found.where)
    if key:
        place = tuple_(*found.by)
        query = query.where(place < key if found.falling else place > key)
        # Said again of the first column alone, for a planner that makes no range of an index out of pairs.
        query = query.where(found.by[0] <= key[0] if found.falling else found.by[0] >= key[0])
    if found.few:
        # All of them first, and then their order: PostgreSQL would else walk through every clock there is, to stop soon at what is not there.
        all_of_it = query.offset(0).subquery()
        return select(all_of_it).order_by(*(all_of_it.c[each.key] for each in found.by))
    return query.order_by(*(each.desc() if found.falling else each for each in found.by))


def _text(number: int, found: _Range, last: Row) -> str:
    return ".".join(str(each) for each in (number, *(getattr(last, column.key) for column in found.by)))


def _place(after: str, ranges: list[_Range]) -> tuple[int, tuple[int, ...]]:
    if not after:
        return 0, ()
    try:
        number, *key = (int(each) for each in after.split(".") if each.isascii() and each.isdigit() and len(each) < 19)
        if number >= len(ranges) or len(key) != len(ranges[number].by) or len(key) + 1 != len(after.split(".")):
            raise ValueError
    except ValueError:
        raise BadField("after", f"{after[:40]!r} is no place in this queue; begin at its first page") from None
    return number, tuple(key)
