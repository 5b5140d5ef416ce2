"""Takes out of the store what nobody can read any more: what two persons had shredded, and what a crash left there before the database knew of it.

It never decides that evidence goes: both kinds have no key left anywhere. It removes no orphan when there are so many that the database is
more likely to be the wrong one than the store to be full of them.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from sqlalchemy import select, text

from authority.desk import audit
from authority.desk.desk import Desk
from authority.desk.roles import Actor
from authority.desk.store import Store
from authority.desk.tables import Evidence

SWEEPER = Actor("clock")
GRACE = 7 * 86_400
"""Seconds for which an object without a row is left alone: an upload may be under way, or a backup of the database about to be restored."""
FEW = 20
"""Orphans that are removed whatever the database has."""
PIECE = 500


class Swept(NamedTuple):
    """What was done."""

    shredded: int
    """Objects that had been shredded, gone from the store now."""
    orphans: int
    """Objects without a row, removed."""
    withheld: int
    """Objects without a row, left there because they are too many."""
    abandoned: int
    """Files of uploads that were broken off."""


def sweep(desk: Desk, now: int) -> Swept:
    """One round. May be called at any time, and in two processes at once. Raises Unreachable."""
    shredded = remove_shredded(desk, now)
    orphans, known = _orphans(desk, now)
    withheld = len(orphans) if len(orphans) > max(FEW, known // 10) else 0
    if not withheld:
        for address in orphans:
            desk.vault.objects.remove(address)
    if orphans:
        with desk.store.writing() as session:
            audit.record(session, SWEEPER, "evidence.orphans", "evidence:store", now, removed=0 if withheld else len(orphans), withheld=withheld)
    abandoned = desk.vault.objects.abandoned(now - GRACE)
    for path in abandoned:
        path.unlink(missing_ok=True)
    return Swept(shredded, 0 if withheld else len(orphans), withheld, len(abandoned))


def remove_shredded(desk: Desk, now: int) -> int:
    """Takes the octets of what was shredded out of the store, and the destroyed keys out of the database's own files. Returns how many."""
    with desk.store.reading() as session:
        asked = select(Evidence.id, Evidence.address).where(Evidence.shredded_at.is_not(None), Evidence.removed_at.is_(None))
        waiting = session.execute(asked.order_by(Evidence.id)).all()
    for number, address in waiting:
        desk.vault.objects.remove(address)
        with desk.store.writing() as session:
            row = session.get_one(Evidence, number)
            if row.removed_at is None:
                row.removed_at = now
                audit.record(session, SWEEPER, "evidence.remove", f"evidence:{number}", now)
    if waiting:
        scrub(desk.store)
    return len(waiting)


def scrub(store: Store) -> None:
    """Has the database overwrite what was cleared. SQLite: empties the write-ahead log, so that no older page is left in it. PostgreSQL: writes the
    table anew, for a plain VACUUM leaves the octets in its pages. Its archived log and every backup keep theirs until they are deleted, or the key
    is changed (docs/evidence.md)."""
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM FULL evidence" if store.is_postgresql else "PRAGMA wal_checkpoint(TRUNCATE)"))


def _orphans(desk: Desk, now: int) -> tuple[list[str], int]:
    """Addresses of objects that no living row has, and how many have one."""
    orphans: list[str] = []
    known = 0
    objects = desk.vault.objects.every()
    while some := list(islice(objects, PIECE)):
        with desk.store.reading() as session:
            asked = select(Evidence.address).where(Evidence.address.in_([each.address for each in some]), Evidence.shredded_at.is_(None))
            alive = set(session.scalars(asked))
        known += len(alive)
        orphans += [each.address for each in some if each.address not in alive and each.changed_at < now - GRACE]
    return orphans, known
