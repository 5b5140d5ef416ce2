"""Referrals from a CSV file: kept first, then read in pieces, so that a crash goes on where it stopped; a bad line is told by its number.

The first line names the columns: `names` (with blanks or | between them) or `location`, and category, words, contact, threat, key. UTF-8.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from authority.desk import audit, bulk, referrals
from authority.desk.desk import Desk
from authority.desk.errors import BadField, DeskError, Forbidden, NotFound
from authority.desk.referrals import Given
from authority.desk.roles import ROLES, Actor
from authority.desk.tables import Grant, Import, ImportFault, Referral
from authority.desk.words import clean
from blocklists import durable
from blocklists.names import visible

COLUMNS = ("names", "location", "category", "words", "contact", "threat", "key")
MOST = 256 << 20
"""Octets of a file."""
MOST_LINE = 1 << 17
PIECE = 250
"""Lines in one transaction."""
MOST_FAULTS = 10_000
"""Lines with a fault that are kept with their reason; the rest is counted."""
_YES = frozenset({"yes", "true", "1", "oui", "x"})
_NO = frozenset({"", "no", "false", "0", "non"})


def begin(desk: Desk, actor: Actor, file: Path | bytes, label: str, now: int) -> Import:
    """Keeps a file, to be read by `go_on`; one that was begun before is the same import. Raises BadField for what has not the columns."""
    actor.require("case.open")
    try:
        data = file if isinstance(file, bytes) else file.read_bytes()
    except OSError as error:
        raise BadField("file", f"{file!s} cannot be read: {error}") from None
    if not 0 < len(data) <= MOST:
        raise BadField("file", f"it has {len(data)} octets; send 1 to {MOST}")
    label = clean(label, "label", 255, line=True)
    _columns(data.partition(b"\n")[0])
    digest = hashlib.sha256(data).hexdigest()
    with desk.store.reading() as session:
        ended = session.scalar(select(Import).where(Import.digest == digest, Import.ended_at.is_not(None)))
    if ended is not None:
        return ended
    folder = desk.directory / "imports"
    folder.mkdir(mode=0o700, exist_ok=True)
    durable.replace(folder / f"{digest}.csv", data)
    with desk.store.writing() as session:
        row = session.scalar(select(Import).where(Import.digest == digest))
        if row is None:
            row = Import(
                digest=digest, label=label, made_at=now, made_by=actor.name, person_id=actor.person, octets=len(data),
                at_octet=0, at_line=0, taken=0, joined=0, again=0, bad=0,
            )  # fmt: skip
            session.add(row)
            session.flush()
            audit.record(session, actor, "import.begin", f"import:{row.id}", now, label=label, digest=digest, octets=len(data))
    return row


def find(session: Session, import_id: int) -> Import:
    """Raises NotFound."""
    row = session.get(Import, import_id)
    if row is None:
        raise NotFound(f"there is no import {import_id}")
    return row


def recent(session: Session, actor: Actor, before: int | None = None, limit: int = 50) -> list[Import]:
    """The newest ones; `before`: the id of the last one seen. Raises Forbidden."""
    actor.require("case.list")
    wanted = select(Import).order_by(Import.id.desc()).limit(limit)
    return list(session.scalars(wanted if before is None else wanted.where(Import.id < before)))


def faults(session: Session, import_id: int, after: int = 0, limit: int = 200) -> list[ImportFault]:
    """Lines that were not taken, by their place in the file; `after`: the id of the last one seen."""
    chosen = select(ImportFault).where(ImportFault.import_id == import_id, ImportFault.id > after)
    return list(session.scalars(chosen.order_by(ImportFault.id).limit(limit)))


def waiting(session: Session) -> list[int]:
    """Imports that are not read to their end."""
    return list(session.scalars(select(Import.id).where(Import.ended_at.is_(None)).order_by(Import.id)))


def go_on(desk: Desk, import_id: int, now: int, progress: Callable[[Import], None] | None = None, pieces: int | None = None) -> Import:
    """Reads on, to the end or so many pieces; each is committed whole, with how far it got. `progress` sees the import after each.

    Whoever began it must still be one who may refer. Raises DeskError when the file is gone.
    """
    while True:
        with desk.store.writing() as session:
            row = find(session, import_id)
            if row.ended_at is None:
                _piece(session, desk, row, now)
        if progress is not None:
            progress(row)
        pieces = None if pieces is None else pieces - 1
        if row.ended_at is not None or pieces == 0:
            return row


def _piece(session: Session, desk: Desk, row: Import, now: int) -> None:
    path = desk.directory / "imports" / f"{row.digest}.csv"
    actor = _actor(session, row)
    try:
        file = path.open("rb")
    except OSError as error:
        raise DeskError(f"{path} cannot be read ({error}); import the file again") from None
    with file:
        columns = _columns(file.readline(MOST_LINE))
        if row.at_octet == 0:
            row.at_octet, row.at_line = file.tell(), 1
        file.seek(row.at_octet)
        lines = _Lines(file, row.at_octet, row.at_line)
        ended = False
        read: list[_Read] = []
        faults: list[ImportFault] = []
        for _ in range(PIECE):
            line = lines.line + 1
            try:
                fields = next(csv.reader(lines, strict=True), None)
            except csv.Error as error:
                _fault(faults, row, line, lines.last, f"it is no CSV: {error}")
                continue
            if fields is None:
                ended = True
                break
            if any(field.strip() for field in fields) and (one := _line(faults, actor, row, line, columns, fields, now)) is not None:
                read.append(one)
        row.at_octet, row.at_line = lines.octets, lines.line
    many = [bulk.Given(one.referral, one.why) for one in read]
    opened = bulk.take_all(session, desk, actor, many, now, lambda place: _slow(session, desk, actor, row, read[place], faults, now))
    row.taken += opened
    faults.sort(key=lambda fault: fault.line)
    session.add_all(faults)
    if ended:
        row.ended_at = now
        audit.record(session, actor, "import.end", f"import:{row.id}", now, taken=row.taken, joined=row.joined, bad=row.bad)
        path.unlink(missing_ok=True)


class _Read(NamedTuple):
    """A line that can be taken."""

    line: int
    value: str
    given: Given
    key: str
    why: str
    referral: Referral


def _line(faults: list[ImportFault], actor: Actor, row: Import, line: int, columns: list[str], fields: list[str], now: int) -> _Read | None:
    """A line as it will be taken; None for one with a fault, which is noted."""
    value = ",".join(fields)
    if len(fields) != len(columns):
        _fault(faults, row, line, value, f"it has {len(fields)} fields, and the first line names {len(columns)}")
        return None
    said = dict(zip(columns, fields, strict=True))
    try:
        given = _given(said)
        key = said.get("key", "").strip() or f"{row.digest[:16]}:{line}"
        return _Read(line, value, given, key, f"imported: {row.label}, line {line}", referrals.prepared(actor, given, now, "import", key))
    except DeskError as error:
        _fault(faults, row, line, value, str(error))
        return None


def _slow(session: Session, desk: Desk, actor: Actor, row: Import, one: _Read, faults: list[ImportFault], now: int) -> None:
    """Takes a line by itself."""
    try:
        with session.begin_nested():
            taken = referrals.take(session, desk, actor, one.given, now, source="import", key=one.key, why=one.why)
    except DeskError as error:
        _fault(faults, row, one.line, one.value, str(error))
        return
    if taken.again:
        row.again += 1
    elif taken.joined:
        row.joined += 1
    else:
        row.taken += 1


def _given(said: dict[str, str]) -> Given:
    threat = said.get("threat", "").strip().lower()
    if threat not in _YES | _NO:
        raise BadField("threat", f"{threat[:20]!r} is neither yes nor no")
    return Given(
        names=tuple(said.get("names", "").replace("|", " ").split()),
        location=said.get("location", ""),
        category=said.get("category", ""),
        words=said.get("words", ""),
        contact=said.get("contact", ""),
        threat=threat in _YES,
    )


def _fault(faults: list[ImportFault], row: Import, line: int, value: str, reason: str) -> None:
    row.bad += 1
    if row.bad <= MOST_FAULTS:
        faults.append(ImportFault(import_id=row.id, line=line, value=visible(value, 200), reason=visible(reason, 500)))


def _columns(first: bytes) -> list[str]:
    try:
        found = [each.strip().lower() for each in next(csv.reader([first.decode("utf-8-sig").rstrip("\r\n")], strict=True), [])]
    except (UnicodeDecodeError, csv.Error):
        found = []
    odd = [each for each in found if each not in COLUMNS]
    if odd or len(set(found)) != len(found) or not {"names", "location"} & set(found):
        raise BadField("file", f"its first line must name the columns, each once, with names or location; they are {', '.join(COLUMNS)}")
    return found


def _actor(session: Session, row: Import) -> Actor:
    """Who began it, with the roles held now."""
    if row.person_id is None:
        raise Forbidden(f"import {row.id} was begun by nobody who has an account; import the file again")
    held = session.scalars(select(Grant.role).where(Grant.person_id == row.person_id, Grant.ended_at.is_(None))).all()
    actor = Actor(row.made_by, frozenset(role for role in ROLES if role in held), row.person_id)
    actor.require("case.open")
    return actor


class _Lines(Iterator[str]):
    """Lines of a file, with the octets and lines read so far. One that is no UTF-8 keeps its odd octets as lone surrogates, which nothing takes."""

    def __init__(self, file: BinaryIO, octets: int, line: int) -> None:
        self._file = file
        self.octets = octets
        self.line = line
        self.last = ""

    def __next__(self) -> str:
        raw = self._file.readline(MOST_LINE)
        if not raw:
            raise StopIteration
        self.octets += len(raw)
        self.line += 1
        self.last = raw.decode("utf-8", "surrogateescape")
        return self.last
