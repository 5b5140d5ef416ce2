"""The change of the key that wraps: every object's key is wrapped anew, and the old key is forgotten. The encrypted octets stay as they are.

After it, evidence in backups of the database that are older is not readable by any key file that still exists: so it also ends what shredding
alone cannot, the wrapped keys that old backups hold. Make a backup right after it.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from authority.desk import audit
from authority.desk.desk import Desk
from authority.desk.evidence import keeping
from authority.desk.evidence.keys import ID
from authority.desk.roles import SETUP, Actor
from authority.desk.tables import Case, Evidence

PIECE = 200


def change_key(desk: Desk, actor: Actor, now: int, progress: Callable[[int], None] = lambda _: None) -> int:
    """Does it, while the desk serves; one that was broken off is carried on. Returns how many were wrapped anew. Raises Forbidden, Tampered.

    Each look at the key file happens in a writing transaction, of which there is one at a time: nothing is wrapped by a key that is about to go.
    """
    if actor != SETUP:
        actor.require("person.manage")
    keys = desk.vault.keys
    with desk.store.writing() as session:
        if keys.count() == 1:
            keys.begin_change()
        audit.record(session, actor, "evidence.change_key", "evidence:store", now, begins=keys.current().hex())
    done = after = 0
    while True:
        with desk.store.writing() as session:
            asked = select(Evidence, Case).join(Case, Evidence.case_id == Case.id).where(Evidence.wrapped.is_not(None), Evidence.id > after)
            rows = session.execute(asked.order_by(Evidence.id).limit(PIECE)).all()
            for row, case in rows:
                wrapped = row.wrapped or b""
                if wrapped[:ID] != keys.current():
                    row.wrapped = keys.wrap(keys.unwrap(wrapped, keeping.bound(row, case)), keeping.bound(row, case))
                    done += 1
            if not rows:  # nothing was added since, for this transaction is the only one
                keys.end_change()
                audit.record(session, actor, "evidence.change_key", "evidence:store", now, ended=keys.current().hex(), wrapped=done)
                return done
            after = rows[-1][0].id
        progress(done)
