"""Has the list written upon a new base when a child says that it is due: one process at a time, at idle priority, that nobody waits for.

What it fails at is tried again when it is said again, and not before a minute has passed: the list in force is none the worse for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from redhand.children import Child, once

RETRY_SECONDS = 60.0
"""Pause after one that failed."""


@dataclass(slots=True)
class Compacting:
    """`builder` gives what gives the job of a build as of now, which is a compaction's as well; None where no list is built."""

    builder: Callable[[], Callable[[], Child] | None]
    say: Callable[[str], None]
    _due: asyncio.Event = field(default_factory=asyncio.Event)

    def heard(self, message: dict[str, Any]) -> None:
        """What a builder or the feed's client said."""
        if message.get("swollen") is True:
            self._due.set()

    async def run(self) -> None:
        """For ever; the process ends with it."""
        while True:
            await self._due.wait()
            self._due.clear()
            build = self.builder()
            if build is None:
                continue
            child = replace(build(), name="compaction", command=("blocklists.compaction",))
            try:
                result, end = await once(child, self.say)
            except OSError as error:
                result, end = None, f"could not be started: {error}"
            if result is None or not result.get("ok"):
                self.say(f"block list not compacted, which costs later changes some milliseconds: {(result or {}).get('error') or end}")
                await asyncio.sleep(RETRY_SECONDS)
            elif result["changed"]:
                self.say(f"block list: version {result['serial']} says the same upon a new base, written in {result['seconds']:.1f} s")
