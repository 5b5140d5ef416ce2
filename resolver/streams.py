"""One TCP connection to an upstream, opened when a truncated answer needs it, shared by all questions, closed when idle (RFC 7766)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from resolver import knots
from resolver.ports import Dice

IDLE_SECONDS = 5.0
CONNECT_SECONDS = 3.0
"""A connection not made by then never will be in time: longer than any lookup lives."""
ANSWER_SECONDS = 5.0
"""A question not answered by then is given up, and the connection with it if nothing came by it since."""
MOST_WAITING = 1000
"""Questions open on the connection; one more fails at once."""
TOLD_AT_ONCE = 50
"""Attempts told of a lost connection before the event loop may do something else: each is likely to be asked of another server there and then."""


class Stream(asyncio.Protocol):
    """Sends questions to one server over TCP, pipelined, answers in any order.

    `received(data, attempt)` gets a message whose ID is the attempt's and says whether it answers it; `lost(attempt)` is told when the connection
    cannot be made, breaks, or is full.
    """

    def __init__(self, address: str, port: int, dice: Dice, received: Callable[[bytes, Any], bool], lost: Callable[[Any], None]) -> None:
        self._server = (address, port)
        self._dice = dice
        self._received = received
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._aborted: asyncio.Transport | None = None
        """The last connection, from our leaving it until the loop has let it go: always before another can be made."""
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: dict[int, tuple[Any, float]] = {}
        """By ID, in order of asking: the attempt, and when it was asked by the loop's clock."""
        self._heard_at = 0.0
        self._unsent: list[bytes] = []
        self._buffer = bytearray()
        self._idle: asyncio.TimerHandle | None = None

    def send(self, packet: bytes, attempt: Any) -> None:
        """Sends a packet, all but its ID; connects first if need be."""
        now = asyncio.get_running_loop().time()
        self._forget(now)
        if len(self._waiting) >= MOST_WAITING:
            self._lost(attempt)
            return
        identifier = self._dice.roll()
        while identifier in self._waiting:
            identifier = self._dice.roll()
        self._waiting[identifier] = (attempt, now)
        framed = (len(packet) + 2).to_bytes(2, "big") + identifier.to_bytes(2, "big") + packet
        if self._transport is not None:
            self._transport.write(framed)
        else:
            self._unsent.append(framed)
            if self._connecting is None:
                self._connecting = asyncio.get_running_loop().create_task(self._connect())
        self._wait_for_idleness()

    def _forget(self, now: float) -> None:
        """Gives up the oldest questions when their time is over, so that none holds a place for ever while others are asked and answered."""
        while self._waiting:
            identifier, (attempt, asked_at) = next(iter(self._waiting.items()))
            if now - asked_at < ANSWER_SECONDS:
                return
            if self._heard_at < asked_at:
                self._give_up()
                return
            del self._waiting[identifier]
            self._lost(attempt)

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().create_connection(lambda: self, *self._server)
        except OSError:  # TimeoutError is one
            self._fail_all()
        finally:
            if self._connecting is asyncio.current_task():
                self._connecting = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport
        self._buffer.clear()
        transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            end = 2 + (self._buffer[0] << 8 | self._buffer[1])
            if len(self._buffer) < end:
                return
            message = bytes(self._buffer[2:end])
            del self._buffer[:end]
            if len(message) < 12:
                continue
            identifier = message[0] << 8 | message[1]
            found = self._waiting.get(identifier)
            if found is not None and self._received(message, found[0]):
                self._heard_at = asyncio.get_running_loop().time()
                self._waiting.pop(identifier, None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._aborted is not None:  # we left it; whatever was asked since waits for the next connection
            knots.free(self._aborted)
            self._aborted = None
            return
        if self._transport is not None:
            knots.free(self._transport)
            self._transport = None
        self._fail_all()

    def _fail_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        self._unsent.clear()
        self._tell_lost(iter(waiting.values()))

    def _tell_lost(self, waiting: Iterator[tuple[Any, float]]) -> None:
        for told, (attempt, _) in enumerate(waiting, 1):
            self._lost(attempt)
            if told == TOLD_AT_ONCE:
                asyncio.get_running_loop().call_soon(self._tell_lost, waiting)
                return

    def _wait_for_idleness(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        """Nothing was asked for a while: what still waits is past hope. Told here too, because a connection that was never made is never lost."""
        self.close()
        self._fail_all()

    def close(self) -> None:
        """Closes the connection at once; what still waits on it is not told."""
        if self._idle is not None:
            self._idle.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._transport is not None:
            self._transport.abort()  # not close(), which waits for a peer that may never read
            self._aborted, self._transport = self._transport, None
