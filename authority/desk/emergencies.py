"""An emergency: the order comes before any request for removal, on a ground that is recorded, and lapses unless the reviewer confirms it.

The confirmation is an entry of the reviewer's own in the public log; `ordering` drafts it, `publishing` takes its step, and the clock `confirm` the
order's end without it.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from authority.desk import steps
from authority.desk.desk import Desk
from authority.desk.roles import Actor
from authority.desk.tables import Case
from authority.desk.words import clean


def declare(session: Session, desk: Desk, actor: Actor, number: str, ground: str, why: str, now: int, *, version: int | None = None) -> Case:
    """An officer decides not to wait; `ground` stands in the order, on one line."""
    ground = clean(ground, "ground", 500, line=True)
    return steps.step(session, desk, actor, number, "declare_emergency", why, now, version, ground=ground)
