"""The hub of push hints: server-sent events (the HTML standard, section 9.2), one to every subscriber as soon as something was published.

Whoever published it, this process or another, replaced timestamp.json last: the hub looks at that file. An event's data is the size of the log then;
it means "look now" and nothing else. A subscriber that has not taken the last event gets the next in its place, and one that takes none is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blocklists.errors import BadDocument
from blocklists.log.note import parse_note

LOOK_SECONDS = 0.02
KEEP_ALIVE_SECONDS = 15.0
"""Between comments, which keep connections open and tell subscribers that they are (the HTML standard, section 9.2.7)."""
SLOW_SECONDS = 10.0
"""How long a subscriber may take nothing."""
MOST_SUBSCRIBERS = 4096

COMMENT = b":\n\n"
_log = logging.getLogger("authority")

Receive = Callable[[], Any]
Send = Callable[[Any], Any]


class _Subscriber:
    __slots__ = ("due", "gone", "wake")

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.due = b""
        self.gone = False


class Hub:
    """All subscribers of one authority."""

    def __init__(self, public: Path, most: int = MOST_SUBSCRIBERS, slow_seconds: float = SLOW_SECONDS) -> None:
        self._timestamp = public / "metadata" / "timestamp.json"
        self._checkpoint = public / "log" / "checkpoint"
        self._most = most
        self._slow_seconds = slow_seconds
        self._subscribers: set[_Subscriber] = set()
        self._seen = self._stamp()

    @property
    def subscribers(self) -> int:
        """How many there are."""
        return len(self._subscribers)

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return len(self._subscribers) >= self._most

    async def watch(self) -> None:
        """Tells of each publication, for ever."""
        loop = asyncio.get_running_loop()
        quiet_until = loop.time() + KEEP_ALIVE_SECONDS
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            seen = self._stamp()
            if seen != self._seen:
                self._seen = seen
                if seen is not None:
                    self.tell(self._size())
                    quiet_until = loop.time() + KEEP_ALIVE_SECONDS
            if loop.time() >= quiet_until:
                self._send(COMMENT)
                quiet_until = loop.time() + KEEP_ALIVE_SECONDS

    def tell(self, size: int) -> None:
        """Hints to all that the log has so many entries."""
        self._send(b"data: %d\n\n" % size)

    async def subscribe(self, receive: Receive, send: Send, abort: Callable[[], None]) -> None:
        """Sends events, after the head of the answer was sent, until the subscriber leaves or is dropped."""
        mine = _Subscriber()
        self._subscribers.add(mine)
        watching = asyncio.create_task(_until_gone(receive, mine))
        try:
            await send({"type": "http.response.body", "body": COMMENT, "more_body": True})
            while True:
                await mine.wake.wait()
                mine.wake.clear()
                if mine.gone:
                    return
                data, mine.due = mine.due, b""
                async with asyncio.timeout(self._slow_seconds):
                    await send({"type": "http.response.body", "body": data, "more_body": True})
        except TimeoutError:
            abort()
        finally:
            self._subscribers.discard(mine)
            watching.cancel()

    def _send(self, data: bytes) -> None:
        for each in self._subscribers:
            if data != COMMENT or not each.due:
                each.due = data
            each.wake.set()

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._timestamp)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _size(self) -> int:
        try:
            return parse_note(self._checkpoint.read_bytes())[0].size
        except (OSError, BadDocument) as error:
            _log.error("a hint is sent without the size of the log: %s", error)
            return 0


async def _until_gone(receive: Receive, mine: _Subscriber) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    mine.gone = True
    mine.wake.set()
