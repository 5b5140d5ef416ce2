"""Hears that a file was renamed into a directory (inotify(7)), at no cost while nothing is.

Where the kernel or the file system tells nothing, nothing is heard: whoever listens looks by himself now and then as well.
"""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from pathlib import Path

_IN_MOVED_TO = 0x80
_EVENT = struct.Struct("=iIII")
"""struct inotify_event without its name: watch, mask, cookie, octets of the name."""
_MOST = 16384


class Arrivals:
    """What is renamed into one directory. `descriptor` is readable when something was; -1 where that cannot be had."""

    def __init__(self, directory: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor >= 0 and libc.inotify_add_watch(self.descriptor, os.fsencode(directory), _IN_MOVED_TO) < 0:
            self.close()

    def names(self) -> set[str]:
        """Of the files that came since the last call; never waits."""
        found: set[str] = set()
        with suppress(BlockingIOError):
            while events := os.read(self.descriptor, _MOST):
                at = 0
                while at < len(events):
                    length = _EVENT.unpack_from(events, at)[3]
                    at += _EVENT.size + length
                    found.add(os.fsdecode(events[at - length : at].rstrip(b"\0")))
        return found

    def close(self) -> None:
        """Hears no more."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1
