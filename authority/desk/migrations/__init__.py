"""The database's tables, from revision to revision: `versions/` holds each step, in order; what the models say is the last one's result.

An upgrade is one transaction: it is done whole, or the database is as before. There is no way back but a backup made before.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from authority.desk.errors import DeskError
from authority.desk.store import WRITING, Store

HERE = Path(__file__).parent
logging.getLogger("alembic").setLevel(logging.WARNING)  # at each look it would tell which database it is


def head() -> str:
    """The revision that this program works with."""
    found = ScriptDirectory.from_config(config()).get_current_head()
    assert found is not None  # noqa: S101 - a test sees to it that there is one, and no branch
    return found


def present(connection: Connection) -> str | None:
    """The revision of the database; None for one without tables of ours."""
    return MigrationContext.configure(connection).get_current_revision()


def require_tables(store: Store) -> str:
    """The database's revision, which may be older than `head`. Raises DeskError, with what to do, for one without tables or of a newer version."""
    with _explained(), store.engine.connect() as connection:
        found = present(connection)
        _require_known(connection, found)
    if found is None:
        raise DeskError("the desk's database has no tables yet; make them, and the first people: redhand desk init PEOPLE.yaml")
    return found


def require_current(store: Store) -> None:
    """Raises DeskError, with what to do, unless the database has the tables that this program works with."""
    found = require_tables(store)
    if found != head():
        raise DeskError(
            f"the desk's database has the tables of an older version ({found}, and this one needs {head()}); "
            "stop the desk, back it up (redhand desk backup FILE), then run: redhand desk upgrade"
        )


def upgrade(store: Store) -> tuple[str | None, str]:
    """Brings the database to `head`; the revisions before and after. For one that is there already nothing happens. Raises DeskError."""
    with _explained(), changing(store) as connection:
        before = present(connection)
        make(connection)
    return before, head()


def make(connection: Connection, revision: str = "head") -> None:
    """Brings the database to a revision, in the caller's transaction (`changing`). Raises DeskError."""
    _require_known(connection, present(connection))
    if revision != "head":
        _require_known(connection, revision)
    done = config()
    done.attributes["connection"] = connection
    command.upgrade(done, revision)


@contextmanager
def changing(store: Store) -> Iterator[Connection]:
    """A transaction that changes tables and takes its turn among those that write; committed at the end. Raises DeskError if rows lost others."""
    with store.engine.connect() as connection:
        if store.is_postgresql:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITING})")
            yield connection
            connection.commit()
            return
        # SQLite changes a table by making it anew, which foreign keys must let pass until the end (sqlite.org/lang_altertable.html, section 7).
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            if lost := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise DeskError(f"a row of {lost[0]} refers to one of {lost[2]} that is not there; nothing was changed; restore a sound backup")
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def config() -> Config:
    """Alembic's, without a file: it finds the revisions beside this module, also in an installed package."""
    made = Config()
    made.set_main_option("script_location", str(HERE).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def _require_known(connection: Connection, revision: str | None) -> None:
    if revision is None:
        if inspect(connection).get_table_names():
            raise DeskError("the database has tables, but none that say they are a desk's; name an empty database in desk.database, or make one")
        return
    if revision not in {each.revision for each in ScriptDirectory.from_config(config()).walk_revisions()}:
        raise DeskError(
            f"the desk's database was made by a newer version (its revision {revision} is not known here); "
            "install that version, or restore a backup made before it"
        )


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig).strip().splitlines()
        raise DeskError(f"the desk's database cannot be used ({said[0] if said else type(error.orig).__name__}); look at desk.database") from error
