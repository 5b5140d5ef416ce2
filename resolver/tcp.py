"""The TCP listener: queries pipelined, answers in any order, every resource bounded (RFC 7766).

A connection may have MOST_OPEN questions waiting and MOST_UNSENT octets unread; beyond either it is not read from, and beyond MOST_OWED octets it is
cut. It is closed after `idle_seconds` without a whole query while nothing is owed to it. A client (an IPv4 address, an IPv6 /64) may have so many
connections and one more is turned away; when there are too many in all, the longest idle one makes room.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice

from resolver import knots
from resolver.clients import Clients
from resolver.engine import Engine
from resolver.groups import Front, Lookup
from resolver.prefixes import client_of
from resolver.wire import Query

MOST_OPEN = 64
"""Questions of one connection that wait for lookups."""
MOST_UNSENT = 65536
"""Octets of replies a client has not taken yet."""
MOST_OWED = 8 * MOST_UNSENT
"""Octets not taken, beyond which a client is cut off: answers that it asked for before it stopped reading may be large."""
READ_AT_ONCE = 64
"""Questions of one connection answered before the event loop may do something else: 256 KiB are read at once, and may hold 131,072 empty ones."""
ACCEPTED_AT_ONCE = 16
"""Connections accepted before the event loop may do something else; each costs about 0.1 ms."""
CLOSED_AT_ONCE = 32
"""Idle connections closed before it may."""
_LOOKED_AT = 64
"""Connections looked at to find an idle one."""


class TcpListener:
    """What the connections of one worker share. `connection` makes a protocol for each accepted socket."""

    def __init__(
        self, engine: Engine, clients: Clients[Front], turn: Callable[[], float], start: Callable[[list[Lookup]], None], limits: tuple[int, int, int]
    ) -> None:
        """`limits`: connections in all, of one client, and seconds that one may be idle."""
        self.engine = engine
        self.clients = clients
        self.turn = turn
        self.start = start
        self.most_connections, self.most_of_client, self.idle_seconds = limits
        self.connections: OrderedDict[Connection, float] = OrderedDict()
        """Since when each is idle, the longest idle first."""
        self.of_client: dict[str, int] = {}
        self.received = 0
        self.asked = 0
        self.accepted = 0
        self.turned_away = 0
        self._loop = asyncio.get_running_loop()
        self._sweep = self._loop.call_later(1.0, self._close_idle)

    def connection(self) -> Connection:
        """The protocol of one accepted connection."""
        return Connection(self)

    def touched(self, connection: Connection) -> None:
        """A whole query came: the connection is the least idle one."""
        self.connections[connection] = self._loop.time()
        self.connections.move_to_end(connection)

    def joined(self, connection: Connection, client: str) -> bool:
        """A connection was accepted. False when it is turned away: its client has enough, or all there are are owed answers."""
        if self.of_client.get(client, 0) >= self.most_of_client or not self._has_room():
            self.turned_away += 1
            return False
        self.accepted += 1
        self.of_client[client] = self.of_client.get(client, 0) + 1
        self.touched(connection)
        return True

    def _has_room(self) -> bool:
        """Whether there is room for one more, after the longest idle one has made it if need be."""
        if len(self.connections) < self.most_connections:
            return True
        oldest = next((other for other in islice(self.connections, _LOOKED_AT) if not other.waiting), None)
        if oldest is None:
            return False
        del self.connections[oldest]
        oldest.abort()
        return True

    def left(self, connection: Connection, client: str) -> None:
        """A connection that had joined is gone."""
        self.connections.pop(connection, None)
        others = self.of_client[client] - 1
        if others:
            self.of_client[client] = others
        else:
            del self.of_client[client]

    def _close_idle(self) -> None:
        """Closes a few of those that are idle for too long; soon again while there may be more."""
        deadline = self._loop.time() - self.idle_seconds
        looked_at = 0
        while self.connections and looked_at < CLOSED_AT_ONCE:
            connection = next(iter(self.connections))
            if self.connections[connection] > deadline:
                break
            looked_at += 1
            if connection.waiting:
                self.touched(connection)  # what is owed an answer is not idle
            else:
                del self.connections[connection]
                connection.abort()
        self._sweep = self._loop.call_later(0.01 if looked_at == CLOSED_AT_ONCE else 1.0, self._close_idle)

    def close(self) -> None:
        """Closes every connection, sending what is already written."""
        self._sweep.cancel()
        for connection in list(self.connections):
            connection.close()


class Connection(asyncio.Protocol):
    """One client's connection. `send` is where replies that waited come back."""

    __slots__ = ("_address", "_blocked", "_buffer", "_client", "_ended", "_front", "_goes_on", "_listener", "_transport", "waiting")

    def __init__(self, listener: TcpListener) -> None:
        self._listener = listener
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._front: Front | None = None
        self._address: tuple[str, ...] = ()
        self._client: str | None = None
        self._blocked = False
        self._ended = False
        self._goes_on = False
        self.waiting = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport
        transport.set_write_buffer_limits(high=MOST_UNSENT)
        peer = transport.get_extra_info("peername")
        if peer is None:
            transport.abort()
            return
        host = peer[0]
        client = client_of(host)
        if not self._listener.joined(self, client):
            transport.abort()
            return
        self._client = client
        self._address = (host,)
        known = self._listener.clients.known
        self._front = known[host] if host in known else self._listener.clients.classify(host)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._client is not None:
            self._listener.left(self, self._client)
            self._client = None
        if self._transport is not None:
            knots.free(self._transport)
            self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._read()

    def _read(self) -> None:
        listener = self._listener
        listener.turn()
        buffer = self._buffer
        taken = asked = 0
        while self._may_ask() and asked < READ_AT_ONCE and len(buffer) - taken >= 2:
            end = taken + 2 + (buffer[taken] << 8 | buffer[taken + 1])
            if len(buffer) < end:
                break
            self._ask(bytes(buffer[taken + 2 : end]))
            taken = end
            asked += 1
        del buffer[:taken]
        lookups = listener.engine.take_lookups()
        if lookups:
            listener.start(lookups)
        if asked == READ_AT_ONCE and not self._goes_on:
            self._goes_on = True
            asyncio.get_running_loop().call_soon(self._go_on)
        self._read_on_or_wait()

    def _may_ask(self) -> bool:
        return self._transport is not None and not self._blocked and self.waiting < MOST_OPEN

    def _go_on(self) -> None:
        self._goes_on = False
        self._read()

    def _ask(self, data: bytes) -> None:
        listener = self._listener
        listener.received += 1
        listener.touched(self)
        front = self._front
        reply = None
        if front is not None:
            reply = front.packets.get(data[2:])
        if reply is None:
            listener.asked += 1
            counters = listener.engine.counters
            before = counters.waited
            reply = listener.engine.ask(data, front, self, self._address)
            self.waiting += counters.waited - before
        if reply is not None:
            self._write(data[:2] + reply)

    def _read_on_or_wait(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._blocked or self._goes_on or self.waiting >= MOST_OPEN:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def send(self, query: Query, reply: bytes) -> None:
        """Sends a reply that had to wait for a lookup, and reads on if too many did."""
        was_full = self.waiting >= MOST_OPEN
        self.waiting -= 1
        self._write(query.raw[:2] + reply)
        if was_full and self._transport is not None:
            asyncio.get_running_loop().call_soon(self._read)
        elif self._ended and not self.waiting:
            self.close()

    def _write(self, message: bytes) -> None:
        transport = self._transport
        if transport is not None:
            transport.write(len(message).to_bytes(2, "big") + message)
            if self._blocked and transport.get_write_buffer_size() > MOST_OWED:
                transport.abort()

    def pause_writing(self) -> None:
        self._blocked = True
        self._read_on_or_wait()

    def resume_writing(self) -> None:
        self._blocked = False
        self._read()

    def eof_received(self) -> bool:
        """A client that has asked all it wants still gets its answers, and is then let go."""
        self._ended = True
        return self.waiting > 0

    def close(self) -> None:
        """Closes once what is written has gone out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()
