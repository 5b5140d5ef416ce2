"""A worker before it has anything to serve: loaded, with the list opened, waiting at its channel for a job.

Once told where the state is (`prepare`), it gives up its rights and keeps the version in force open, read at the lowest priority and so that its job
finds it ready to answer.
"""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blocklists import confine, logs, readers
from blocklists.errors import RedHandError
from blocklists.follower import Follower
from blocklists.store import Version
from resolver import channel
from resolver.gentle import step_back

log = logging.getLogger("resolver")

LOOK_MILLISECONDS = 500
"""How often a waiting worker looks whether another version is current."""
REST_SECONDS = 0.001
"""Pause after each 64 KiB that are read while nobody waits for them."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the supervisor gives a worker to serve with."""

    job: dict[str, Any]
    board: int
    sockets: list[socket.socket]
    """In the order of the job's "sockets"."""


def ignore(message: dict[str, Any], files: list[int]) -> None:
    """For what the supervisor says and this worker does not know."""
    for file in files:
        os.close(file)
    log.warning("the supervisor said %r, which this worker does not know", message.get("do"))


class _NotNeeded(Exception):
    """Ends the reading of a version that is not waited for any more."""


class Standby:
    """Waits at `end`. `wait` is to be called once."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._confined = False
        self._follower: Follower | None = None
        self._version: Version | None = None
        self._reading: Future[Version] | None = None
        self._hurry = False
        self._slow: ThreadPoolExecutor | None = None

    def wait(self) -> Given | None:
        """What to serve, once the supervisor says so; None when it has gone or needs this worker no more."""
        poll = select.poll()
        poll.register(self._end, select.POLLIN)
        try:
            while True:
                if not poll.poll(LOOK_MILLISECONDS if self._follower else None):
                    self._look()
                    continue
                if (heard := channel.receive(self._end)) is None:
                    return None
                message, files = heard
                if message.get("do") == "serve":
                    return self._given(message, files)
                if message.get("do") == "prepare":
                    logs.to_stderr("standby", message.get("logs", "text"))
                    self._prepare(Path(message["state_dir"]), message["confined"] is True)
                else:
                    ignore(message, files)
        finally:
            self._hurry = True
            if self._slow is not None:
                self._slow.shutdown()

    def _given(self, message: dict[str, Any], files: list[int]) -> Given | None:
        job, board, *sockets = files
        while len(sockets) < message["sockets"]:  # more than the kernel passes with one message
            if (heard := channel.receive(self._end)) is None:
                return None
            sockets += heard[1]
        with open(job, "rb") as text:
            return Given(json.load(text), board, [socket.socket(fileno=each) for each in sockets])

    def _prepare(self, state_dir: Path, confined: bool) -> None:
        self._confine(state_dir, confined)
        self._follower = Follower(state_dir)
        self._slow = ThreadPoolExecutor(1, "ahead-of-the-job", step_back)
        self._look()

    def _confine(self, state_dir: Path, confined: bool) -> None:
        if confined and not self._confined:
            confine.confine([readers.prepare(state_dir)])
            self._confined = True

    def _look(self) -> None:
        """Has the version in force opened beside, if another one is held."""
        follower, slow = self._follower, self._slow
        assert follower is not None  # noqa: S101 - for the type checker: `_prepare` made both
        assert slow is not None  # noqa: S101
        if self._reading is not None:
            if not self._reading.done():
                return
            with suppress(RedHandError, OSError):  # whoever serves says so; and if this one must, it tries again first
                self._version = self._reading.result()
            self._reading = None
        if follower.changed():
            self._reading = slow.submit(follower.load, self._rest)

    def _rest(self) -> None:
        if self._hurry:
            raise _NotNeeded
        time.sleep(REST_SECONDS)

    def version(self, job: dict[str, Any]) -> tuple[Follower, Version]:
        """The version in force now, opened ahead if there was time, and who follows it. Raises StoreError. To be called after `wait`."""
        state_dir = Path(job["state_dir"])
        self._confine(state_dir, job.get("confined") is True)
        follower = self._follower or Follower(state_dir)
        if self._reading is not None and self._reading.done() and not self._reading.exception():
            self._version = self._reading.result()
        if self._version is None or follower.changed():
            self._version = follower.load()
        return follower, self._version
