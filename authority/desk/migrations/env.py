"""What Alembic runs for each command: on the connection, and in the transaction, that `migrations` gives it."""

from __future__ import annotations

from alembic import context

from authority.desk.migrations.models import METADATA

given = context.config.attributes
# A table that is there is changed by making it anew (`batch`), since SQLite alters little; the first revision has none to change.
context.configure(connection=given["connection"], target_metadata=METADATA, render_as_batch=given.get("batch", True), compare_type=True)
context.run_migrations()
