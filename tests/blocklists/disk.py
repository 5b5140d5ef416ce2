"""A disk, or a process, that fails at a chosen change to a file or directory: for use in a child that ends, since what watches cannot be removed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHANGES = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.truncate"}


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """Kills this process, as kill -9 does, just before its nth change to a file or directory."""
    left = step

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event not in {*CHANGES, "open"}:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)  # it cannot be removed: for use in a process that ends
    yield


@contextmanager
def refused_at(step: int, number: int) -> Iterator[None]:
    """From this process's nth change to a file or directory on, the disk refuses each with this errno; an fsync counts as a change."""
    left = step

    def change() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise OSError(number, os.strerror(number))

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in CHANGES or writes:
            change()

    flush = os.fsync

    def fsync(descriptor: int) -> None:
        change()
        flush(descriptor)

    os.fsync = fsync
    sys.addaudithook(watch)  # it cannot be removed: for use in a process that ends
    yield
