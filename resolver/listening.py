"""The sockets one worker answers at: its own, and for a while those of a sibling that died.

A socket read by two processes gives each datagram, and each connection, to one of them. So a sibling's sockets can be read before its successor is
ready and after, and whoever reads answers; what is owed leaves by the socket it came to, which therefore stays open a while after it is read no more.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from resolver.tcp import ACCEPTED_AT_ONCE, TcpListener
from resolver.udp import UdpListener

log = logging.getLogger("resolver")

OWED_SECONDS = 3.0
"""How long answers may still leave by a socket that is read no more: longer than any lookup lives."""
BACKLOG = 1024
OWN = ""


@dataclass(slots=True)
class _Read:
    udp: list[UdpListener] = field(default_factory=list)
    servers: list[asyncio.Server] = field(default_factory=list)


class Listening:
    """`make` makes a UDP socket's listener; `tcp` takes all connections. Must be made inside the running loop."""

    def __init__(self, make: Callable[[socket.socket], UdpListener], tcp: TcpListener) -> None:
        self._make = make
        self._tcp = tcp
        self._read: dict[str, _Read] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._streams: list[socket.socket] = []

    def udp(self) -> list[UdpListener]:
        """The UDP listeners of this moment."""
        return [listener for read in self._read.values() for listener in read.udp]

    def prepare(self, described: Sequence[dict[str, Any]], sockets: Sequence[socket.socket]) -> None:
        """Takes this worker's own sockets, described as in its job, without reading them yet."""
        self._read[OWN] = _Read([self._make(bound) for each, bound in zip(described, sockets, strict=True) if each["transport"] == "udp"])
        self._streams = [bound for each, bound in zip(described, sockets, strict=True) if each["transport"] == "tcp"]
        for bound in sockets:
            bound.setblocking(False)

    async def start(self) -> None:
        """Begins to read the worker's own sockets."""
        own = self._read[OWN]
        for bound in self._streams:
            own.servers.append(await self._accept(bound))
        for listener in own.udp:
            asyncio.get_running_loop().add_reader(listener.socket.fileno(), listener.drain)

    async def _accept(self, bound: socket.socket) -> asyncio.Server:
        server = await asyncio.get_running_loop().create_server(self._tcp.connection, sock=bound, backlog=ACCEPTED_AT_ONCE)
        bound.listen(BACKLOG)  # how many may queue; asyncio's backlog is also how many it accepts at once
        return server

    def adopt(self, message: dict[str, Any], files: list[int]) -> None:
        """Reads a sibling's sockets too, until `release`. More of the same sibling's may follow."""
        self._begin(partial(self._adopt, str(message["for"]), message["sockets"], files))

    def release(self, message: dict[str, Any], files: list[int]) -> None:
        """Leaves a sibling's sockets to its successor."""
        for file in files:
            os.close(file)
        self._begin(partial(self._release, str(message["for"])))

    def _begin(self, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._in_turn(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_turn(self, work: Callable[[], Awaitable[None]]) -> None:
        async with self._turn:
            await work()

    async def _adopt(self, whose: str, described: Sequence[dict[str, Any]], files: Sequence[int]) -> None:
        read = self._read.setdefault(whose, _Read())
        for each, file in zip(described, files, strict=True):
            bound = socket.socket(fileno=file)
            bound.setblocking(False)
            if each["transport"] == "udp":
                listener = self._make(bound)
                read.udp.append(listener)
                asyncio.get_running_loop().add_reader(bound.fileno(), listener.drain)
            else:
                read.servers.append(await self._accept(bound))
        log.debug("answering for %s too, until it is back", whose)

    async def _release(self, whose: str) -> None:
        read = self._read.pop(whose, None)
        if read is not None:
            self._leave(read)
            for listener in read.udp:
                asyncio.get_running_loop().call_later(OWED_SECONDS, listener.socket.close)
            log.debug("no longer answering for %s", whose)

    @staticmethod
    def _leave(read: _Read) -> None:
        for listener in read.udp:
            asyncio.get_running_loop().remove_reader(listener.socket.fileno())
        for server in read.servers:
            server.close()

    def stop(self) -> None:
        """Reads no socket any more. Connections that were accepted stay."""
        for task in self._tasks:
            task.cancel()
        for read in self._read.values():
            self._leave(read)
