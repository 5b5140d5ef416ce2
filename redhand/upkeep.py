"""What the supervisor writes to disk, written beside its loop: the status file, and the time it agrees on.

A supervisor that waited for a disk could not replace a worker that died meanwhile. So a thread of its own writes, the newest report only; what the
disk refuses is an alarm, tried again every second, and the alarm ends when it has gone through. A disk that hangs holds up this thread alone.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blocklists import agreed
from blocklists.agreed import Timekeeper
from blocklists.alarms import Alarms
from blocklists.errors import DiskError
from redhand import status

TEND_SECONDS = 0.5
"""How often the clock, and whether the disk hangs, are looked at."""
RETRY_SECONDS = 1.0
FLOOR_SECONDS = 60.0
"""How often the agreed time is written."""
HANGS_SECONDS = 5.0
CLOSE_SECONDS = 1.0
"""How long the end waits for the last words to be written."""


class Upkeep:
    """Made in the running loop. `floor`: whether the agreed time is ours to write."""

    def __init__(self, state_dir: Path, name: str, alarms: Alarms, clock: Timekeeper, floor: bool) -> None:
        self._state_dir = state_dir
        self._name = name
        self._alarms = alarms
        self._clock = clock
        self._floor = floor
        self._loop = asyncio.get_running_loop()
        self._news = threading.Condition()
        self._report: dict[str, Any] | None = None
        self._record: bytes | None = None
        self._busy_since: float | None = None
        self._closing = False
        self._next_floor = 0.0
        self._thread = threading.Thread(target=self._write, name="upkeep", daemon=True)
        self._thread.start()

    def note(self, report: dict[str, Any]) -> None:
        """Has the report written soon; a later one takes its place if that comes first."""
        with self._news:
            self._report = report
            self._news.notify()

    async def tend(self) -> None:
        """Looks after the clock and the thread, for ever."""
        while True:
            self._clock.watch(self._alarms)
            now = time.monotonic()
            if self._floor and now >= self._next_floor:
                self._next_floor = now + FLOOR_SECONDS
                with self._news:
                    self._record = self._clock.record()
                    self._news.notify()
            busy = self._busy_since
            if busy is not None and now - busy > HANGS_SECONDS:
                self._alarms.sound(
                    "disk hangs",
                    f"the disk of {self._state_dir} has not answered the supervisor for {HANGS_SECONDS:g} s; what serves, serves on",
                    "see the kernel's messages (dmesg) and the disk's load; it is asked again by itself",
                )
            elif busy is None:
                self._alarms.clear("disk hangs")
            self._alarms.retell()
            await asyncio.sleep(TEND_SECONDS)

    async def settled(self, seconds: float = CLOSE_SECONDS) -> None:
        """Waits until all that was noted is written, but for no longer."""
        end = time.monotonic() + seconds
        while self._pending() and time.monotonic() < end:
            await asyncio.sleep(0.005)

    def close(self) -> None:
        """Writes the last report, and the time as a floor for the next start; gives up on a disk that does not answer."""
        with self._news:
            if self._floor:
                self._record = self._clock.record(final=True)
            self._closing = True
            self._news.notify()
        self._thread.join(CLOSE_SECONDS)

    def _pending(self) -> bool:
        with self._news:
            return self._report is not None or self._record is not None or self._busy_since is not None

    def _write(self) -> None:
        while True:
            with self._news:
                while self._report is None and self._record is None:
                    if self._closing:
                        return
                    self._news.wait()
                report, self._report = self._report, None
                record, self._record = self._record, None
                self._busy_since = time.monotonic()
            report = self._try("disk status", report, lambda found: status.write(self._state_dir, self._name, found))
            record = self._try("disk floor", record, lambda found: agreed.keep(self._state_dir, found))
            with self._news:
                self._busy_since = None
                self._report = self._report or report
                self._record = self._record or record
                if report is not None or record is not None:
                    if self._closing:
                        return
                    self._news.wait_for(lambda: self._closing, RETRY_SECONDS)

    def _try(self, alarm: str, content: Any, write: Callable[[Any], None]) -> Any:
        """The content again if the disk refused it, else None."""
        if content is None:
            return None
        try:
            write(content)
        except DiskError as error:
            self._tell(self._alarms.sound, alarm, error.what, error.remedy)
            return content
        self._tell(self._alarms.clear, alarm)
        return None

    def _tell(self, act: Callable[..., None], *words: str) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act, *words)
