"""Push hints: a mirror's server-sent events, of which any means "look now", and none is believed.

A hint carries nothing into the list: the look that it causes verifies everything as a poll does. Lost, doubled, out of order or forged, it costs at
most one look, and looks that hints cause in vain are never less than a second apart, however many come. One thread a mirror; it reads slowly enough
that a flood meets a full pipe, not our memory or processor.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress

from blocklists.errors import FeedError
from blocklists.feed.fetch import Client

APART_SECONDS = 1.0
"""Between a look that a hint caused in vain and the next that one causes."""
QUIET_SECONDS = 90.0
"""Without a word, not even a comment, the connection is taken for dead: hubs send one every 15 s or so (the HTML standard, section 9.2.7)."""
FIRST_SECONDS, LONGEST_SECONDS = 1.0, 60.0
"""Before connecting again; each time twice as long, less or more by a fifth, so that a hub that comes back is not met by all at once."""
REST_SECONDS = 0.05
"""Between two pieces read."""
_LINE = 4096
"""Octets of a line that are looked at."""


class Hints:
    """Hints of all mirrors. `wait` is for one thread."""

    def __init__(self) -> None:
        self._came = threading.Condition()
        self._hinted = ""
        self._last = 0.0
        self._seed = random.Random()  # noqa: S311 - nobody must not guess it
        self.connected: set[str] = set()
        """Mirrors that are listened to just now."""

    def listen(self, url: str) -> None:
        """Begins to listen to a mirror, for as long as the process lives."""
        threading.Thread(target=self._keep, args=(url,), name=f"hints {url}", daemon=True).start()

    def hint(self, url: str) -> None:
        """A hint came from there."""
        with self._came:
            self._hinted = url
            self._came.notify()

    def wait(self, seconds: float) -> str:
        """Who hinted; empty when nobody did within these seconds.

        Two calls that return a mirror do so APART_SECONDS from each other, unless `was_true` was said in between.
        """
        ends = time.monotonic() + seconds
        with self._came:
            while True:
                now = time.monotonic()
                due = self._last + APART_SECONDS
                if self._hinted and now >= due:
                    found, self._hinted, self._last = self._hinted, "", now
                    return found
                if now >= ends:
                    return ""
                self._came.wait(max(0.0, (min(ends, due) if self._hinted else ends) - now))

    def was_true(self) -> None:
        """The look that the last hint caused found something newly signed, which nobody forges: the next hint waits for nothing."""
        with self._came:
            self._last = 0.0

    def _keep(self, url: str) -> None:
        pause = FIRST_SECONDS
        while True:
            began = time.monotonic()
            with suppress(FeedError):
                self._read(url)
            self.connected.discard(url)
            pause = FIRST_SECONDS if time.monotonic() - began > LONGEST_SECONDS else min(LONGEST_SECONDS, pause * 2)
            time.sleep(pause * self._seed.uniform(0.8, 1.2))

    def _read(self, url: str) -> None:
        """Reads one connection to its end. Raises FeedError."""
        client = Client(silent=QUIET_SECONDS)
        line = bytearray()
        try:
            # What was missed while nobody listened is met by a look at the beginning.
            for piece in client.pieces(f"{url}hints", 1 << 50, seconds=86_400, accept="text/event-stream"):
                if url not in self.connected:
                    self.connected.add(url)
                    self.hint(url)
                hinted = False
                for part in piece.splitlines(keepends=True):
                    line += part[: _LINE - len(line)]
                    if part.endswith((b"\n", b"\r")):
                        hinted = hinted or line.startswith((b"data", b"event"))
                        line.clear()
                if hinted:
                    self.hint(url)
                time.sleep(REST_SECONDS)
        finally:
            client.close()
