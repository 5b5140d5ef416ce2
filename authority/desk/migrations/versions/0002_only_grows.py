"""The audit log, the timelines and the anchors only grow, by the database too.

Whoever owns the database can take this away again; then the audit log's chain and its anchors in the public log tell. What it stops is a fault of
ours, and a hand that may write rows and no more.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

ANCHOR = "OLD.log_index IS NOT NULL OR OLD.number <> NEW.number OR OLD.hash <> NEW.hash OR OLD.salt <> NEW.salt OR OLD.at <> NEW.at"
"""An anchor is written before it is in the public log; its place there is added once."""
WHEN = {("anchor", "UPDATE"): f" WHEN ({ANCHOR})"}
FUNCTION = """
CREATE FUNCTION only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION USING MESSAGE = 'the table ' || TG_TABLE_NAME || ' only grows', ERRCODE = 'integrity_constraint_violation'; END$$
"""


def upgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute(FUNCTION)
    for table in ("anchor", "audit", "event"):
        for change in ("UPDATE", "DELETE"):
            begin = f"CREATE TRIGGER {table}_only_grows_{change.lower()} BEFORE {change} ON {table} FOR EACH ROW{WHEN.get((table, change), '')}"
            if postgresql:
                op.execute(f"{begin} EXECUTE FUNCTION only_grows()")
            else:
                op.execute(f"{begin} BEGIN SELECT RAISE(ABORT, 'the table {table} only grows'); END")
        if postgresql:
            op.execute(f"CREATE TRIGGER {table}_only_grows_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION only_grows()")
