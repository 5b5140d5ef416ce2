"""Files of one directory, numbered from 1 without gaps, each written once and never changed: what people decided, what was receipted.

Killed at any instant, a number has its whole file or none. One process at a time adds (a lock on the directory), for milliseconds.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blocklists import durable

SUFFIX = ".json"


def numbers(directory: Path) -> list[int]:
    """The numbers that have a file, in order. Raises DiskError."""
    with durable.explained(f"reading {directory}"):
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            return []
    stems = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdecimal() and stem == str(int(stem)) and stem != "0")


def path_of(directory: Path, number: int) -> Path:
    """Where a number's file stands."""
    return directory / f"{number}{SUFFIX}"


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """The one process that adds to the directory, which is made if need be; what a killed one left is removed. Raises DiskError."""
    with durable.explained(f"preparing {directory}"):
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with durable.explained(f"preparing {directory}"):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for name in os.listdir(directory):
                if name.startswith(".") and name.endswith(".new"):
                    (directory / name).unlink()
        yield
    finally:
        os.close(descriptor)


def write(directory: Path, number: int, data: bytes) -> Path:
    """The number's file, on the disk when this returns. By who is `alone` there. Raises DiskError."""
    path = path_of(directory, number)
    with durable.explained(f"writing {path}"):
        if path.exists():
            raise FileExistsError(17, "a file of this number is there already, and none is ever written twice", str(path))
        durable.replace(path, data)
    return path
