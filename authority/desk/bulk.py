"""Many referrals at once, as `referrals.take` would take them one by one: those that open a case of their own are written together.

What joins a case, came before, or tells of a threat to life goes the slow way, in its turn: the timeline and the audit log have the file's order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import audit, referrals, states, steps
from authority.desk.desk import Desk
from authority.desk.roles import Actor
from authority.desk.tables import CaseName, Event, Referral

MANY = 500
"""Values in one statement."""


class Given(NamedTuple):
    """One referral, prepared, and why it is taken."""

    referral: Referral
    why: str


class Known:
    """What referrals of one piece may meet: keys that were used, and names that cases are open for."""

    def __init__(self, session: Session, some: Sequence[Referral]) -> None:
        """Looks for all of them at once."""
        self.keys: set[str] = set()
        self.names: set[str] = set()
        self.trees: set[str] = set()
        for piece in _pieces({each.key for each in some if each.key}):
            self.keys.update(each for each in session.scalars(select(Referral.key).where(Referral.key.in_(piece))) if each)
        wanted = {name for each in some for name in each.names}
        running = select(CaseName.name, CaseName.match).where(referrals.of_open_case())
        for piece in _pieces(wanted | referrals.names_above(sorted(wanted))):
            for name, match in session.execute(running.where(CaseName.name.in_(piece))):
                self.names.add(name)
                if match == "subtree":
                    self.trees.add(name)

    def opens(self, referral: Referral) -> bool:
        """Whether it opens a case of its own, and does nothing else."""
        met = referral.key in self.keys or not self.names.isdisjoint(referral.names)
        return not (met or referral.threat or not self.trees.isdisjoint(referrals.names_above(referral.names)))

    def add(self, referral: Referral) -> None:
        """It was taken."""
        self.names.update(referral.names)
        if referral.key:
            self.keys.add(referral.key)


def open_all(session: Session, desk: Desk, actor: Actor, some: Sequence[Given], now: int) -> None:
    """Opens a case for each of these, which meet no open case and no other of them."""
    if not some:
        return
    procedure = desk.procedure(session)
    last = steps.count(session, referrals.series(now), len(some))
    opened = [referrals.new_case(each.referral.names, now, last - len(some) + place) for place, each in enumerate(some, 1)]
    clocks = []
    for case, each in zip(opened, some, strict=True):
        begun = steps.started(case, "refer", now, procedure, {"source": each.referral.source})
        case.version, case.due_at = 1, min((clock.due_at for clock in begun), default=None)
        clocks.append(begun)
    session.add_all(opened)
    session.flush()
    for case, each, begun in zip(opened, some, clocks, strict=True):
        each.referral.case_id = case.id
        for clock in begun:
            clock.case_id = case.id
        session.add_all((each.referral, *begun))
    session.flush()
    lines = []
    for case, (referral, why) in zip(opened, some, strict=True):
        details = {"referral": referral.id, "source": referral.source, "names": referral.names}
        after = states.check("received", "refer", actor, why, details)
        session.add(
            Event(case_id=case.id, number=1, at=now, who=actor.name, step="refer", before=case.state, after=after, why=why.strip(), details=details)
        )
        lines.append((f"case:{case.number}", {"why": why.strip(), "before": case.state, "after": after}))
    audit.record_all(session, actor, "case.refer", lines, now)


def take_all(session: Session, desk: Desk, actor: Actor, some: Sequence[Given], now: int, slow: Callable[[int], None]) -> int:
    """Takes them in their order; `slow` takes the one at a place the slow way. How many opened a case the fast way."""
    known = Known(session, [each.referral for each in some])
    run: list[Given] = []
    opened = 0
    for place, each in enumerate(some):
        if known.opens(each.referral):
            run.append(each)
        else:
            open_all(session, desk, actor, run, now)
            opened, run = opened + len(run), []
            slow(place)
        known.add(each.referral)
    open_all(session, desk, actor, run, now)
    return opened + len(run)


def _pieces(values: Iterable[str]) -> Iterable[list[str]]:
    wanted = sorted(values)
    return (wanted[at : at + MANY] for at in range(0, len(wanted), MANY))
