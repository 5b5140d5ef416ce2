"""The UDP listener: drains its socket, answers from the packet cache, hands the rest to the engine.

This loop is what most queries cost. It decodes nothing: a client's address is looked up once in a dictionary, its octets after the ID once in
another. Replies leave by the socket the query came to, so they come from the address that was asked.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from resolver.clients import Clients
from resolver.engine import Engine, Front, Lookup
from resolver.generations import MASK
from resolver.wire import Query

BATCH = 128
"""Datagrams answered before the event loop may do something else."""
_MOST_OCTETS = 4096
"""Of a query; what is longer is cut and then refused as malformed."""


class UdpListener:
    """One bound socket. `turn` sets the engine's clock when the second has turned; `start` carries out lookups."""

    def __init__(
        self, bound: socket.socket, engine: Engine, clients: Clients[Front], turn: Callable[[], None], start: Callable[[list[Lookup]], None]
    ) -> None:
        self.socket = bound
        self._engine = engine
        self._clients = clients
        self._turn = turn
        self._start = start
        self.received = 0
        self.asked = 0
        self.unsent = 0

    def drain(self) -> None:
        """Answers up to BATCH waiting datagrams."""
        self._turn()
        receive = self.socket.recvfrom
        send = self.socket.sendto
        engine = self._engine
        known = self._clients.known
        clock = engine.clock
        received = asked = 0
        try:
            for received in range(BATCH):  # noqa: B007 - how many came is read after the loop, also when it is cut short
                data, address = receive(_MOST_OCTETS)
                try:
                    front = known[address[0]]
                except KeyError:
                    front = self._clients.classify(address[0])
                    known = self._clients.known
                if front is not None:
                    key = data[2:]
                    entry = front.young[hash(key) & MASK].get(key)
                    if entry is not None:
                        if entry.stamp == clock.stamp or entry.stamp == clock.authored:  # noqa: PLR1714 - no tuple for each query
                            send(data[:2] + entry.reply, address)
                            continue
                        reply = front.packets.refresh(entry)
                    else:
                        reply = front.packets.older(key)
                    if reply is not None:
                        send(data[:2] + reply, address)
                        continue
                asked += 1
                reply = engine.ask(data, front, self, address)
                if reply is not None:
                    send(data[:2] + reply, address)
        except BlockingIOError:
            received -= 1  # drained; or the send buffer is full, and one reply is lost as on any full link
        except OSError:
            self.unsent += 1  # no route back to one client is no reason to fail the others
        self.received += received + 1
        self.asked += asked
        lookups = engine.take_lookups()
        if lookups:
            self._start(lookups)

    def send(self, query: Query, reply: bytes) -> None:
        """Sends a reply that had to wait for a lookup."""
        try:
            self.socket.sendto(query.raw[:2] + reply, query.address)
        except OSError:
            self.unsent += 1


def watch(loop: Any, listener: UdpListener) -> None:
    """Has the event loop drain the listener whenever it is readable."""
    loop.add_reader(listener.socket.fileno(), listener.drain)
