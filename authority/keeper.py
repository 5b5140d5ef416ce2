"""The process that publishes while the server runs: `python -m authority.keeper`, started by `authority.serve`.

It keeps what is published fresh, puts receipts into the log, and publishes what `redhand authority publish` hands over. One line of JSON comes on
standard input, `{"directory": "…", "socket": 5}`; its end, or SIGTERM, stops it. It speaks to the directory's owner alone, and may write to that
directory alone. What fails is tried again: the roles have half their time left when it begins.

The log is read when it starts, a piece at a time, so that later every order is judged at once; what lifts, and what the policy's limits have room
for, does not wait for that.
"""

from __future__ import annotations

import json
import logging
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from authority import batches, handover
from authority.handover import Request
from authority.places import Places
from authority.publisher import Publisher
from blocklists import confine, logs
from blocklists.errors import RedHandError
from blocklists.log.tree import Tree

LOOK_SECONDS = 5.0
AGAIN_SECONDS = 60.0
"""After a failure."""
PIECE = 64
"""Entries judged between two looks at who wants something: about 0.02 s of a processor, which other work may make several times as long."""
WORD_SECONDS = 1.0
"""Between two words to who waits for that."""
RECEIPTS_SECONDS = 3600
"""How long a receipt may wait for its entry in the log, if nothing else is published."""
_log = logging.getLogger("authority")


class Keeper:
    """Publishes when it is time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._publisher: Publisher | None = None
        self._waiting_since: int | None = None
        self._requests: list[Request] = []
        self._said = float("-inf")

    def take(self, request: Request) -> None:
        """Will publish what somebody handed over."""
        self._requests.append(request)

    def work(self, now: int) -> bool:
        """Publishes what can be at `now` (unix seconds), and judges a piece of the log; whether some is left to judge. Raises RedHandError."""
        publisher = self._publisher = self._publisher or Publisher(self._directory)
        waiting, self._requests = self._requests, []
        for request in waiting:
            try:
                if publisher.unread(request.packets, now) <= PIECE:
                    self._publish(publisher, request, now)
                    continue
            except RedHandError as error:
                request.refused(str(error))
                continue
            self._requests.append(request)
        left = publisher.unread()
        if left:
            publisher.read_on(PIECE)
        if self._requests and time.monotonic() - self._said >= WORD_SECONDS:
            self._said = time.monotonic()
            for request in self._requests:
                request.wait(left)
        return left > PIECE or bool(self._requests)

    def _publish(self, publisher: Publisher, request: Request, now: int) -> None:
        done = publisher.publish(request.packets, now)
        request.published(done)
        for order in done.orders:
            _log.info("published %s: entry %d", order.id, order.index)

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
    with socket.socket(fileno=job["socket"]) as listening:
        _run(keeper, listening)


def _run(keeper: Keeper, listening: socket.socket) -> None:
    listening.setblocking(False)
    look_at = work_at = time.monotonic()
    while True:
        found = select.select([sys.stdin, listening], [], [], max(0.0, min(look_at, work_at) - time.monotonic()))[0]
        if sys.stdin in found:
            return
        if listening in found and (request := handover.accept(listening)) is not None:
            keeper.take(request)
            work_at = time.monotonic()
        if time.monotonic() >= work_at:  # what somebody waits for comes first
            work_at = time.monotonic() + _after(keeper.work, 0.0)
        if time.monotonic() >= look_at:
            look_at = time.monotonic() + _after(keeper.look, LOOK_SECONDS)


def _after(task: Callable[[int], bool], done: float) -> float:
    """Seconds until it is its turn again: `done` when it did something, and longer when it failed, whatever becomes of the other."""
    try:
        return done if task(int(time.time())) else LOOK_SECONDS
    except (RedHandError, OSError) as error:
        _log.error("what is published cannot be kept fresh: %s; it is tried again in %g s", error, AGAIN_SECONDS)
        return AGAIN_SECONDS


if __name__ == "__main__":
    main()
