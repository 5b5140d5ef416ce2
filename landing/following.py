"""Follows the version in force for the page: each new one is read whole, said on disk to be in force here, then given to whoever answers from it.

With it comes the policy by which its orders were judged (`landing.ground`). A version that cannot be opened leaves the last one in force, with an
alarm. Nothing here answers a visitor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from blocklists import readers, store, suffixes
from blocklists.agreed import Timekeeper
from blocklists.alarms import Alarms
from blocklists.errors import REBUILD, DiskError, RedHandError
from blocklists.follower import Follower
from blocklists.inotify import Arrivals
from blocklists.news import News
from landing import ground
from landing.ground import Ground

LOOK_SECONDS = 0.25
"""How often the store is asked, by one stat, whether another version is current, though nothing was heard of one: not every file system tells."""

RETRY_SECONDS = 1.0
"""Pause after a version that could not be opened: reading a large one whole costs too much to try it as often as one looks."""

READER = "landing"

_log = logging.getLogger("redhand.landing")


class Following:
    """One process's following of the versions in `state_dir`. `put_in_force` takes each; `time` is watched for the operator's alarm."""

    def __init__(self, state_dir: Path, time: Timekeeper, alarms: Alarms, put_in_force: Callable[[store.Version, Ground | None], None]) -> None:
        self._state_dir = state_dir
        self._time = time
        self._alarms = alarms
        self._put_in_force = put_in_force
        self._follower = Follower(state_dir)
        self._version: store.Version | None = None
        self._ground: Ground | None = None
        self._published: int | None = None
        self._looked = asyncio.Event()

    async def first_look(self, seconds: float) -> None:
        """Waits until `run` has looked once, but for no longer: a visitor who comes first is to see the page."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._looked.wait(), seconds)

    async def run(self) -> None:
        """Puts each new current version in force, for ever."""
        failed = ""
        with contextlib.closing(News(await asyncio.to_thread(Arrivals, self._state_dir))) as news:
            while True:
                news.forget()
                pause = LOOK_SECONDS
                try:
                    if await asyncio.to_thread(self._follower.changed):
                        version = await asyncio.to_thread(self._load)
                        await self._publish(version)  # before a visitor can see it, so that who waits for the list everywhere need not look twice
                        self._version = version
                        self._put_in_force(version, self._ground)
                    elif self._version is not None and ground.is_due(self._version, before := self._ground):
                        self._ground = await asyncio.to_thread(ground.load, self._state_dir, self._version, before)
                        if self._ground is not before:
                            self._put_in_force(self._version, self._ground)
                    failed = ""
                    self._alarms.clear("list unreadable")
                except (RedHandError, OSError) as error:
                    if str(error) != failed:
                        _log.warning("the landing page keeps the version it has: %s", error)
                        failed = str(error)
                        self._alarms.sound("list unreadable", f"the landing page keeps the version it has: {error}", REBUILD)
                    pause = RETRY_SECONDS
                if not await self._publish(self._version):
                    pause = RETRY_SECONDS
                self._time.watch(self._alarms)
                self._alarms.retell()
                self._looked.set()
                await news.wait(pause)

    def withdraw(self) -> None:
        """Says on disk that nothing is in force here any more; a disk that refuses is left alone."""
        with contextlib.suppress(OSError):
            readers.withdraw(self._state_dir, READER)

    def _load(self) -> store.Version:
        version = self._follower.load()
        # The texts of orders are otherwise verified when they are first read, which would be while a visitor waits.
        version.verify()
        self._ground = ground.load(self._state_dir, version, self._ground)
        suffixes.load()  # as the first page of an order would
        return version

    async def _publish(self, version: store.Version | None) -> bool:
        """Says on disk that this version is in force here, if that is not said yet; False when the disk refuses, which stops nothing else."""
        if version is None or version.serial == self._published:
            return True
        try:
            await asyncio.to_thread(readers.publish, self._state_dir, READER, version.serial)
        except DiskError as error:
            self._alarms.sound("disk readers", error.what, error.remedy)
            return False
        self._published = version.serial
        self._alarms.clear("disk readers")
        return True
