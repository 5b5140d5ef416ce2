"""Every way of a study: from an endpoint to its sockets, at the pace its server is allowed, again when nothing came.

All endpoints of one machine are one server: they share its rate and its limit of questions under way. On loopback, where many programs have one
address, those of one port are.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from blocklists.errors import ConfigurationError
from porosity import ethics
from porosity.bucket import Bucket
from porosity.ethics import NotAllowed, Permit
from porosity.transports.doh import doh
from porosity.transports.doq import doq
from porosity.transports.mux import Transport, Try
from porosity.transports.tcp import DOT_ALPN, dot, tcp
from porosity.transports.udp import Udp
from porosity.words import Endpoint, Failure

UNDER_WAY = 200
"""Fresh questions under way to one server, at most: enough to keep a local one busy, fewer than overflow its socket (net.core.rmem_default)."""
FRESH_SECONDS = 0.25
"""After so long a question is waited for, but no longer counted: no server holds it in its socket, and many never answer some kinds of question."""
SILENCE = 20
"""Questions in a row that nobody answered in any try, after which an endpoint gets one try a question until it answers again."""
PAUSE_SECONDS = 0.2
"""Before the next try of a question that was turned away at once; twice as long before the one after."""

_NOT_AGAIN: frozenset[Failure] = frozenset({"", "tls", "http", "malformed"})
"""Answers, of a kind: another try would bring the same."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a question waits for its answer."""

    seconds: float = 3.0
    """Of each try."""
    tries: int = 3


class Asked(NamedTuple):
    """What came of a question."""

    sent_at: int
    """Of the first try, in microseconds since 1970, UTC."""
    tries: int
    last: Try


class Ways:
    """The ways to all servers that a study may ask."""

    def __init__(self, permits: Mapping[str, Permit], patience: Patience, ca: Path | None = None, contact: str = "") -> None:
        """`ca`: a PEM file of who vouches for certificates, instead of those the system trusts.

        Raises ConfigurationError for another, and NotAllowed for a lab's address outside a lab.
        """
        _hold_in_lab(permits)
        self._permits = permits
        self._patience = patience
        self._ca = ca
        self._contact = contact
        self._contexts = {"dot": _context(ca, DOT_ALPN), "doh": _context(ca, "h2")}
        self._servers: dict[str, _Server] = {}
        self._ways: dict[Endpoint, _Way] = {}

    async def ask(self, endpoint: Endpoint, wire: bytes) -> Asked:
        """Sends a message, in its turn, until it is answered or patience ends. Raises KeyError for a server without a permit."""
        way = self._ways.get(endpoint) or self._open(endpoint)
        number, first = 0, 0
        while True:
            number += 1
            place = await way.server.place()
            try:
                last = await way.transport.ask(wire, self._patience.seconds)
            finally:
                place.free()
            first = first or last.sent_at
            if not last.failure:
                way.silent = 0
            if last.failure in _NOT_AGAIN or number >= (self._patience.tries if way.silent < SILENCE else 1):
                break
            if last.failure != "timeout":
                await asyncio.sleep(PAUSE_SECONDS * number)
        way.silent += bool(last.failure)
        return Asked(first, number, last)

    async def close(self) -> None:
        """Closes every socket."""
        for way in self._ways.values():
            await way.transport.close()

    def _open(self, endpoint: Endpoint) -> _Way:
        address = ethics.server(endpoint.address)
        permit = self._permits[address]
        which = f"{address} {endpoint.port}" if permit.by == "loopback" else permit.server or address
        server = self._servers.get(which)
        if server is None:
            server = self._servers[which] = _Server(permit.rate)
        way = self._ways[endpoint] = _Way(self._transport(endpoint), server)
        return way

    def _transport(self, endpoint: Endpoint) -> Transport:
        match endpoint.transport:
            case "udp":
                return Udp(endpoint)
            case "tcp":
                return tcp(endpoint)
            case "dot":
                return dot(endpoint, self._contexts["dot"])
            case "doh":
                return doh(endpoint, self._contexts["doh"], self._contact)
            case "doq":
                return doq(endpoint, self._ca)


class _Server:
    """One machine, and whose turn it is."""

    def __init__(self, rate: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._window = asyncio.Semaphore(UNDER_WAY)
        self._bucket = Bucket(rate, self._loop.time()) if rate else None
        self._turn = asyncio.Lock()
        """One asks the bucket at a time: if this program is stopped for a while, one question is late, and not all that waited go at once."""

    async def place(self) -> _Place:
        """Returns when the next message may go, and counts it as under way until it is freed, or no longer fresh."""
        await self._window.acquire()
        try:
            if self._bucket is not None:
                async with self._turn:
                    while seconds := self._bucket.take(self._loop.time()):
                        await asyncio.sleep(seconds)
        except BaseException:
            self._window.release()
            raise
        return _Place(self._window, self._loop)


class _Place:
    """One question's place among those under way."""

    __slots__ = ("_timer", "_window")

    def __init__(self, window: asyncio.Semaphore, loop: asyncio.AbstractEventLoop) -> None:
        self._window: asyncio.Semaphore | None = window
        self._timer = loop.call_later(FRESH_SECONDS, self.free)

    def free(self) -> None:
        """Gives it back, if it is not yet."""
        if self._window is not None:
            self._window.release()
            self._window = None
            self._timer.cancel()


class _Way:
    """One endpoint."""

    __slots__ = ("server", "silent", "transport")

    def __init__(self, transport: Transport, server: _Server) -> None:
        self.transport = transport
        self.server = server
        self.silent = 0
        """Questions in a row without an answer."""


def _context(ca: Path | None, alpn: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or str(error)
        raise ConfigurationError(f"{ca} holds no certificates ({why}); name a PEM file of who signed those of the resolvers") from None
    context.set_alpn_protocols([alpn])
    return context


def _hold_in_lab(permits: Mapping[str, Permit]) -> None:
    """What is sent to a lab's address from outside one leaves the machine by its default route."""
    of_lab = [address for address in permits if ethics.free(ip_address(address)) == "lab"]
    if of_lab and ethics.LAB_MARK not in (name for _, name in socket.if_nameindex()):
        raise NotAllowed(
            f"{of_lab[0]} is an address for documentation and labs, and this is no machine of a lab: questions to it would leave by the default"
            " route. Give your own resolver's address, or be in a lab: redhand lab up says how"
        )
