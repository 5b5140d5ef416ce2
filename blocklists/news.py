"""Wakes an event loop when another version became current."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from blocklists.inotify import Arrivals

CURRENT = "current"
"""The file of the state directory that is replaced then."""


class News:
    """Of one state directory, whose `arrivals` they are; made and used in the loop that is to be woken. To be closed."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._came = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if arrivals.descriptor >= 0:
            self._loop.add_reader(arrivals.descriptor, self._hear)

    def forget(self) -> None:
        """What came by now is looked at next."""
        self._came.clear()

    async def wait(self, seconds: float) -> None:
        """Until another version came since `forget`, but for no longer: not every file system tells."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._came.wait(), seconds)

    def close(self) -> None:
        """Hears no more."""
        if self._arrivals.descriptor >= 0:
            self._loop.remove_reader(self._arrivals.descriptor)
        self._arrivals.close()

    def _hear(self) -> None:
        if CURRENT in self._arrivals.names():
            self._came.set()
