"""Questions over TCP and over TLS, many under way on one connection, answered in any order (RFC 7766, sections 6.2.1.1 and 7; RFC 7858).

A connection that the server ends while questions are under way ends them as `closed` or `reset`; asking again is for who asked. Nothing is padded and
no keepalive is asked for: a message goes out as its vector wrote it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import cast

from porosity.transports.mux import Pending, Table, failure_of
from porosity.transports.pool import PIPELINED, Pool
from porosity.words import Endpoint

DOT_ALPN = "dot"
"""RFC 7858, section 7.1, as registered."""
HANDSHAKE_SECONDS = 60.0
"""Longer than any question waits, so that what ends first is the question's own time."""


def tcp(endpoint: Endpoint) -> Pool:
    """The way to an endpoint over TCP."""
    return Pool(lambda: _connect(endpoint, None))


def dot(endpoint: Endpoint, trust: ssl.SSLContext) -> Pool:
    """The way to an endpoint over TLS. Its certificate must be for its name, or for its address when it has none, and lead to whom `trust` trusts."""
    return Pool(lambda: _connect(endpoint, trust))


async def _connect(endpoint: Endpoint, trust: ssl.SSLContext | None) -> Stream:
    _transport, stream = await asyncio.get_running_loop().create_connection(
        Stream,
        endpoint.address,
        endpoint.port,
        ssl=trust,
        server_hostname=(endpoint.server_name or endpoint.address) if trust else None,
        ssl_handshake_timeout=HANDSHAKE_SECONDS if trust else None,
    )
    return stream


def acknowledge(transport: asyncio.BaseTransport | None) -> None:
    """Has the kernel say at once that octets came, this time (TCP_QUICKACK, tcp(7)).

    Else it waits 40 ms, and a server that sends its next answer only then (RFC 1122, 4.2.3.4) seems so much slower than it is.
    """
    if transport is not None and (connection := transport.get_extra_info("socket")) is not None:
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class Stream(asyncio.Protocol):
    """One connection over which messages go with two octets of length before each."""

    def __init__(self) -> None:
        self.table = Table(self._ended)
        self.open = True
        self._transport: asyncio.Transport | None = None
        self._come = bytearray()

    def room(self, size: int) -> bool:
        """Whether fewer than PIPELINED questions are under way."""
        return len(self.table) < PIPELINED

    def send(self, wire: bytes, seconds: float) -> Pending:
        """Sends it."""
        pending = self.table.put(wire, seconds)
        assert self._transport is not None  # noqa: S101 - asyncio gives nobody a connection before it is made
        pending.going()
        self._transport.write(len(wire).to_bytes(2, "big") + pending.query)
        acknowledge(self._transport)
        return pending

    def retire(self) -> None:
        """Ends it as soon as nothing is under way on it."""
        self.open = False
        self._ended()

    async def close(self) -> None:
        """Ends it without ceremony: nothing that is under way is waited for."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()
        self.table.end_all("closed")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)
        acknowledge(transport)

    def data_received(self, data: bytes) -> None:
        """Octets came: each whole message among them is looked at."""
        acknowledge(self._transport)
        self._come += data
        at = 0
        while len(self._come) >= at + 2 and len(self._come) >= (end := at + 2 + int.from_bytes(self._come[at : at + 2], "big")):
            self.table.take(bytes(self._come[at + 2 : end]))
            at = end
        del self._come[:at]

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        self.open = False
        self._transport = None
        self.table.end_all("closed" if error is None else failure_of(error))

    def _ended(self, pending: Pending | None = None) -> None:
        if not self.open and not len(self.table) and self._transport is not None:
            self._transport.abort()
