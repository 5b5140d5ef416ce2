"""A copy of the whole database in one file, made while the desk serves, and brought back into either kind of database.

The file is gzip over lines of JSON: a head, each table with its rows in order of who refers to whom, and an end with the digest of all lines before:
a file without its right end is no backup. It shows one instant. What it holds is as secret as the database itself. It holds no evidence, no key
that wraps evidence, and none of what the authority publishes: those are files, to be copied after it (`evidence` lists the objects that it needs).
Sessions stay out of it: after a restore everybody signs in anew.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import JSON, Column, Connection, LargeBinary, MetaData, Table, func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from authority.desk import audit, migrations
from authority.desk.errors import DeskError
from authority.desk.migrations.models import METADATA
from authority.desk.roles import Actor
from authority.desk.store import Store
from authority.desk.tables import Evidence, SignedIn
from blocklists import durable

NAME = "redhand desk backup"
FORMAT = 1
LEFT_OUT = frozenset({SignedIn.__tablename__})
"""Tables whose rows are not kept."""
PIECE = 2000
"""Rows read or written at a time."""
LEVEL = 3
"""Of gzip: a sixth of the size, at the speed at which rows are read."""
STILL = "the desk goes on; there is no backup"
Progress = Callable[[int, int], None]
"""Told rows done, and rows in all."""


class Summary(NamedTuple):
    """What a backup holds."""

    revision: str
    made_at: int
    rows: dict[str, int]
    sha256: str
    """Over all its lines but the last, which says it."""
    audit: tuple[int, str]
    """Number and hash of the audit log's last line: with the anchors in the public log it tells whether lines were lost since."""
    evidence: int
    """Objects that the store must have."""


class _Part(NamedTuple):
    """One table, or the end."""

    table: str
    columns: dict[str, str]
    rows: Iterator[list[Any]]


def write(store: Store, path: Path, actor: Actor, now: int, progress: Progress | None = None) -> Summary:
    """Makes a backup, on the disk when this returns, and readable by its owner alone; the audit log says who made it, and so does the backup.

    A database that is yet to be upgraded is copied as it is. Raises DeskError for a file that exists, or a database of a newer version; DiskError.
    """
    revision = migrations.require_tables(store)
    if path.exists():
        raise DeskError(f"{path} exists, and a backup never takes another's place; name a new file")
    with store.writing() as session:
        audit.record(session, actor, "desk.backup", "desk:database", now, file=path.name)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with durable.explained(f"writing {path}", STILL):
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as raw:
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=LEVEL, mtime=0) as file, store.reading() as session:
                    summary = _write(session, file, revision, now, progress or (lambda *_: None))
                raw.flush()
                os.fsync(descriptor)
            os.link(part, path)  # unlike a rename, it takes nobody's place
            durable.sync_directory(path.parent)
    finally:
        part.unlink(missing_ok=True)
    return summary


def restore(store: Store, path: Path, actor: Actor, now: int, progress: Progress | None = None) -> Summary:
    """Fills an empty database, of either kind, and brings it to this program's version. In one transaction: the whole backup, or nothing.

    The audit log says that it was done, and from which backup. Raises DeskError for a database with tables, and for a file that is not whole.
    """
    try:
        with migrations.changing(store) as connection:
            if inspect(connection).get_table_names():
                raise DeskError(
                    "the database has tables already; name an empty one in desk.database, or move the file desk.db away, and restore then"
                )
            summary = _restore(connection, path, progress or (lambda *_: None))
            session = Session(connection, join_transaction_mode="rollback_only")
            _check_chain(session, summary)
            audit.record(session, actor, "desk.restore", "desk:database", now, backup=f"sha256:{summary.sha256}", made_at=summary.made_at)
            session.flush()
    except DBAPIError as error:
        raise DeskError(f"{path} cannot be brought into this database ({str(error.orig).strip()[:300]}); nothing was changed") from error
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))  # so that the first pages are found by the right indexes
    return summary


def check(path: Path, progress: Progress | None = None) -> Summary:
    """Reads a backup from end to end. Raises DeskError for one that is not whole."""
    with _Reader(path, progress or (lambda *_: None)) as reader:
        for part in reader.parts():
            for _ in part.rows:
                pass
        return reader.summary()


def evidence(path: Path) -> Iterator[str]:
    """Addresses of the objects in the evidence store without which the restored desk lacks evidence. Raises DeskError."""
    with _Reader(path, lambda *_: None) as reader:
        for part in reader.parts():
            names = list(part.columns)
            for row in part.rows:
                if part.table == Evidence.__tablename__ and row[names.index("shredded_at")] is None:
                    yield row[names.index("address")]
        reader.summary()


def _write(session: Session, file: gzip.GzipFile, revision: str, now: int, progress: Progress) -> Summary:
    digest, done = hashlib.sha256(), 0
    tables = [table for table in _tables(session, revision).sorted_tables if table.name not in LEFT_OUT]
    rows = {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}

    def line(value: object) -> None:
        octets = _encoded(value)
        digest.update(octets)
        file.write(octets)

    line({"name": NAME, "format": FORMAT, "revision": revision, "made_at": now, "rows": sum(rows.values())})
    for table in tables:
        kinds = {column.name: _kind(column) for column in table.columns}
        line({"table": table.name, "columns": kinds})
        octets = [number for number, kind in enumerate(kinds.values()) if kind == "octets"]
        found = session.execute(select(table).order_by(*table.primary_key.columns), execution_options={"yield_per": PIECE})
        for some in found.partitions():
            for row in some:
                values = list(row)
                for number in octets:
                    values[number] = None if values[number] is None else base64.b64encode(values[number]).decode()
                line(values)
            done += len(some)
            progress(done, sum(rows.values()))
    objects = session.scalar(select(func.count(Evidence.address.distinct())).where(Evidence.shredded_at.is_(None))) or 0
    head = audit.head(session)
    line({"end": rows, "audit": head, "evidence": objects})
    summary = Summary(revision, now, rows, digest.hexdigest(), head, objects)
    file.write(_encoded({"sha256": summary.sha256}))
    return summary


