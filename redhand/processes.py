"""One process: heard line by line, told what to do, and its end noticed the moment it comes.

What it says goes up its standard output, one JSON object a line; what it is told while it runs goes down a channel, if it has one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Sequence
from signal import Signals
from typing import Any

from redhand.launch import Started
from resolver import channel

LINE_LIMIT = 1 << 20

LAST_WORDS = 1.0
"""Seconds that what a dead process had printed is waited for: longer only if something it started still holds its output."""

Say = Callable[[str], None]
Hear = Callable[[str, dict[str, Any]], None]
"""Takes a process's name and what it said."""


class Life:
    """One process from its start to its end. Must be made inside the running loop. Raises OSError, and ends it, when it cannot be watched."""

    def __init__(self, name: str, started: Started, say: Say, hear: Hear) -> None:
        self.name = name
        self.pid = started.process.pid
        self.warm = asyncio.Event()
        """Set when it said that it waits for a job."""
        self.hurries = started.hurries
        self.board: int | None = None
        """Memory it writes its figures to; open until it has ended."""
        self.prepared = False
        """Whether it was told where the state is."""
        self.ready = asyncio.Event()
        self.ready_at = 0.0
        """When it became ready, in monotonic seconds; 0: never."""
        self.announced: dict[str, Any] = {}
        """What it said when it became ready."""
        self.ended = asyncio.Event()
        self.how = ""
        """How it ended."""
        self._say = say
        self._hear = hear
        self._process = started.process
        self._end = started.end
        self._when_ended: list[Callable[[], None]] = []
        self._gone = self._descriptor()
        self._task = asyncio.create_task(self._watch())

    def _descriptor(self) -> int:
        """Becomes readable the moment it ends (pidfd_open(2))."""
        try:
            return os.pidfd_open(self.pid)
        except OSError:  # too many files are open
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            if self._end is not None:
                self._end.close()
            raise

    async def _watch(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - asked for in launch()
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(LINE_LIMIT)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), self._process.stdout)
        listening = asyncio.create_task(self._listen(reader))
        try:
            code = await self._exit()
            await asyncio.wait((listening,), timeout=LAST_WORDS)
        finally:
            listening.cancel()
            transport.close()
            if self._end is not None:
                self._end.close()
        self.how = how(code)
        self.ended.set()
        for tell in self._when_ended:
            tell()

    async def _exit(self) -> int:
        """Its exit code, as soon as it has ended."""
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(self._gone, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self._gone)
            os.close(self._gone)
        return self._process.wait()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                self._say(f"{self.name} printed a line longer than {LINE_LIMIT} bytes; it was dropped")
                continue
            if not line:
                return
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                message = None
            if isinstance(message, dict):
                self._heard(message)
            elif line.strip():
                self._say(f"{self.name}: {line.decode(errors='backslashreplace').rstrip()}")

    def _heard(self, message: dict[str, Any]) -> None:
        if message.get("warm") is True:
            self.warm.set()
        if message.get("ready") is True and not self.ready_at:
            self.ready_at = time.monotonic()
            self.announced = message
            self.ready.set()
        self._hear(self.name, message)

    def serve(self, name: str, job: dict[str, Any], board: int | None, sockets: Sequence[int], hear: Hear) -> bool:
        """Give a job to one that waits for it; False when it is gone or deaf."""
        self.name, self._hear = name, hear
        held = channel.MOST_FILES - 2
        first, rest = list(sockets[:held]), list(sockets[held:])
        with open(channel.in_memory(json.dumps(job).encode(), "job"), "rb") as text, open(os.memfd_create("board"), "rb") as none:
            given = [text.fileno(), none.fileno() if board is None else board, *first]
            more = [rest[start : start + channel.MOST_FILES] for start in range(0, len(rest), channel.MOST_FILES)]
            return self.tell({"do": "serve", "sockets": len(sockets)}, given) and all(self.tell({"do": "more"}, part) for part in more)

    def tell(self, message: dict[str, Any], files: Sequence[int] = ()) -> bool:
        """Say something to it; whether it went out."""
        return self._end is not None and not self.ended.is_set() and channel.send(self._end, message, files)

    def when_ended(self, tell: Callable[[], None]) -> None:
        """Have something done once it has ended."""
        self._when_ended.append(tell)

    async def first_of(self, event: asyncio.Event, seconds: float | None = None) -> bool:
        """Wait for the event or the process's end; False when neither came in time."""
        waits = [asyncio.ensure_future(each.wait()) for each in (event, self.ended)]
        try:
            done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        return bool(done)

    def signal(self, number: Signals) -> None:
        """Send it a signal, if it runs."""
        if not self.ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def how(code: int) -> str:
    """`exit code 3`, or `killed by SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
