"""The UDP sockets questions leave by: many, on random ports, each soon retired (RFC 5452 section 9.2).

Every socket is connected, so that the kernel drops what does not come from the server's address and port; what is left to match is the ID,
here, and the question, letter by letter, by the caller. All sockets of a server hang on one epoll instance, the only thing the event loop watches.
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

SLOTS = 256
"""Sockets to each server; a power of two, so that a random number makes a uniform choice."""
MOST_SECONDS = 10.0
MOST_QUESTIONS = 1000
"""A socket is retired after either."""
DRAIN_SECONDS = 3.0
"""A retired socket still hears answers for this long: longer than any lookup lives."""
READ_AT_ONCE = 64
"""Answers read before the event loop may do something else: each may be one to many clients."""
CLOSED_AT_ONCE = 32
"""Sockets closed before it may; all may have been opened in the same moment."""
_LOWEST_PORT = 1024
_RECEIVE_OCTETS = 4096

# RFC 9715 section 3.1: fragments are not to be. With OMIT the kernel believes no ICMP about the path's MTU, so nobody can forge one to have us
# fragment what fits every path, and DF is left off. The socket module names none of these; ip(7), ipv6(7), linux/in.h, linux/in6.h.
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_OMIT = 10, 23, 5


def omit_path_mtu(of: socket.socket) -> None:
    """Has a socket ignore what ICMP says of the path's MTU (RFC 9715 appendix C)."""
    if of.family == socket.AF_INET6:
        of.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_OMIT)
    else:
        of.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_OMIT)


_LETTERS = bytes(0x20 if 0x61 <= octet <= 0x7A else 0 for octet in range(256))
"""The bit that makes a lower-case letter a capital; 0 for what is no letter. Lengths of labels are below 64, so they are none."""


_number = int.from_bytes


class Dice:
    """Unpredictable numbers from the system's generator, drawn many at a time."""

    __slots__ = ("_left", "_numbers", "_octets", "_used")

    def __init__(self) -> None:
        self._numbers = memoryview(b"").cast("H")
        self._left = 0
        self._octets = b""
        self._used = 0

    def roll(self) -> int:
        """0 to 65,535, uniformly."""
        if not self._left:
            self._numbers = memoryview(os.urandom(8192)).cast("H")
            self._left = 4096
        self._left -= 1
        return self._numbers[self._left]

    def port(self) -> int:
        """1,024 to 65,535, uniformly: what is below is drawn again, because a remainder would make some ports twice as likely."""
        while (number := self.roll()) < _LOWEST_PORT:
            pass
        return number

    def vary(self, question: bytes) -> bytes:
        """A question section in lower case, with each letter of the name in random case (draft-vixie-dnsext-dns0x20): a bit to guess for each."""
        size = len(question)
        start = self._used
        end = self._used = start + size - 4
        if end > len(self._octets):
            self._octets = os.urandom(16384)
            start, end = 0, size - 4
            self._used = end
        chosen = _number(self._octets[start:end]) << 32  # type and class, the last four octets, stay as they are
        return (_number(question) ^ _number(question.translate(_LETTERS)) & chosen).to_bytes(size)


class _Port:
    __slots__ = ("last", "opened_at", "sent", "socket", "waiting")

    def __init__(self, connected: socket.socket, now: float) -> None:
        self.socket = connected
        self.opened_at = now
        self.sent = 0
        self.waiting: dict[int, Any] = {}
        self.last = -1