def _tables(session: Session, revision: str) -> MetaData:
    """As they are: the models', or for an older revision what the database says of itself."""
    if revision == migrations.head():
        return METADATA
    found = MetaData()
    found.reflect(session.connection())
    found.remove(found.tables["alembic_version"])
    return found


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _kind(column: Column[Any]) -> str:
    if isinstance(column.type, LargeBinary):
        return "octets"
    return "json" if isinstance(column.type, JSON) else "plain"


def _restore(connection: Connection, path: Path, progress: Progress) -> Summary:
    with _Reader(path, progress) as reader:
        migrations.make(connection, reader.revision)
        for part in reader.parts():
            types: dict[str, Any] = {"octets": LargeBinary(), "json": JSON(none_as_null=True), "plain": None}
            table = Table(part.table, MetaData(), *(Column(name, types[kind]) for name, kind in part.columns.items()))
            names, piece = list(part.columns), list[dict[str, Any]]()
            for row in part.rows:
                piece.append(dict(zip(names, row, strict=True)))
                if len(piece) == PIECE:
                    connection.execute(insert(table), piece)
                    piece.clear()
            if piece:
                connection.execute(insert(table), piece)
        summary = reader.summary()
    have = set(inspect(connection).get_table_names()) - {"alembic_version"} - LEFT_OUT
    if have != set(summary.rows):
        raise DeskError(f"{path} lacks the tables {', '.join(sorted(have - set(summary.rows)))}; it was not made by us; take another")
    migrations.make(connection)
    if connection.dialect.name == "postgresql":
        count_on(connection)
    return summary


def count_on(connection: Connection) -> None:
    """PostgreSQL's own counters go on after the highest number that is there."""
    for table in METADATA.sorted_tables:
        counter = connection.scalar(text("SELECT pg_get_serial_sequence(:t, 'id')"), {"t": table.name}) if "id" in table.columns else None
        if counter is not None:
            last = connection.scalar(select(func.max(table.c.id))) or 0
            connection.execute(text("SELECT setval(:s, :n, false)"), {"s": counter, "n": last + 1})


def _check_chain(session: Session, summary: Summary) -> None:
    lines, broken = audit.verify(session)
    if broken is not None:
        raise DeskError(f"the audit log in the backup is not whole: {broken.why}; nothing was changed; take another backup, and find out who did it")
    if audit.head(session) != summary.audit:
        raise DeskError(f"the audit log in the backup ends with line {lines}, and should end with {summary.audit[0]}; nothing was changed")


class _Reader:
    """A backup, read line by line; every fault of it becomes a DeskError."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._progress = progress
        self._digest = hashlib.sha256()
        self._octets = b""
        self._number = 0
        self._rows: dict[str, int] = {}
        self._next: Any = None
        self._damaged = DeskError(f"{path} is no whole backup of a desk: it ends too early or was changed; nothing was done; take another")
        try:
            self._file = gzip.open(path, "rb")  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise DeskError(f"{path} cannot be read ({error.strerror}); name a file that `redhand desk backup` made") from None
        try:
            head = self._line()
            if head["name"] != NAME:
                raise self._damaged
            if head["format"] != FORMAT:
                raise DeskError(f"{path} has the format {head['format']}, and this version reads {FORMAT}; restore it with the version that made it")
            self.revision, self._made_at, self._all = str(head["revision"]), int(head["made_at"]), int(head["rows"])
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._file.close()
        if kind is not None and issubclass(kind, (AttributeError, LookupError, TypeError, ValueError)):
            raise self._damaged from error

    def parts(self) -> Iterator[_Part]:
        """Each table; its rows must be read before the next."""
        self._next = self._line()
        while isinstance(self._next, dict) and isinstance(self._next.get("columns"), dict):
            name, columns = str(self._next["table"]), self._next["columns"]
            if name in self._rows:
                raise self._damaged
            self._rows[name] = 0
            yield _Part(name, columns, self._of(name, columns))

    def summary(self) -> Summary:
        """After all parts: what it holds."""
        end, digest = self._next, self._digest.hexdigest()
        if end["end"] != self._rows or sum(self._rows.values()) != self._all:
            raise self._damaged
        self._line()
        if self._octets != _encoded({"sha256": digest}) or self._read():
            raise self._damaged
        number, head = end["audit"]
        return Summary(self.revision, self._made_at, self._rows, digest, (int(number), str(head)), int(end["evidence"]))

    def _of(self, name: str, columns: dict[str, str]) -> Iterator[list[Any]]:
        octets = [number for number, kind in enumerate(columns.values()) if kind == "octets"]
        while isinstance(row := self._line(), list):
            if len(row) != len(columns):
                raise self._damaged
            for number in octets:
                row[number] = None if row[number] is None else base64.b64decode(row[number])
            self._rows[name] += 1
            self._number += 1
            if self._number % PIECE == 0 or self._number == self._all:
                self._progress(self._number, self._all)
            yield row
        self._next = row

    def _line(self) -> Any:
        self._octets = self._read()
        self._digest.update(self._octets)
        return json.loads(self._octets)

    def _read(self) -> bytes:
        try:
            return self._file.readline()
        except (OSError, EOFError, zlib.error):
            raise self._damaged from None
