"""Moves octets between visitors and whoever speaks with them: accepts connections, reads, sends, closes. It knows nothing of HTTP.

An epoll instance of its own stands inside the event loop (it is readable when anything in it is ready, epoll(7)), because asyncio's transports cost
more than all else on the page's path (docs/adr/0022-the-pages-own-server.md has the figures). What a connection cannot take at once is kept until it
can, one answer at most: whoever speaks is told to wait meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable, Iterable
from typing import Protocol

from landing import faults

READ = 32 * 1024
"""Octets read at once."""

BATCH = 256
"""Connections served before the event loop has its turn."""

ACCEPTS = 64
"""Connections taken from one listening socket before those that are open have their turn."""

REST_SECONDS = 0.25
"""Pause in accepting when the machine has no descriptor or no memory for another connection."""

_GONE = select.EPOLLERR | select.EPOLLHUP


class Speaker(Protocol):
    """What one connection's octets come to. None of it is called before `begin`, nor after `lost`."""

    def begin(self, line: Line) -> None:
        """The connection is there."""

    def heard(self, octets: bytes) -> None:
        """It said this."""

    def ended(self) -> bool:
        """It says no more; True: it is still to be answered, False: the connection is to be closed."""

    def ready(self) -> None:
        """It has taken all that it was sent."""

    def lost(self) -> None:
        """It is closed, by whomever."""


class Line:
    """One connection, for its speaker."""

    __slots__ = ("_closing", "_door", "_fd", "_left", "_mask", "_muted", "_socket", "_speaker")

    def __init__(self, door: Door, connection: socket.socket, speaker: Speaker) -> None:
        self._door = door
        self._socket: socket.socket | None = connection
        self._fd = connection.fileno()
        self._speaker = speaker
        self._mask = select.EPOLLIN
        self._left: memoryview | None = None
        """What the connection could not take yet."""
        self._closing = False
        """It is closed once that is sent."""
        self._muted = False
        """No more is sent after that."""

    @property
    def open(self) -> bool:
        """Whether anything can still be sent."""
        return self._socket is not None and not self._closing

    @property
    def full(self) -> bool:
        """Whether the connection could not take all that it was sent; then `Speaker.ready` will be called, and nothing is to be sent before."""
        return self._left is not None

    def send(self, octets: bytes | memoryview) -> None:
        """Sends, as far as the connection takes it now; the rest is kept, not copied."""
        if self._socket is None:
            return
        try:
            sent = self._socket.send(octets)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort()
            return
        if sent < len(octets):
            self._left = memoryview(octets)[sent:]
            self._wait_for(self._mask | select.EPOLLOUT)

    def listen(self, wanted: bool) -> None:
        """Whether to read on. What is not read stays in the network, and stops the other side."""
        self._wait_for(self._mask | select.EPOLLIN if wanted else self._mask & ~select.EPOLLIN)

    def mute(self) -> None:
        """Tells the other side that no more comes, once all is sent."""
        self._muted = True
        if self._left is None and self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Closes the connection once all is sent. The speaker hears of it later, not from within this call."""
        if self._left is None:
            self.abort()
        else:
            self._closing = True
            self.listen(False)

    def abort(self) -> None:
        """Closes the connection now. The speaker hears of it later, not from within this call."""
        if self._socket is not None:
            self._door.forget(self._fd)
            self._socket.close()
            self._socket = self._left = None
            self._door.loop.call_soon(self._speaker.lost)
            del self._speaker  # which has this line: no cycle is left for the collector

    def give_away(self) -> socket.socket:
        """The connection's socket, for somebody else; this line is at its end, and its speaker hears no more."""
        if self._socket is None or self._left is not None:
            raise RuntimeError("a connection is given away only while it is open, and after all that was sent")
        given, self._socket = self._socket, None
        self._door.forget(self._fd, given)
        del self._speaker
        return given

    def _wait_for(self, mask: int) -> None:
        if mask != self._mask and self._socket is not None:
            self._mask = mask
            self._door.poll.modify(self._fd, mask)

    def happened(self, events: int) -> None:
        """What the kernel says of it; only the door calls this."""
        if events & select.EPOLLOUT:
            self._send_on()
        if self._socket is None:
            return
        if self._mask & select.EPOLLIN:
            if events & ~select.EPOLLOUT:
                self._read(self._socket)
        elif events & _GONE:
            self.abort()

    def _read(self, connection: socket.socket) -> None:
        try:
            octets = connection.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            self.abort()
            return
        if octets:
            self._speaker.heard(octets)
        elif self._speaker.ended():
            self.listen(False)
        else:
            self.close()

    def _send_on(self) -> None:
        left, self._left = self._left, None
        if left is None:
            return
        self._wait_for(self._mask & ~select.EPOLLOUT)
        self.send(left)
        if self._left is not None or self._socket is None:
            return
        if self._closing:
            self.abort()
            return
        if self._muted:
            self.mute()
        self._speaker.ready()


class Door:
    """Listening sockets, and all connections that came in by them."""

    def __init__(self, sockets: Iterable[socket.socket], speaker: Callable[[], Speaker]) -> None:
        """Begins to accept, in the running event loop."""
        self.loop = asyncio.get_running_loop()
        self.poll = select.epoll()
        self._speaker = speaker
        self._lines: dict[int, Line] = {}
        self._listening = {each.fileno(): each for each in sockets}
        for fd, each in self._listening.items():
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each connection inherits it
            self.poll.register(fd, select.EPOLLIN)
        self.loop.add_reader(self.poll.fileno(), self._happened)

    def close(self) -> None:
        """Accepts no more; connections that are open stay so. What uvicorn calls when it ends."""
        for fd, each in self._listening.items():
            self.poll.unregister(fd)  # closing is not enough: the supervisor holds the socket too (epoll(7))
            each.close()
        self._listening = {}

    async def wait_closed(self) -> None:
        """Nothing is to be waited for."""

    def forget(self, fd: int, given: socket.socket | None = None) -> None:
        """A connection is closed, or given away; only its line calls this."""
        del self._lines[fd]
        if given is not None:
            self.poll.unregister(fd)

    def _happened(self) -> None:
        for fd, events in self.poll.poll(0, BATCH):
            line = self._lines.get(fd)
            if line is not None:
                self._tell(line, events)
            elif fd in self._listening:
                self._accept(self._listening[fd])

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                self._rest()
                return
            connection.setblocking(False)
            fd = connection.fileno()
            speaker = self._speaker()
            line = self._lines[fd] = Line(self, connection, speaker)
            self.poll.register(fd, select.EPOLLIN)
            speaker.begin(line)
            self._tell(line, select.EPOLLIN)  # under load, the request is there already

    def _tell(self, line: Line, events: int) -> None:
        try:
            line.happened(events)
        except Exception as error:  # a fault of ours must not take others' connections with it
            faults.told("a connection could not be served", error)
            line.abort()

    def _rest(self) -> None:
        for fd in self._listening:
            self.poll.modify(fd, 0)
        self.loop.call_later(REST_SECONDS, self._go_on)

    def _go_on(self) -> None:
        for fd in self._listening:
            self.poll.modify(fd, select.EPOLLIN)