class Ports:
    """Sends questions to one server. An attempt is opaque here: it comes back with what was heard.

    `received(data, attempt)` says whether the data settles the attempt; `refused(attempt)` is told when nobody listens at the server's port;
    `strayed(attempts, now)` when a datagram came whose ID is of no question: one of those that wait on that socket may have been meant.
    """

    def __init__(
        self,
        address: str,
        port: int,
        dice: Dice,
        received: Callable[[bytes, Any], bool],
        refused: Callable[[Any], None],
        strayed: Callable[[list[Any], float], None],
    ) -> None:
        self._server = (address, port)
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._dice = dice
        self._received = received
        self._refused = refused
        self._strayed = strayed
        self._epoll = select.epoll()
        self._slots: list[_Port | None] = [None] * SLOTS
        self._by_fd: dict[int, _Port] = {}
        self._retired: deque[tuple[float, _Port]] = deque()
        self._failed: deque[Any] = deque()
        self._telling = False
        self._next_sweep = 0.0

    def fileno(self) -> int:
        """What to watch: readable when any socket is."""
        return self._epoll.fileno()

    def send(self, packet: bytes, attempt: Any) -> None:
        """Sends a packet, all but its ID, from a socket drawn at random, under an ID drawn at random."""
        dice = self._dice
        number = dice.roll() & SLOTS - 1
        port = self._slots[number]
        if port is None or port.sent >= MOST_QUESTIONS or attempt.sent_at - port.opened_at > MOST_SECONDS:
            port = self._open(number, attempt.sent_at)
            if port is None:
                self._refused(attempt)
                return
        identifier = dice.roll()
        while identifier in port.waiting:
            identifier = dice.roll()
        port.waiting[identifier] = attempt
        port.sent += 1
        try:
            port.socket.send(identifier.to_bytes(2, "big") + packet)
        except BlockingIOError:
            return  # a full buffer is a lost packet: the try's time runs out
        except OSError:
            self._fail(port)  # the error may be of an earlier question, and the kernel tells it once

    def _open(self, number: int, now: float) -> _Port | None:
        old = self._slots[number]
        if old is not None:
            self._slots[number] = None
            self._retired.append((now, old))
        try:
            fresh = socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError:
            return None  # out of descriptors or memory: the question fails, the worker does not
        try:
            omit_path_mtu(fresh)
            for _ in range(8):
                with suppress(OSError):  # taken: draw another; after eight, let the kernel choose
                    fresh.bind(("", self._dice.port()))
                    break
            fresh.connect(self._server)
        except OSError:
            fresh.close()
            return None
        port = self._slots[number] = self._by_fd[fresh.fileno()] = _Port(fresh, now)
        self._epoll.register(fresh.fileno(), select.EPOLLIN)
        return port

    def drain(self) -> None:
        """Reads one datagram of each readable socket; what is left makes the epoll instance readable again."""
        for fd, _ in self._epoll.poll(0, READ_AT_ONCE):
            port = self._by_fd.get(fd)
            if port is None:
                continue
            try:
                data = port.socket.recv(_RECEIVE_OCTETS)
            except BlockingIOError:
                continue
            except OSError:
                self._fail(port)
                continue
            if len(data) < 12:
                continue
            identifier = data[0] << 8 | data[1]
            attempt = port.waiting.get(identifier)
            if attempt is None:
                if identifier != port.last:  # the network may deliver an answer twice
                    self._strayed(list(port.waiting.values()), monotonic())
            elif self._received(data, attempt):
                port.waiting.pop(identifier, None)
                port.last = identifier

    def _fail(self, port: _Port) -> None:
        """Tells every attempt that waits on the socket. One after another, not one inside another: a refused attempt may send the next."""
        waiting, port.waiting = port.waiting, {}
        self._failed.extend(waiting.values())
        if self._telling:
            return
        self._telling = True
        try:
            while self._failed:
                self._refused(self._failed.popleft())
        finally:
            self._telling = False

    def retire(self, now: float) -> None:
        """Closes sockets that are past use. Cheap to call often."""
        for _ in range(CLOSED_AT_ONCE):
            if not self._retired or self._retired[0][0] + DRAIN_SECONDS > now:
                break
            self._close(self._retired.popleft()[1])
        if now < self._next_sweep:
            return
        self._next_sweep = now + 1.0
        for number, port in enumerate(self._slots):
            if port is not None and now - port.opened_at > MOST_SECONDS:
                self._slots[number] = None
                self._retired.append((now, port))

    def _close(self, port: _Port) -> None:
        del self._by_fd[port.socket.fileno()]
        port.socket.close()

    def close(self) -> None:
        """Closes every socket."""
        for port in self._by_fd.values():
            port.socket.close()
        self._by_fd.clear()
        self._epoll.close()

    def open_ports(self) -> list[int]:
        """The local ports in use now, for tests and status."""
        return [port.socket.getsockname()[1] for port in self._slots if port is not None]
