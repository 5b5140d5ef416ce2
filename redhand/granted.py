"""What reviewers' access was granted and revoked, in order: a file that only grows, in which each line holds the digest of the one before.

    state_dir/access/log.jsonl    {"action":"grant","at":…,"envelope":{…},"number":1,"previous":"sha256:0…"}
                                  {"action":"revoke","at":…,"by":"…","number":2,"previous":"sha256:…","reason":"…","reference":"access-…"}

What is in force is read from it and from nowhere else, and every grant's signatures are verified again each time. A line altered, moved or taken out
of the middle breaks the chain, and then nothing is granted. That its last lines were cut off, the chain cannot show: whoever noted its head can, and
the supervisor does (`redhand.granting`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from authority.keys import read_holder
from blocklists import durable, numbered
from blocklists.errors import BadDocument, ConfigurationError, RedHandError, StoreError
from blocklists.names import clip
from blocklists.trust import strict
from blocklists.trust.envelope import Envelope
from blocklists.trust.keys import PublicKey
from redhand.granting import LOG
from resolver import grants
from resolver.grants import Grant

BEGIN = "sha256:" + 64 * "0"
"""What the first line holds for the one before."""
MOST_OCTETS = 1 << 24
"""Of the file; a grant takes some 2,000."""
MOST_LINE = 1 << 17

People = Mapping[str, tuple[PublicKey, str]]
"""Public key and name of those who may grant, by key id."""


class Record(NamedTuple):
    """One line."""

    number: int
    at: int
    """Unix seconds, by the clock of who wrote it."""
    action: str
    """grant or revoke."""
    reference: str
    digest: str
    """What the next line holds for this one."""
    grant: Grant | None
    envelope: Envelope | None
    by: str
    """Who revoked, and why."""
    reason: str


class Found(NamedTuple):
    """What the log comes to."""

    number: int
    """Of its last line; 0 when there is none."""
    digest: str
    digests: tuple[str, ...]
    """Of every line."""
    grants: tuple[Grant, ...]
    """In force, each signed by enough of those who may."""
    refused: tuple[tuple[str, str], ...]
    """Grants neither revoked nor ended that are not in force all the same: reference, and why."""


def path_of(state_dir: Path) -> Path:
    """Where the log is."""
    return state_dir / LOG


def read(state_dir: Path) -> list[Record]:
    """Every line, its chain checked, signatures not. Raises StoreError naming the line that is not sound, and DiskError."""
    path = path_of(state_dir)
    with durable.explained(f"reading {path}", "nobody is granted access meanwhile"):
        try:
            with path.open("rb") as file:
                data = file.read(MOST_OCTETS + 1)
        except FileNotFoundError:
            return []
    if len(data) > MOST_OCTETS:
        raise StoreError(f"{path} has more than {MOST_OCTETS} octets; keep a copy, move it away, and grant again what is to stand")
    records: list[Record] = []
    known: dict[str, bool] = {}
    for number, line in enumerate(_lines(data), 1):
        try:
            record = _record(strict.read(line, f"{path}:{number}", MOST_LINE), line, number, records[-1].digest if records else BEGIN)
            _check_follows(record, known)
            records.append(record)
        except (BadDocument, KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{path}:{number} is not what was written ({clip(str(error), 300)}), so nobody has access; "
                "put the file back from a backup, or move it away and grant again what is to stand"
            ) from None
    return records


def _lines(data: bytes) -> list[bytes]:
    """Whole lines: one that was being written when its writer died was never recorded."""
    return data.split(b"\n")[:-1]


def _check_follows(record: Record, known: dict[str, bool]) -> None:
    """What was granted before is not granted again, and only what stands is revoked. `known`: whether each grant stands, brought up to date here."""
    if record.action == "grant" and record.reference in known:
        raise ValueError(f"{record.reference} was granted before")
    if record.action == "revoke" and not known.get(record.reference):
        raise ValueError(f"it revokes {clip(record.reference)}, which does not stand")
    known[record.reference] = record.action == "grant"


def _record(document: dict[str, Any], line: bytes, number: int, previous: str) -> Record:
    if (document["number"], document["previous"]) != (number, previous):
        raise ValueError(f"it is line {document['number']}, and follows another line than stands before it")
    if type(document["at"]) is not int:
        raise ValueError("at is no time")
    digest = "sha256:" + hashlib.sha256(line).hexdigest()
    if document["action"] == "grant" and len(document) == 5:
        sealed, grant = grants.from_document(document["envelope"], "the grant in it")
        return Record(number, document["at"], "grant", grant.reference, digest, grant, sealed, "", "")
    if document["action"] == "revoke" and len(document) == 7:
        words = [document[name] for name in ("reference", "by", "reason")]
        if not all(isinstance(word, str) for word in words):
            raise ValueError("reference, by and reason are not all texts")
        return Record(number, document["at"], "revoke", words[0], digest, None, None, words[1], words[2])
    raise ValueError("it is neither a grant nor a revocation")


def append(state_dir: Path, entry: Callable[[Sequence[Record]], dict[str, Any]]) -> int:
    """Adds the line that `entry` makes of those before it (its action, time and what goes with that); its number.

    It is on the disk when this returns. Raises what `entry` raises, and StoreError, and then nothing was added.
    """
    path = path_of(state_dir)
    with numbered.alone(path.parent):
        records = read(state_dir)
        document = {**entry(records), "number": len(records) + 1, "previous": records[-1].digest if records else BEGIN}
        line = strict.write(document, "the record") + b"\n"
        with durable.explained(f"writing {path}", "nothing was recorded and nothing changes"):
            _cut(path)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            durable.sync_directory(path.parent)
    return len(records) + 1


def _cut(path: Path) -> None:
    """Takes away a line that was never whole. Raises OSError."""
    if path.exists() and not (data := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


def standing(records: Sequence[Record]) -> dict[str, Record]:
    """The grants that were not revoked, by reference, ended ones included."""
    found: dict[str, Record] = {}
    for record in records:
        if record.action == "grant":
            found[record.reference] = record
        else:
            found.pop(record.reference, None)
    return found


def judge(records: Sequence[Record], people: People, now: int) -> Found:
    """What the log comes to at `now` (unix seconds). Every signature is verified here."""
    good, refused = [], []
    for record in standing(records).values():
        assert record.grant is not None  # noqa: S101 - `standing` holds grants only
        assert record.envelope is not None  # noqa: S101
        if now >= record.grant.until:
            continue
        try:
            grants.check_time(record.grant, now)
            grants.check_signed(record.envelope, record.grant, people)
            good.append(record.grant)
        except BadDocument as error:
            refused.append((record.reference, str(error)))
    digests = tuple(record.digest for record in records)
    return Found(len(records), digests[-1] if digests else BEGIN, digests, tuple(good), tuple(refused))


def load(state_dir: Path, files: Sequence[str], now: int) -> Found:
    """What is in force by the log and these people's files. Raises StoreError for a log that is not sound, ConfigurationError for the files."""
    return judge(read(state_dir), people(files), now)


def people(files: Sequence[str]) -> People:
    """Those who may grant. Raises ConfigurationError naming the file that introduces nobody, or that they are too few to grant anything."""
    found: dict[str, tuple[PublicKey, str]] = {}
    for file in files:
        try:
            holder = read_holder(Path(file))
        except RedHandError as error:
            raise ConfigurationError(f"resolver.access.people: {error}") from None
        if holder.key.keyid in found:
            raise ConfigurationError(f"resolver.access.people: {file} has the key that an earlier file has; each person has a key of his own")
        found[holder.key.keyid] = holder.key, holder.person
    names = sorted({person for _, person in found.values()})
    if files and len(names) < grants.PEOPLE:
        raise ConfigurationError(
            f"resolver.access.people: {grants.PEOPLE} different people must sign, and only {', '.join(names)} is named; name another, or nobody"
        )
    return found
