"""Keeps a worker at the version in force, and says on disk which one it has: all of it beside the loop, none of it needed to answer.

A disk may refuse, or hang. Then the version in force stays, an alarm says so by name, and the next try is made by itself:

    disk readers       which version is in force here could not be written down
    disk hangs         the disk has not answered for some seconds
    list unreadable    the version that is current cannot be opened; the one before serves on
    list stands in     an older version serves, because the current one is damaged
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from functools import partial
from typing import Any

from blocklists import readers
from blocklists.alarms import Alarms
from blocklists.errors import REBUILD, DiskError, RedHandError
from blocklists.follower import Follower
from blocklists.inotify import Arrivals
from blocklists.news import News
from blocklists.store import Version

LOOK_SECONDS = 0.2
"""How often a worker looks whether another version is current, by one stat, though nothing was heard of one: not every file system tells."""
RETRY_SECONDS = 0.7
"""The same after a version could not be opened: opening reads all of its index."""
REST_SECONDS = 0.001
"""Pause of the thread that opens a version after each 64 KiB, so that it never uses up a turn on the core it may share with the loop."""
HANGS_SECONDS = 5.0
"""How long the disk may take for one thing before that is a fault; a million names are opened in a tenth of it."""

Beside = Callable[..., Awaitable[Any]]

log = logging.getLogger("resolver")


class Following:
    """`follower` has loaded `version`; `switch` puts a version in force; `beside` runs what asks the disk in a thread and waits for it."""

    def __init__(self, follower: Follower, name: str, version: Version, switch: Callable[[Version], None], beside: Beside, alarms: Alarms) -> None:
        self._follower = follower
        self._state_dir = follower.state_dir
        self._name = name
        self._serial = version.serial
        self._switch = switch
        self._beside = beside
        self._alarms = alarms
        self._published: int | None = None
        self._asked: float | None = None
        self._unread = False
        self._looked = asyncio.Event()
        self._stands_in(version)

    async def first_look(self, seconds: float) -> None:
        """Waits until the first look of `follow` is over, but for no longer."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._looked.wait(), seconds)

    async def follow(self) -> None:
        """For ever: puts each new version in force as soon as it is current, and writes down which one is."""
        with closing(News(await self._ask(Arrivals, self._state_dir))) as news:
            while True:
                news.forget()
                await self.look()
                self._looked.set()
                await news.wait(RETRY_SECONDS if self._unread or self._published != self._serial else LOOK_SECONDS)

    async def look(self) -> None:
        """One look, and what follows from it."""
        if await self._ask(self._follower.changed):
            await self._load()
        if self._published != self._serial:
            await self._publish()

    def watch(self) -> None:
        """Notices that the disk hangs: to be called a few times a second, by a loop that does not wait for it."""
        if self._asked is not None and time.monotonic() - self._asked > HANGS_SECONDS:
            self._alarms.sound(
                "disk hangs",
                f"the disk of {self._state_dir} has not answered {self._name} for {HANGS_SECONDS:g} s; version {self._serial} stays in force",
                "see the kernel's messages (dmesg) and the disk's load; it is asked again by itself",
            )
        elif self._asked is None:
            self._alarms.clear("disk hangs")

    async def _ask(self, work: Callable[..., Any], *arguments: object) -> Any:
        self._asked = time.monotonic()
        try:
            return await self._beside(work, *arguments)
        finally:
            self._asked = None

    async def _load(self) -> None:
        try:
            version = await self._ask(self._follower.load, partial(time.sleep, REST_SECONDS))
        except (RedHandError, OSError) as error:
            if not self._unread:
                log.error("version %d stays in force: %s", self._serial, error)
            self._unread = True
            self._alarms.sound("list unreadable", f"version {self._serial} stays in force: {error}", REBUILD)
            return
        self._unread = False
        self._alarms.clear("list unreadable")
        self._stands_in(version)
        if version.serial != self._serial:
            self._switch(version)
            self._serial = version.serial

    def _stands_in(self, version: Version) -> None:
        if version.notice:
            self._alarms.sound("list stands in", version.notice, REBUILD)
        else:
            self._alarms.clear("list stands in")

    async def _publish(self) -> None:
        serial = self._serial
        try:
            await self._ask(readers.publish, self._state_dir, self._name, serial)
        except DiskError as error:
            self._alarms.sound("disk readers", error.what, error.remedy)
        except (RedHandError, OSError) as error:
            self._alarms.sound("disk readers", str(error), "see the system's own logs")
        else:
            self._published = serial
            self._alarms.clear("disk readers")
