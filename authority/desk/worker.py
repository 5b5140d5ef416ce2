"""The desk's second process: `python -m authority.desk.worker`, started beside the server. Clocks, mail, imports, and what other parts do in turn.

One line of JSON comes on standard input, `{"settings": {…}, "base": "…"}`: the section `desk`, and where its relative paths start. Its end, or
SIGTERM, stops it, between two pieces of work. A task that fails is logged and tried again, later and later, and stops no other;
one that may hang has a thread of its own.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from authority.desk import clockwork, imports, mail
from authority.desk.desk import Desk
from authority.desk.settings import DeskSettings
from blocklists import logs

AGAIN_SECONDS = 5.0
"""After a failure; twice as long each time, up to LAST_SECONDS."""
LAST_SECONDS = 300.0
READ_SECONDS = 0.5
SHORTEST = 0.05
"""Seconds between two looks at all of them, while one that is apart is at its work."""
_log = logging.getLogger("authority")

Work = Callable[[Desk, int], object]


@dataclass
class Task:
    """Something done again and again."""

    name: str
    every: float
    """Seconds between its end and its next start."""
    work: Work
    apart: bool = False
    """Whether it has a thread of its own, since what it waits for (a store, a mail server, a long log) may keep it: no clock waits for that."""
    failures: int = 0
    due: float = field(default=0.0)
    """By the monotonic clock."""
    thread: threading.Thread | None = field(default=None)

    def look(self, desk: Desk) -> None:
        """Does it, or begins it in its thread, if it is time and it is not at it still."""
        if time.monotonic() < self.due or (self.thread is not None and self.thread.is_alive()):
            return
        if not self.apart:
            self._do(desk)
            return
        # Nobody waits for it at the end: what a transaction had not committed is as if it had not begun.
        self.thread = threading.Thread(target=self._do, args=(desk,), name=self.name, daemon=True)
        self.thread.start()

    def _do(self, desk: Desk) -> None:
        try:
            self.work(desk, desk.now())
            self.failures = 0
            self.due = time.monotonic() + self.every
        except Exception as error:  # whatever it is, the others go on
            self.failures += 1
            pause = min(LAST_SECONDS, AGAIN_SECONDS * 2 ** min(self.failures - 1, 10))
            self.due = time.monotonic() + pause
            _log.error("%s failed: %s; it is tried again in %g s", self.name, error, pause, exc_info=self.failures == 1)


def read_on(desk: Desk, now: int) -> None:
    """A piece of each import that waits, and another, for half a second: clocks have their turn between."""
    until = time.monotonic() + READ_SECONDS
    more = True
    while more and time.monotonic() < until:
        with desk.store.reading() as session:
            found = imports.waiting(session)
        for each in found:
            imports.go_on(desk, each, now, pieces=1)
        more = bool(found)


OTHERS = (
    ("publishing", "follow_log", 5.0, False),
    ("anchoring", "anchor", 5.0, False),
    ("compliance", "refresh", 5.0, True),
    ("error_reports", "carry", 2.0, True),
    ("evidence.sweeping", "sweep", 3600.0, True),
)
"""Functions of other parts that take (desk, now): module under authority.desk, name, seconds, whether apart. What the log has comes before what
clocks do."""


def tasks() -> list[Task]:
    """All of them, in their order."""
    found = []
    for module, name, every, apart in OTHERS:
        full = f"authority.desk.{module}"
        if importlib.util.find_spec(full) is not None:
            work = getattr(importlib.import_module(full), name, None)
            if work is not None:
                found.append(Task(f"{module}.{name}", every, work, apart))
    return [*found, Task("clocks", 1.0, clockwork.run), Task("mail", 1.0, mail.send_due, apart=True), Task("imports", 0.2, read_on)]


def main() -> None:
    """Works until it is told to stop."""
    job: dict[str, Any] = json.loads(sys.stdin.readline())
    logs.to_stderr("worker")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    desk = Desk(DeskSettings.model_validate(job["settings"]), Path(job["base"]))
    try:
        run(desk, tasks(), lambda seconds: bool(select.select([sys.stdin], [], [], seconds)[0]))
    finally:
        desk.close()


def run(desk: Desk, work: list[Task], stopped: Callable[[float], bool]) -> None:
    """Each task in its turn, until `stopped`, which waits so many seconds at most, says so."""
    pause = 0.0
    while not stopped(pause):
        for task in work:
            task.look(desk)
        pause = max(SHORTEST, min(task.due for task in work) - time.monotonic())


if __name__ == "__main__":
    main()
