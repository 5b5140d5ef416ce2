"""Files that are whole or not there: written, flushed to the disk and renamed, in that order, with the directory flushed after.

Every failure of the disk becomes a DiskError that says what could not be written and what to do; it never leaves a half-written file under a
name that a reader looks at.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from blocklists.errors import DiskError

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free space there",
    errno.EDQUOT: "the quota is used up: free space there",
    errno.EFBIG: "the file is larger than this process may write: raise its limit (ulimit -f)",
    errno.EROFS: "the file system is read-only: remount it writable, or move state_dir",
    errno.EACCES: "this user may not write there: mend its owner or mode, or move state_dir",
    errno.EPERM: "this user may not write there: mend its owner or mode, or move state_dir",
    errno.EIO: "the disk itself fails: see the kernel's messages (dmesg), and move state_dir to a sound one",
    errno.ENOTDIR: "part of the path is a file: move it away, or move state_dir",
    errno.EEXIST: "a file stands where a directory should: move it away, or move state_dir",
}


PIECE = 1 << 16
"""Octets read or written by one call to the kernel, which on a shared core lets no server run before a call has ended, or a tick has passed."""


@contextmanager
def explained(doing: str, still: str = "the last good version stays in force") -> Iterator[None]:
    """Turns an OSError inside into a DiskError that begins with what was being done, and ends with what holds all the same."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "see the system's own logs")
        where = f" ({error.filename})" if error.filename else ""
        raise DiskError(f"{doing}{where} failed: {error.strerror or error}", remedy, still) from error


def write_new(path: Path, chunks: Iterable[bytes]) -> tuple[str, int]:
    """A new read-only file with these bytes, on the disk when this returns: their SHA-256 (hex) and how many they are. Raises OSError."""
    digest = hashlib.sha256()
    size = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    with open(descriptor, "wb", buffering=PIECE) as file:
        for chunk in chunks:
            view = memoryview(chunk)
            for start in range(0, len(view), PIECE):
                file.write(view[start : start + PIECE])
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(descriptor)
    return digest.hexdigest(), size


def replace(path: Path, data: bytes) -> None:
    """The file's new bytes, at once: any reader sees the old ones or these, also after a power cut. Raises OSError."""
    # Threads have one of their own each: two that shared it would take it away from one another.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_native_id()}.new")
    temporary.unlink(missing_ok=True)
    try:
        write_new(temporary, (data,))
        temporary.rename(path)
    except OSError:
        with suppress(OSError):  # what refused the write may refuse this too, and it is the first refusal that explains
            temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Puts the directory's names on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
