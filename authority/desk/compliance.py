"""Keeps who carried out what up to date (`enforcement`), and tells cases when every operator has enforced or restored.

It goes on from where it stopped: the log from the last entry seen, each operator's chain from its last receipt. What stands in the tables does not
depend on how often it looked. Files are read outside transactions; a transaction that finds that another process was faster does nothing.
"""

from __future__ import annotations

import base64
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from authority import receipts, repository, tokens
from authority.desk import audit
from authority.desk.desk import Desk
from authority.desk.enforcement import following, fulfilment, listening
from authority.desk.enforcement.settling import settle
from authority.desk.enforcement.tables import Enforcement, EnforcementWeek, Obligation, OperatorRecord
from authority.desk.roles import LOG, Actor
from authority.desk.tables import Counter
from authority.receipts import Kept
from blocklists.log import entry as entries
from blocklists.log.tree import Tree
from blocklists.trust.policy import Policy

RECEIPTS = 200
"""Of one operator, taken in one transaction at most."""
ROOTS = 100_000
SEEN = "compliance-log"
"""The counter that says how much of the log was followed."""


class Refreshed(NamedTuple):
    """What one look brought."""

    entries: int = 0
    receipts: int = 0
    steps: int = 0


class _Moved(Exception):
    """Another process followed further meanwhile."""


class _Known:
    """What one process need not read twice."""

    def __init__(self) -> None:
        self._stamp: tuple[int, ...] = ()
        self._policy: Policy | None = None
        self._roots: dict[int, bytes] = {}

    def policy(self, desk: Desk) -> Policy | None:
        """The policy in force; None before anything is published."""
        try:
            found = (desk.places.metadata / "timestamp.json").stat()
        except FileNotFoundError:
            return None
        stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        if stamp != self._stamp:
            self._policy, self._stamp = repository.published(desk.places).policy, stamp
        return self._policy

    def is_ours(self, kept: Kept, tree: Tree) -> bool:
        """Whether a receipt names a state that our log had."""
        said = kept.receipt.checkpoint
        if said.size > tree.size:
            return False
        if said.size not in self._roots:
            if len(self._roots) >= ROOTS:
                self._roots.clear()
            self._roots[said.size] = tree.root_at(said.size)
        return self._roots[said.size] == base64.b64decode(said.root)


_KNOWN: WeakKeyDictionary[Desk, _Known] = WeakKeyDictionary()


def refresh(desk: Desk, now: int) -> Refreshed:
    """Takes what is new at `now` (unix seconds). Raises RedHandError for damage of the log or of the book."""
    known = _KNOWN.setdefault(desk, _Known())
    policy = known.policy(desk)
    if policy is None:
        return Refreshed()
    try:
        _rebuild(desk, now)  # what a killed process left half made
        followed = _follow(desk, policy, now)  # first: whoever comes owes what the log says by then
        operators = _registry(desk, policy, now)
        heard = sum(_listen(desk, known, policy, operator, now) for operator in operators)
    except _Moved:
        return Refreshed()
    return Refreshed(followed, heard, settle(desk, now))


def anew(desk: Desk, actor: Actor, why: str, now: int) -> Refreshed:
    """Forgets all but when operators came and left, and makes it again from the log and the book. Raises Forbidden, RedHandError."""
    actor.require("person.manage")
    with desk.store.writing() as session:
        for table in (Enforcement, EnforcementWeek, Obligation):
            session.execute(delete(table))
        session.execute(delete(Counter).where(Counter.name == SEEN))
        for record in session.scalars(select(OperatorRecord)):
            following.forget(record)
        audit.record(session, actor, "compliance.anew", "compliance", now, why=why)
    return refresh(desk, now)


