"""Connections to one endpoint, opened when they are needed and shared by the questions that wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, time_ns
from typing import Protocol

from porosity.transports.mux import Pending, Table, Try, failure_of, nothing_sent
from porosity.words import Failure

CONNECTIONS = 2
"""At most to one endpoint: what one stub or browser opens (RFC 7766, section 6.2.2)."""
PIPELINED = 100
"""Questions under way on one connection, at most; what HTTP/2 servers commonly allow (RFC 9113, section 6.5.2)."""


SILENCE = 10
"""Questions in a row without an answer, after which nothing new is sent on a connection: the other side may have forgotten it."""


class Unfit(Exception):
    """The other side was reached and does not speak what was asked of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure: Failure = failure


class Connection(Protocol):
    """One connection, open or ended."""

    table: Table
    open: bool

    def room(self, size: int) -> bool:
        """Whether a message of so many octets may go out on it now."""
        ...

    def send(self, wire: bytes, seconds: float) -> Pending:
        """Sends a message for which there is room."""
        ...

    def retire(self) -> None:
        """Ends it as soon as nothing is under way on it; nothing new is sent meanwhile."""
        ...

    async def close(self) -> None:
        """Ends it, and what is under way on it."""
        ...


class Pool:
    """A way of connections. `connect` opens one, or raises Unfit or an OSError."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._connections: list[Connection] = []
        self._opening: asyncio.Task[None] | None = None
        self._freed = asyncio.Event()

    async def ask(self, wire: bytes, seconds: float) -> Try:
        """Sends it on a connection that has room, opening one if there is none, all in `seconds`; `took` of an answer leaves out the opening."""
        began, sent_at = monotonic(), time_ns() // 1000
        try:
            async with asyncio.timeout(seconds):
                connection = await self._with_room(len(wire), seconds)
        except (OSError, Unfit) as error:
            failure = error.failure if isinstance(error, Unfit) else failure_of(error)
            return nothing_sent(failure, sent_at, round((monotonic() - began) * 1_000_000))
        try:
            return await connection.send(wire, seconds - (monotonic() - began)).answered
        finally:
            if connection.table.silent >= SILENCE:
                connection.retire()
            self._freed.set()
            self._freed.clear()

    async def close(self) -> None:
        """Ends every connection."""
        if self._opening is not None:
            self._opening.cancel()
        for connection in self._connections:
            await connection.close()

    async def _with_room(self, size: int, seconds: float) -> Connection:
        while True:
            self._connections = [each for each in self._connections if each.open]
            fit = [each for each in self._connections if each.room(size)]
            if fit:
                return min(fit, key=lambda each: len(each.table))
            # One that will never have room again has ended itself, when asked.
            self._connections = [each for each in self._connections if each.open]
            if len(self._connections) >= CONNECTIONS:
                await self._freed.wait()
                continue
            if self._opening is None:
                self._opening = asyncio.create_task(self._open(seconds))
                self._opening.add_done_callback(self._opened)
            await asyncio.shield(self._opening)

    async def _open(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                connection = await self._connect()
            self._connections.append(connection)
        finally:
            # Here, not when the task is seen to be done: whoever comes between would wait for what is done, which waits for nothing.
            self._opening = None

    def _opened(self, task: asyncio.Task[None]) -> None:
        if self._opening is task:
            self._opening = None
        if not task.cancelled():
            task.exception()  # whoever waits is told; when nobody does any more, nobody need be
