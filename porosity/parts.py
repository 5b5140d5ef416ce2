"""Parquet files that are whole or not there: written under another name, flushed to the disk, and renamed.

Every stage writes its results so. A folder of parts is numbered from 1; what is there stays as it is.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from blocklists import durable
from blocklists.errors import DiskError, StoreError

_PART = re.compile(r"part-([0-9]{6,})\.parquet", re.ASCII)
_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE (linux/fcntl.h, linux/fs.h)."""
_ROWS, _OCTETS = 10_000, 16 << 20
"""Of a row group, about and at most: what a reader holds at a time."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns an OSError inside into a DiskError that names the file and the remedy."""
    try:
        yield
    except OSError as error:
        remedy = "free space there, or mend its owner or mode"
        raise DiskError(f"{path} could not be written: {error.strerror or error}", remedy, "what was written before is as it was") from error


@contextmanager
def sound(path: Path) -> Iterator[None]:
    """Turns what goes wrong inside with reading a file into a StoreError that names it and the remedy."""
    try:
        yield
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        why = str(error).strip().partition("\n")[0]
        raise StoreError(f"{path} is not as it was written ({why}); put a copy in its place, or make it anew from the stage before") from None


def name(number: int) -> str:
    """The file name of a part."""
    return f"part-{number:06d}.parquet"


def numbers(folder: Path) -> list[int]:
    """Numbers of the parts in a folder, in order; none where there is no folder."""
    try:
        found = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(int(match[1]) for each in found if (match := _PART.fullmatch(each)))


def write(path: Path, table: pa.Table, about: Mapping[str, str]) -> None:
    """Writes a table in one go, with texts about it in the file's own metadata. Raises DiskError; then what is there is the old or the new."""
    temporary = path.with_name(f".{path.name}.new")
    said = {key.encode(): value.encode() for key, value in about.items()}
    rows = max(1, min(_ROWS, table.num_rows * _OCTETS // max(1, table.nbytes)))
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                pq.write_table(table.replace_schema_metadata(said), file, compression="zstd", row_group_size=rows, write_page_checksum=True)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        durable.sync_directory(path.parent)


def stand(made: Path, target: Path) -> None:
    """Puts a folder in the place of another, or of none, on the same disk: killed at any moment, the one or the other is there whole.

    What stood is then at `made`. Raises DiskError.
    """
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            made.rename(target)
        elif not _exchanged(made, target):
            # On a disk that cannot exchange two names there is a moment in which none stands; what stood is made again from the stage before.
            before = made.with_name(f"{made.name}.before")
            target.rename(before)
            made.rename(target)
            before.rename(made)
        durable.sync_directory(target.parent)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether two names were exchanged (RENAME_EXCHANGE, renameat2(2)); False where the system or its disk cannot."""
    if (call := getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)) is None:
        return False
    if not call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE):
        return True
    number = ctypes.get_errno()
    if number not in (errno.ENOSYS, errno.EINVAL, errno.EXDEV):
        raise OSError(number, os.strerror(number), str(other))
    return False


def about(path: Path) -> dict[str, str]:
    """The texts that `write` put into a file."""
    with sound(path):
        found = pq.read_schema(path).metadata or {}
        return {key.decode(): value.decode() for key, value in found.items() if not key.startswith(b"ARROW")}


def check(path: Path, schema: pa.Schema, plan: str) -> None:
    """Raises StoreError for a file that cannot be read, has other columns than these, or is of another plan."""
    with sound(path):
        found = pq.read_schema(path)
        if found.names != schema.names or found.types != schema.types:
            raise pa.ArrowInvalid(f"its columns are {', '.join(found.names)}")
    if about(path).get("plan") != plan:
        raise StoreError(f"{path} is of another plan; keep studies in directories of their own")


def opened(path: Path) -> pq.ParquetFile:
    """A file to be read in pieces, each of which is held against its checksum. A context manager; to be used inside `sound`."""
    return pq.ParquetFile(path, page_checksum_verification=True)


def replace(path: Path, data: bytes) -> None:
    """A file's new bytes, at once. Raises DiskError."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.replace(path, data)
