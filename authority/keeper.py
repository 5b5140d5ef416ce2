"""The process that keeps what is published fresh, and puts receipts into the log: `python -m authority.keeper`, started by `authority.serve`.

One line of JSON comes on standard input, `{"directory": "…"}`; its end, or SIGTERM, stops it. It speaks to nobody, and may write to the authority's
directory alone. What fails is tried again: the roles have half their time left when it begins.
"""

from __future__ import annotations

import json
import logging
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

from authority import batches
from authority.places import Places
from authority.publisher import Publisher
from blocklists import confine, logs
from blocklists.errors import RedHandError
from blocklists.log.tree import Tree

LOOK_SECONDS = 5.0
AGAIN_SECONDS = 60.0
"""After a failure."""
RECEIPTS_SECONDS = 3600
"""How long a receipt may wait for its entry in the log, if nothing else is published."""
_log = logging.getLogger("authority")


class Keeper:
    """Publishes when it is time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._publisher: Publisher | None = None
        self._waiting_since: int | None = None

    def look(self, now: int) -> bool:
        """Publishes what is due at `now` (unix seconds); whether it did. Raises RedHandError."""
        if self._publisher is None:
            self._publisher = Publisher(self._directory)
        if self._publisher.present is None:
            return False
        if not self._publisher.is_due(now) and not self._receipts_due(now):
            return False
        try:
            published = self._publisher.publish([], now)
        except RedHandError:
            self._publisher = None
            raise
        self._waiting_since = None
        _log.info("published afresh: timestamp %d, log size %d", published.timestamp, published.size)
        return True

    def _receipts_due(self, now: int) -> bool:
        places = Places(self._directory)
        if not batches.waiting(places, Tree(places.log)):
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        return self._waiting_since is not None and now - self._waiting_since >= RECEIPTS_SECONDS


def main() -> None:
    """Runs until it is told to stop."""
    job: dict[str, Any] = json.loads(sys.stdin.readline())
    logs.to_stderr("keeper")
    confine.confine([Path(job["directory"])], connects=False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keeper = Keeper(Path(job["directory"]))
    pause = 0.0
    while not select.select([sys.stdin], [], [], pause)[0]:
        pause = LOOK_SECONDS
        try:
            keeper.look(int(time.time()))
        except (RedHandError, OSError) as error:
            _log.error("what is published cannot be kept fresh: %s; it is tried again in %g s", error, AGAIN_SECONDS)
            pause = AGAIN_SECONDS


if __name__ == "__main__":
    main()
