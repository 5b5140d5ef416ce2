"""The UDP listener: drains its socket, answers from the packet cache, hands the rest to the engine.

This loop is what most queries cost. It decodes nothing: a client's address is looked up once in a dictionary, its octets after the ID once in
another. Replies leave by the socket the query came to, so they come from the address that was asked. Who may not ask, or is watched for asking too
much (`rates`), has no front in that dictionary and is dealt with beside the loop.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from resolver.clients import Clients
from resolver.engine import Engine
from resolver.generations import MASK
from resolver.groups import Front, Lookup
from resolver.histogram import Histogram
from resolver.prefixes import client_of
from resolver.rates import Fate, Rates, Watched
from resolver.wire import Query, Silence, Unreadable, read_query, truncated_reply

BATCH = 128
"""Datagrams answered before the event loop may do something else."""
SAMPLE = 32
"""Datagrams, at least, that one is looked at for when rates are estimated."""
_MOST_OCTETS = 4096
"""Of a query; what is longer is cut and then refused as malformed."""


class UdpListener:
    """One bound socket. `turn` sets the engine's clock when the second has turned, and says what time it is; `start` carries out lookups.

    `answer_times`: how long each datagram was at most in hand, that is, how long the drain took that it was part of. `unsent` counts replies that
    the network took no more, `dropped` and `slipped` those that a rate limit kept back or cut to an empty one with TC.
    """

    def __init__(
        self,
        bound: socket.socket,
        engine: Engine,
        clients: Clients[Front],
        turn: Callable[[], float],
        start: Callable[[list[Lookup]], None],
        rates: Rates,
    ) -> None:
        self.socket = bound
        self.answer_times = Histogram()
        self.received = 0
        self.asked = 0
        self.unsent = 0
        self.dropped = 0
        self.slipped = 0
        self._engine = engine
        self._clients = clients
        self._turn = turn
        self._start = start
        self._rates = rates
        self._watched = _WhileWatched(self)
        self._unsampled = 0
        self._aside_wanted = False
        self._aside_second = 0

    def drain(self) -> None:
        """Answers up to BATCH waiting datagrams."""
        begun = self._turn()
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
                    front = self._enter(address[0])
                    known = self._clients.known
                if front is not None:
                    key = data[2:]
                    entry = front.young[hash(key) & MASK].get(key)
                    if entry is not None:
                        if entry.stamp == clock.stamp:
                            send(data[:2] + entry.reply, address)
                            continue
                        if entry.stamp == clock.authored:
                            entry.tally.count += 1
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
                else:
                    asked += 1
                    reply = self._answer_carefully(data, address)
                    known = self._clients.known
                if reply is not None:
                    send(data[:2] + reply, address)
        except BlockingIOError:
            received -= 1  # drained; or the send buffer is full, and one reply is lost as on any full link
        except OSError:
            self.unsent += 1  # no route back to one client is no reason to fail the others
        received += 1
        self.received += received
        self.asked += asked
        self._unsampled += received
        if self._unsampled >= SAMPLE:
            self._sample(address[0])
        lookups = engine.take_lookups()
        if lookups:
            self._start(lookups)
        self.answer_times.add(monotonic() - begun, received)

    def send(self, query: Query, reply: bytes) -> None:
        """Sends a reply that had to wait for a lookup."""
        try:
            self.socket.sendto(query.raw[:2] + reply, query.address)
        except OSError:
            self.unsent += 1

    def _sample(self, host: str) -> None:
        """Has the last datagram's sender stand for all since the last sample."""
        clients = self._clients
        second = self._engine.clock.second
        client = self._rates.sample(host, self._unsampled, second)
        self._unsampled = 0
        if client is not None:
            if clients.decide(host) is None:
                del self._rates.watched[client]  # who may not ask has a limit of his own
            elif client == host:
                clients.remember(host, None)
            else:
                self._aside_wanted = True
        if self._aside_wanted and second != self._aside_second:  # at most once a second: everybody is then looked up anew
            clients.set_aside()
            self._aside_wanted = False
            self._aside_second = second

    def _enter(self, host: str) -> Front | None:
        """The front of a client that is not known; None for one that is watched or may not ask."""
        watched = self._rates.watched
        if watched and client_of(host) in watched:
            return None
        return self._clients.classify(host)

    def _answer_carefully(self, data: bytes, address: Any) -> bytes | None:
        """The reply to one who has no front: a stranger, or one who is or was watched."""
        host = address[0]
        clients = self._clients
        second = self._engine.clock.second
        watched = self._rates.watched.get(client_of(host))
        if watched is not None:
            return self._answer_watched(data, address, watched, second)
        front = clients.decide(host) if host in clients.known else None
        if front is not None:
            clients.remember(host, front)
            return self._engine.ask(data, front, self, address)
        if self._rates.answers_stranger(host, second):
            return self._engine.ask(data, None, self, address)
        self.dropped += 1
        return None

    def _answer_watched(self, data: bytes, address: Any, watched: Watched, second: int) -> bytes | None:
        fate = watched.asks(second, self._rates.queries)
        if fate is not Fate.ANSWER:
            return self._less(data, fate)
        front = self._clients.decide(address[0])
        reply = None if front is None else front.packets.get(data[2:])
        if reply is None:
            reply = self._engine.ask(data, front, self._watched, address)
        return None if reply is None else self.limited(data, reply, watched)

    def limited(self, data: bytes, reply: bytes, watched: Watched) -> bytes | None:
        """What is said to this query of a watched client instead of this reply, if it hears that too often."""
        fate = watched.hears(reply, self._engine.clock.second, self._rates.identical)
        return reply if fate is Fate.ANSWER else self._less(data, fate)

    def _less(self, data: bytes, fate: Fate) -> bytes | None:
        if fate is Fate.SLIP:
            with suppress(Silence, Unreadable):
                reply = truncated_reply(read_query(data))
                self.slipped += 1
                return reply
        self.dropped += 1
        return None

    def watched(self, host: str) -> Watched | None:
        """The count of a client's queries and answers, if it is watched now."""
        return self._rates.watched.get(client_of(host))


class _WhileWatched:
    """Where replies to watched clients come that had to wait for a lookup."""

    def __init__(self, listener: UdpListener) -> None:
        self._listener = listener

    def send(self, query: Query, reply: bytes) -> None:
        listener = self._listener
        watched = listener.watched(query.address[0])
        said = reply if watched is None else listener.limited(query.raw, reply, watched)
        if said is not None:
            listener.send(query, said)
