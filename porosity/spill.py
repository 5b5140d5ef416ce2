"""Room beside a study for what does not fit into memory: a directory that lives as long as its user, and is swept after one that was killed."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from porosity import parts

PREFIX = ".spill-"


def room(beside: Path, elsewhere: bool = False) -> tuple[Path, int]:
    """A new directory, and a descriptor that holds it; give both to `leave`. Raises DiskError.

    `elsewhere`: for who only reads. It may then be among the temporary files, when nothing can be written beside: published studies are read-only.
    """
    _sweep(beside)
    with parts.explained(beside):
        path = _made(beside, elsewhere)
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with suppress(OSError):  # where no locks can be had it may be swept by another, who finds it empty or breaks a query, never a study
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return path, held


def leave(path: Path, held: int) -> None:
    """Removes the directory and all in it."""
    shutil.rmtree(path, ignore_errors=True)
    os.close(held)


@contextmanager
def spilling(beside: Path, elsewhere: bool = False) -> Iterator[Path]:
    """The same, for as long as it lasts."""
    path, held = room(beside, elsewhere)
    try:
        yield path
    finally:
        leave(path, held)


def _made(beside: Path, elsewhere: bool) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside))
    except OSError as error:
        if not elsewhere or error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
    return Path(tempfile.mkdtemp(prefix=PREFIX))


def _sweep(beside: Path) -> None:
    for path in beside.glob(f"{PREFIX}*"):
        with suppress(OSError):
            held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
            finally:
                os.close(held)
