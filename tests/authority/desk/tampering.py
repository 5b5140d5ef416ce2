"""What somebody does who has the database in hand, before changing what only grows."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def unlock(session: Session) -> None:
    """Takes away the triggers that keep the audit log, the timelines and the anchors as they are."""
    postgresql = session.get_bind().dialect.name == "postgresql"
    for table in ("anchor", "audit", "event"):
        for change in ("update", "delete"):
            session.execute(text(f"DROP TRIGGER IF EXISTS {table}_only_grows_{change}{f' ON {table}' if postgresql else ''}"))
