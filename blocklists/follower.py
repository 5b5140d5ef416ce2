"""Follows the version in force, for a process that serves from it."""

from __future__ import annotations

import os
from pathlib import Path

from blocklists.opened import Rest
from blocklists.store import Version, open_current


class Follower:
    """Watches `current` for one serving process: a cheap look as often as one likes, and a load when it says so.

    Both ask the disk, and a disk may hang: to be called in a thread beside whatever serves.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._path = state_dir / "current"
        self._loaded: tuple[int, ...] | str = "nothing yet"
        self._version: Version | None = None

    def changed(self) -> bool:
        """Whether `current` is another one than at the last successful load; one stat. True until a first load succeeds."""
        return self._look() != self._loaded

    def load(self, rest: Rest | None = None) -> Version:
        """The version in force now, as `open_current`. Raises StoreError; then `changed` stays true, and the caller paces its next try."""
        seen = self._look()
        version = open_current(self.state_dir, rest=rest, sealed=True, like=self._version)
        self._loaded = seen
        self._version = version
        return version

    def _look(self) -> tuple[int, ...]:
        try:
            status = os.stat(self._path)
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_ino, status.st_size
