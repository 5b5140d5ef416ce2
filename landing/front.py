"""The landing's own HTTP/1 server: reads heads (`landing.head`), asks the site, and sends octets (`landing.door`).

It never reads a body: a small one is skipped; before a longer one, or one whose end is unknown, the answer is sent, then our side of the connection
is closed, so that the answer is not lost in the reset that unread octets would cause (RFC 9112 section 9.6), and what comes is thrown away a while.
What strangers may hold is bounded: octets of one head and of all unfinished ones together, time to complete a request, silence between two, and
connections; when there are too many, the one that has been silent longest gives way to the newcomer. Nothing of a request is logged.

uvicorn keeps the process's life: start, lifespan, end. A request for the operator's own name goes over, with its connection, to uvicorn's protocol
and the application behind it.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate
from typing import TYPE_CHECKING

from blocklists.guarded import NEWBORN_SECONDS
from landing import faults, head, reply
from landing.door import Door, Line
from landing.head import BadHead, Head
from landing.reply import OWN, Reply

if TYPE_CHECKING:
    from uvicorn.server import ServerState

SMALL_BODY = 64 * 1024
"""Octets of a body that is skipped, so that the connection can go on; before a longer one it ends."""

THROWN_AWAY = 16 * 1024 * 1024
"""Octets read after the last answer, so that the client gets to hear it. What comes after them stays in the network until the time is up."""

UNFINISHED = 64 * 1024 * 1024
"""Octets of incomplete heads, and of requests that wait for an earlier one, held for all connections together."""

PIECE = 64 * 1024
"""Octets sent at once: a long answer waits for its reader where it is kept, not once more for each."""

TURN = 16
"""Requests of one connection answered before others are looked at."""

SWEEP_SECONDS = 0.25
"""How often it is looked whose time is up, and the Date is set."""

Answer = Callable[[Head], Reply | Awaitable[Reply]]
"""`Site.answer`: what it returns to be awaited never raises."""

Own = Callable[[bytes], asyncio.Protocol]
"""Makes the protocol of a connection whose request is for the operator's own name: what was read of it already is to be heard first."""

_CLOSES = b"connection: close\r\n"
_STAYS = b"connection: keep-alive\r\n"


class Hall:
    """What all connections of the process share. Times in seconds of the loop's clock.

    `occupied`: connections in the middle of something (no request yet, an incomplete one, an answer under way), since when; each has `head_seconds`
    for it. `silent`: those kept open after an answer, which have `idle_seconds`. Both stand in the order of their times.
    """

    def __init__(self, answer: Answer, *, connections: int, head_seconds: float, idle_seconds: float) -> None:
        self.answer = answer
        self.most = connections
        self.head_seconds = head_seconds
        self.idle_seconds = idle_seconds
        self.occupied: dict[Front, float] = {}
        self.silent: dict[Front, float] = {}
        self.unfinished = 0
        self.ending = False
        self.date = b""
        self.refusals = {status: reply.refusal(status) for status in (400, 431, 505)}

    def listen(self, state: ServerState, own: Own, sockets: Iterable[socket.socket]) -> Door:
        """Begins to serve in the running event loop; `state`: whom uvicorn tells when it ends, and for whom it waits."""
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(faults.of_the_loop)
        self.state = state
        self.own = own
        self._sweep()
        return Door(sockets, lambda: Front(self))

    def _sweep(self) -> None:
        self.date = b"date: %s\r\n" % formatdate(time.time(), usegmt=True).encode()
        now = self.loop.time()
        for line, seconds in ((self.silent, self.idle_seconds), (self.occupied, self.head_seconds)):
            late = []
            for each, since in line.items():
                if now - since < seconds:
                    break
                late.append(each)
            for each in late:
                each.cut()
        self.loop.call_later(SWEEP_SECONDS, self._sweep)

    def make_room(self) -> None:
        """Cuts the connection that has been silent longest; if none is, the one that has been longest at what it does."""
        longest = next(iter(self.silent or self.occupied), None)
        if longest is not None:
            longest.cut()


