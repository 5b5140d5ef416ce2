"""Questions over UDP (RFC 1035, section 4.2.1), hundreds at a time on each of a few sockets.

Each socket is connected, so that the kernel keeps away what another address sends, stands on a port of the kernel's choosing, and gives way to one on
another port after some thousand questions. An answer's time is the kernel's stamp on its arrival. An ICMP error is put down to the very question that
met it: Linux gives the datagram back (IP_RECVERR, ip(7)). A truncated answer is an answer: what TCP would have said, a vector over TCP says.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from asyncio import get_running_loop

from porosity.transports.mux import MOST_PENDING, Pending, Table, Try, failure_of, nothing_sent
from porosity.words import Endpoint

SOCKETS = 4
QUESTIONS_A_PORT = 4096
"""After so many a socket gives way to one on another port."""

_AT_ONCE = 64
"""Datagrams read before anything else may happen."""
_BUFFER = 4 << 20
_FULL_SECONDS = 0.001
"""Until a socket that could take no more is tried again."""
_LARGEST = 65_535
_STAMP = struct.Struct("@qq")
_TIMESTAMPNS = 35
_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_ERRQUEUE = 0x2000
"""Linux's numbers (asm-generic/socket.h, linux/in.h, linux/in6.h, linux/socket.h), which Python has no names for."""
_ERROR = struct.Struct("@I")


class Udp:
    """UDP to one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._ports: list[_Port] = []
        self._retired: set[_Port] = set()
        self._next = 0

    async def ask(self, wire: bytes, seconds: float) -> Try:
        """One datagram out, and what comes back."""
        try:
            port = self._port()
        except OSError as error:
            return nothing_sent(failure_of(error))
        pending = port.table.put(wire, seconds)
        while not port.send(pending) and not pending.answered.done():
            await asyncio.sleep(_FULL_SECONDS)
        return await pending.answered

    async def close(self) -> None:
        """Close every socket."""
        for port in [*self._ports, *self._retired]:
            port.close()

    def _port(self) -> _Port:
        if len(self._ports) < SOCKETS:
            self._ports.append(_Port(self._endpoint, self._retired))
            return self._ports[-1]
        self._next = (self._next + 1) % SOCKETS
        port = self._ports[self._next]
        if port.table.asked >= QUESTIONS_A_PORT or len(port.table) >= MOST_PENDING:
            fresh = _Port(self._endpoint, self._retired)
            port.retire()
            self._ports[self._next] = fresh
            return fresh
        return port


class _Port:
    """One connected socket and the questions under way on it."""

    def __init__(self, endpoint: Endpoint, retired: set[_Port]) -> None:
        family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
            self._socket.setsockopt(*_RECVERR[family], 1)
            self._socket.connect((endpoint.address, endpoint.port))
        except OSError:
            self._socket.close()
            raise
        self._retired = retired
        self.table = Table(self._ended)
        self._octets = bytearray(_LARGEST)
        self._view = memoryview(self._octets)
        self._loop = get_running_loop()
        self._loop.add_reader(self._socket, self._read)

    def send(self, pending: Pending) -> bool:
        """Whether it went out, or has ended; False when the socket is full."""
        for _ in range(2):
            pending.going()
            try:
                self._socket.send(pending.query)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                # Most likely an earlier datagram's ICMP error: once told, it is gone, and this one has its turn.
                if not self._errors():
                    self.table.end(pending, failure_of(error), sent=False)
                    return True
                last = error
            else:
                return True
        self.table.end(pending, failure_of(last), sent=False)
        return True

    def retire(self) -> None:
        """Closes as soon as nothing is under way."""
        self._retired.add(self)
        self._ended()

    def close(self) -> None:
        """Closes now."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._retired.discard(self)
        self.table.end_all("closed")

    def _ended(self, pending: Pending | None = None) -> None:
        if self in self._retired and not len(self.table):
            self.close()

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                size, stamps, _flags, _from = self._socket.recvmsg_into([self._octets], 64)
            except OSError as error:
                if not isinstance(error, BlockingIOError) or _ == 0:
                    self._errors()
                return
            stamp = 0
            if stamps:
                seconds, nanoseconds = _STAMP.unpack_from(stamps[0][2])
                stamp = seconds * 1_000_000_000 + nanoseconds
            self.table.take(bytes(self._view[:size]), stamp)
            if self._socket.fileno() < 0:
                return

    def _errors(self) -> int:
        """Puts ICMP errors down to the questions that met them; how many there were."""
        found = 0
        while self._socket.fileno() >= 0:
            try:
                given_back, about, _flags, _from = self._socket.recvmsg(512, 512, _ERRQUEUE)
            except OSError:
                return found
            found += 1
            number = next((_ERROR.unpack_from(data)[0] for level, kind, data in about if (level, kind) in _RECVERR.values()), errno.EHOSTUNREACH)
            pending = self.table.under_way(int.from_bytes(given_back[:2], "big")) if len(given_back) >= 2 else None
            if pending is not None:
                self.table.end(pending, failure_of(OSError(number, "")))
        return found
