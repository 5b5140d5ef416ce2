"""An operator for tests: a state directory, the client that fills it, and what is in force there."""

from __future__ import annotations

import time
from pathlib import Path

from blocklists import store
from blocklists.agreed import Timekeeper
from blocklists.durable import replace
from blocklists.errors import StoreError
from blocklists.feed.job import FeedJob
from blocklists.orders import OrderLines
from blocklists.settings import FeedSettings
from blocklists.sync import Outcome, Sync
from blocklists.version import read_line
from tests.blocklists.feed.mirror import TOKEN


class Operator:
    """Follows the feed at these addresses."""

    def __init__(self, place: Path, root: bytes, *urls: str, demonstration: bool = False) -> None:
        self.place = place
        self.state_dir = place / "var"
        self.state_dir.mkdir(parents=True, exist_ok=True)
        # A process that is killed at any instant makes one of these too, over the files of another: each is whole, or as it was.
        for name, content in (("root.json", root), ("token", f"{TOKEN}\n".encode())):
            if not (place / name).exists() or (place / name).read_bytes() != content:
                replace(place / name, content)
        self.demonstration = demonstration
        self.progress: list[tuple[str, int, int]] = []
        self.point(*urls)

    def point(self, *urls: str) -> None:
        """Begins anew, as a process that is started, with these addresses."""
        settings = FeedSettings(urls=urls, root=str(self.place / "root.json"), token_file=str(self.place / "token"))
        self.job = FeedJob(settings, self.state_dir, ("landing.example",), 10, self.demonstration)
        self.restart()

    def restart(self) -> None:
        lines = OrderLines(self.state_dir, 10)
        clock = Timekeeper(self.state_dir)
        self.sync = Sync(self.job, clock, lines.put_in_force, lambda *told: self.progress.append(told))

    def close(self) -> None:
        self.sync.close()

    def look(self, hinted: str = "") -> Outcome:
        return self.sync.look(hinted)

    def fault(self) -> str:
        """The kind of the one fault that a look meets; empty when there is none."""
        faults = list(self.look().faults.values())
        assert len(faults) < 2
        return faults[0].kind if faults else ""

    def blocked(self, at: float | None = None) -> set[str]:
        """Names in force now; a subtree's has a leading dot."""
        now = int(at or time.time())
        try:
            version = store.open_current(self.state_dir)
        except StoreError:
            return set()
        version.verify()
        found = set()
        for line in version.lines():
            basis, listed = read_line(line)
            if basis["starts"] <= now < (basis["ends"] or now + 1):
                found.update(listed)
        return found
