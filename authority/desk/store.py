"""The desk's database: one engine, short transactions, no change half made. SQLite by default, PostgreSQL by its address.

A writing transaction ends with its commit on the disk: what a page or an answer says is done outlives the power. One that fails leaves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from authority.desk.errors import DeskError

BUSY_SECONDS = 20.0
"""How long one transaction waits for others that write."""
WRITING = 7_265_100
"""Of the PostgreSQL advisory lock that orders writing transactions, so that the audit chain has one end."""


class Store:
    """Sessions on one database."""

    def __init__(self, url: str) -> None:
        """Opens it; its tables are `migrations`' matter. Raises DeskError for an address that is none."""
        try:
            self.engine = _engine(url)
        except (ImportError, ArgumentError) as error:
            raise DeskError(f"the database {url.rpartition('@')[2]} cannot be used ({error}); look at desk.database") from None
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that changes nothing, on one state of the database. What was read stays readable after its end."""
        with self._sessions() as session:
            if self.is_postgresql:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
            else:
                session.connection().exec_driver_sql("BEGIN")
            yield session
            session.expunge_all()
            session.rollback()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at the end, and rolled back when anything is raised. Writers come one after the other."""
        with self._sessions() as session:
            session.connection().exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITING})" if self.is_postgresql else "BEGIN IMMEDIATE")
            try:
                yield session
                session.commit()
            except BaseException:
                session.rollback()
                raise

    @property
    def is_postgresql(self) -> bool:
        """Whether it is PostgreSQL; else SQLite."""
        return self.engine.dialect.name == "postgresql"

    def close(self) -> None:
        """Gives back all connections."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return _postgresql(url)
    engine = create_engine(url, connect_args={"isolation_level": None, "check_same_thread": False}, pool_size=16, max_overflow=16)

    # The driver begins nothing by itself: each transaction here says whether it will write. What is deleted or cleared is overwritten with zeros:
    # the wrapped key of evidence that was shredded is not left in a free page.
    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", f"busy_timeout={int(BUSY_SECONDS * 1000)}"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgresql(url: str) -> Engine:
    # Writers take the lock with their first statement, and must see what was committed while they waited: each statement has a view of its own.
    engine = create_engine(url, pool_size=16, max_overflow=16, pool_pre_ping=True, isolation_level="READ COMMITTED")
    if engine.dialect.name != "postgresql":
        raise ArgumentError(f"{engine.dialect.name} is neither SQLite nor PostgreSQL")

    # Whatever the server or the role has as its default: a commit that is acknowledged is on the disk, and nobody waits for ever.
    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.autocommit = True
        connection.execute("SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
        connection.execute(f"SET lock_timeout = {int(BUSY_SECONDS * 1000)}")
        connection.autocommit = False

    return engine
