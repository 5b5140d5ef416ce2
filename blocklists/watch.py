"""Notices that a source changed: looks at its files by stat alone, and waits until they hold still, so that half-written ones are not read.

It reads no file, starts nothing and does not sleep: whoever calls `changed` gives the time and sets the pace.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blocklists import places
from blocklists.settings import FileSource

POLL_SECONDS = 0.25
"""A pace at which a change is noticed within a second: one look to see it, another to see that it holds still."""

SETTLE_SECONDS = 0.1
"""How long two looks must be apart, and alike, before a change counts."""

Snapshot = tuple[tuple[object, ...], ...]


class Sources:
    """Watches the files of some sources. What is there when it is made is taken as known: make it before they are read."""

    def __init__(self, watched: Sequence[FileSource], base_dir: Path) -> None:
        self._paths = [places.locate(source, base_dir) for source in watched]
        self._known = self.snapshot()
        self._seen = self._known
        self._since: float | None = None

    def snapshot(self) -> Snapshot:
        """One look: equal to another exactly when no file was edited in between, as far as stat tells."""
        return tuple(places.stamp(path) for path in self._paths)

    def changed(self, now: float) -> bool:
        """Whether the files differ from what was known and have held still; what is seen then becomes what is known. `now`: monotonic seconds."""
        look = self.snapshot()
        if look == self._known:
            self._seen, self._since = look, None
            return False
        if self._since is None or look != self._seen:
            self._seen, self._since = look, now
            return False
        if now - self._since < SETTLE_SECONDS:
            return False
        self._known, self._since = look, None
        return True