class Front:
    """One connection."""

    __slots__ = ("_body", "_buffer", "_closing", "_ended", "_hall", "_held", "_line", "_lingers", "_skip", "_thrown_away", "_waiting")

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._line: Line = None  # type: ignore[assignment]
        self._buffer = b""
        """Octets not looked at yet, or of an incomplete head."""
        self._held = 0
        """Of these, those counted in the hall."""
        self._skip = 0
        """Octets of a body still to come."""
        self._body: memoryview | None = None
        """What is still to be sent of a long answer."""
        self._waiting = False
        """For an answer that is being made, or for the next turn."""
        self._ended = False
        """The client sends no more."""
        self._closing = False
        """The last answer is under way, or sent."""
        self._lingers = False
        """After the last answer, the client may still be sending."""
        self._thrown_away = 0

    # What the door says

    def begin(self, line: Line) -> None:
        """Takes its place; the longest silent gives way if there are too many."""
        hall = self._hall
        self._line = line
        if len(hall.occupied) + len(hall.silent) >= hall.most:
            hall.make_room()
        hall.state.connections.add(self)  # type: ignore[arg-type]  # uvicorn asks no more of it than `shutdown`
        hall.occupied[self] = hall.loop.time()

    def heard(self, octets: bytes) -> None:
        """Goes on with the request, or throws the octets away after the last answer."""
        if self._closing:
            self._thrown_away += len(octets)
            if self._thrown_away > THROWN_AWAY:
                self._line.listen(False)
        elif self._busy:
            self._hold(self._buffer + octets)
        else:
            self._go_on(self._buffer + octets if self._buffer else octets)

    def ended(self) -> bool:
        """The client sends no more; it may still be waiting for its answer."""
        self._ended = True
        return self._busy

    def ready(self) -> None:
        """It has caught up with what it was told."""
        self._resume()

    def lost(self) -> None:
        """Leaves every list."""
        self._leave()

    # What uvicorn and the hall say

    def shutdown(self) -> None:
        """The server ends: answers under way are sent, and a request that is on its way is waited for a moment."""
        self._hall.ending = True
        if self in self._hall.silent:
            self._line.close()
        else:
            self._hall.loop.call_later(NEWBORN_SECONDS, self._close_unless_busy)

    def _close_unless_busy(self) -> None:
        if not self._busy:
            self._line.close()

    def cut(self) -> None:
        """Ends the connection now, whatever it is at."""
        self._leave()
        self._line.abort()

    def _leave(self) -> None:
        hall = self._hall
        hall.silent.pop(self, None)
        hall.occupied.pop(self, None)
        hall.state.connections.discard(self)
        self._count(b"")
        self._body = None
        self._closing = True

    # Requests

    @property
    def _busy(self) -> bool:
        """Whether what comes must wait; then `_resume` will be called."""
        return self._waiting or self._body is not None or self._line.full

    def _go_on(self, octets: bytes) -> None:
        """Answers the requests that these octets complete. Leaves the connection in one of the hall's lists, or closing."""
        hall = self._hall
        start = 0
        for turn in range(TURN):
            if self._skip:
                skipped = min(self._skip, len(octets) - start)
                start += skipped
                self._skip -= skipped
            asked = None
            if start < len(octets):
                try:
                    asked = head.read(octets, start)
                except BadHead as error:
                    self._send(hall.refusals[error.status], None)
                    return
            if asked is None:
                self._rest(octets[start:], turn > 0)
                return
            found = hall.answer(asked)
            if found is OWN:
                self._hand_over(octets[start:])
                return
            start += asked.size
            if isinstance(found, Reply):
                self._send(found, asked)
                if self._closing or not self._line.open:
                    return
            else:
                self._wait_for(found, asked)
            if self._busy:
                self._occupy()
                self._hold(octets[start:])
                return
        self._waiting = True
        self._occupy()
        self._hold(octets[start:])
        self._hall.loop.call_soon(self._next_turn)

    def _wait_for(self, found: Awaitable[Reply], asked: Head) -> None:
        self._waiting = True
        task = asyncio.ensure_future(self._answer(found, asked))
        tasks = self._hall.state.tasks  # where the server's end waits for it
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _answer(self, found: Awaitable[Reply], asked: Head) -> None:
        made = await found
        self._waiting = False
        if not self._closing:
            self._send(made, asked)
            self._resume()

    def _next_turn(self) -> None:
        self._waiting = False
        self._resume()

    def _resume(self) -> None:
        """Goes on with what had to wait."""
        if self._waiting or self._line.full:
            return
        if self._body is not None:
            self._occupy()
            self._pour()
        if not self._closing and not self._busy:
            self._line.listen(not self._ended)
            self._go_on(self._buffer)

    def _rest(self, octets: bytes, answered: bool) -> None:
        """Waits for the client, with the beginning of a request or without."""
        hall = self._hall
        self._buffer = octets
        self._count(octets)
        if self._ended:
            self._line.close()
        elif octets or self._skip:
            if hall.silent.pop(self, None) is not None or answered:
                self._occupy()
        else:
            hall.occupied.pop(self, None)
            hall.silent.pop(self, None)
            hall.silent[self] = hall.loop.time()

    def _occupy(self) -> None:
        """Begins something that has `head_seconds` from now."""
        hall = self._hall
        hall.silent.pop(self, None)
        hall.occupied.pop(self, None)
        hall.occupied[self] = hall.loop.time()

    def _hold(self, octets: bytes) -> None:
        """Keeps what has to wait; no more than one reading of it."""
        self._buffer = octets
        if octets:
            self._line.listen(False)
        self._count(octets)

    def _count(self, octets: bytes) -> None:
        if octets or self._held:
            self._hall.unfinished += len(octets) - self._held
            self._held = len(octets)
            if octets and self._hall.unfinished > UNFINISHED:
                self.cut()

    # Answers

    def _send(self, made: Reply, asked: Head | None) -> None:
        """Sends an answer, and decides whether it is the last: `asked` None: what came was no request that can be read."""
        hall = self._hall
        stays = asked is not None and asked.keep_alive and asked.body is not None and asked.body <= SMALL_BODY and not hall.ending
        if asked is None or not stays:
            line = _CLOSES
            self._closing = True
            self._lingers = asked is None or asked.body != 0
            self._buffer = b""
            self._count(b"")
        else:
            line = _STAYS if asked.old else b""
            self._skip = asked.body or 0
        body = b"" if asked is not None and asked.method == b"HEAD" else made.body
        if len(body) > PIECE:
            self._line.send(b"".join((made.head, hall.date, line, b"\r\n")))
            self._body = memoryview(body)
            self._pour()
        else:
            self._line.send(b"".join((made.head, hall.date, line, b"\r\n", body)))
            if self._closing:
                self._finish()

    def _pour(self) -> None:
        """Hands on what is left of a long answer, as fast as its reader reads."""
        while self._body is not None and not self._line.full:
            self._line.send(self._body[:PIECE])
            self._body = self._body[PIECE:] if len(self._body) > PIECE and self._line.open else None
        if self._body is None and self._closing:
            self._finish()

    def _finish(self) -> None:
        """Closes our side, or all of it, after the last answer."""
        self._occupy()
        if self._lingers and not self._ended:
            self._line.listen(True)
            self._line.mute()
        else:
            self._line.close()

    def _hand_over(self, octets: bytes) -> None:
        """Leaves the connection to the operator's own pages, from this request on."""
        hall = self._hall
        self._leave()
        task = hall.loop.create_task(_handed_over(hall, self._line.give_away(), octets))
        hall.state.tasks.add(task)
        task.add_done_callback(hall.state.tasks.discard)


async def _handed_over(hall: Hall, connection: socket.socket, octets: bytes) -> None:
    try:
        await hall.loop.connect_accepted_socket(lambda: hall.own(octets), connection)
    except OSError:  # the client left meanwhile
        connection.close()