def _registry(desk: Desk, policy: Policy, now: int) -> list[str]:
    """Takes up who came, left or came back; every operator that is in the policy, or was."""
    with desk.store.reading() as session:
        known = {each.operator: each for each in session.scalars(select(OperatorRecord))}
    here = {name for name, each in known.items() if fulfilment.left_at(each.away) is None}
    come, gone = sorted(policy.operators.keys() - here), sorted(here - policy.operators.keys())
    renamed = [name for name, each in policy.operators.items() if name in known and known[name].name != each.name]
    since = {name: _since(desk, name, now) for name in come if name not in known}
    if come or gone or renamed:
        with desk.store.writing() as session:
            for name in come:
                record = session.get(OperatorRecord, name)
                if record is None:
                    record = OperatorRecord(operator=name, name=policy.operators[name].name, away=[[0, since[name]]])
                    session.add(record)
                else:
                    record.away = [*record.away[:-1], [record.away[-1][0], now]]
                _turn(session, record, now, came=record.away[-1][1])
            for name in gone:
                record = session.get_one(OperatorRecord, name)
                record.away = [*record.away, [now, None]]
                _turn(session, record, now, left=now)
            for name in renamed:
                session.get_one(OperatorRecord, name).name = policy.operators[name].name
        _rebuild(desk, now)
    return sorted({*known, *come})


def _rebuild(desk: Desk, now: int) -> None:
    """Makes the rows of operators that came, left or came back, a piece in each transaction; nothing else is taken meanwhile."""
    with desk.store.reading() as session:
        operators = following.unbuilt(session)
    for operator in operators:
        more = True
        while more:
            with desk.store.writing() as session:
                more = following.rebuild(session, operator, now)


def _turn(session: Session, record: OperatorRecord, now: int, **details: int) -> None:
    following.reset(session, record)
    audit.record(session, LOG, "compliance.operator", f"operator:{record.operator}", now, **details)


def _since(desk: Desk, operator: str, now: int) -> int:
    """When an operator that we did not know came: at the latest when its token was made, or its first receipt taken."""
    token = tokens.read(tokens.path_of(desk.places)).get(operator)
    first = receipts.kept(desk.places, operator, 1)
    return min([now, *([token.since] if token else []), *([first.at] if first else [])])


def _follow(desk: Desk, policy: Policy, now: int) -> int:
    """Takes the log's new entries, and what has ended by now; how many entries."""
    tree = Tree(desk.places.log)
    with desk.store.reading() as session:
        first = session.scalar(select(Counter.value).where(Counter.name == SEEN)) or 0
    size = first
    while size < tree.size:
        stop = min(tree.size, size + following.MOST)
        piece = [entries.read(data, f"entry {index}") for index, data in enumerate(tree.entries(size, stop), size)]
        with desk.store.writing() as session:
            seen = _seen(session)
            if seen.value != size or following.unbuilt(session):
                raise _Moved
            following.take(session, policy, size, piece, now)
            size = seen.value = stop
    if _have_ended(desk, now):
        done = following.MOST
        while done == following.MOST:
            with desk.store.writing() as session:
                if following.unbuilt(session):
                    raise _Moved
                done = following.end(session, policy, now)
    return size - first


def _have_ended(desk: Desk, now: int) -> bool:
    with desk.store.reading() as session:
        return session.scalar(select(Obligation.log_index).where(Obligation.ended.is_(False), Obligation.end_at <= now).limit(1)) is not None


def _seen(session: Session) -> Counter:
    found = session.get(Counter, SEEN)
    if found is None:
        found = Counter(name=SEEN, value=0)
        session.add(found)
    return found


def _listen(desk: Desk, known: _Known, policy: Policy, operator: str, now: int) -> int:
    """Takes an operator's new receipts; those taken after `now` wait for the next look. How many.

    A receipt that says that half the log is in force there, as a newcomer's first, is taken in parts: each transaction has at most TOGETHER entries.
    """
    done = 0
    while True:
        with desk.store.reading() as session:
            record = session.get_one(OperatorRecord, operator)
        piece: list[Kept] = []
        most = record.size + following.TOGETHER
        while len(piece) < RECEIPTS and (kept := receipts.kept(desk.places, operator, record.number + len(piece) + 1)) is not None and kept.at <= now:
            piece.append(kept)
            if kept.receipt.checkpoint.size > most:
                break
        if not piece:
            return done
        _follow(desk, policy, now)  # a receipt may name entries that came since the log was looked at
        tree = Tree(desk.places.log)
        judged = [(each, known.is_ours(each, tree)) for each in piece]
        with desk.store.writing() as session:
            mine = session.get_one(OperatorRecord, operator)
            if (mine.number, mine.size, mine.unbuilt) != (record.number, record.size, None) or _seen(session).value < max(
                (each.receipt.checkpoint.size for each, ours in judged if ours), default=0
            ):
                raise _Moved
            done += listening.take(session, mine, judged, most, now)
