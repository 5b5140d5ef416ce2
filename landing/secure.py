"""The operator's own pages over TLS, beside the page on port 80: for own_name alone, with bounds on what strangers may hold.

Who asks for any other name, or for none, is refused with the alert unrecognized_name (RFC 6066 section 3) before a certificate is sent: a certificate
of ours under a blocked site's name would be a forgery, and the browser would call it one. A request for another name over a connection made for ours
is misdirected (421, RFC 9110 section 15.5.20). Handshakes under way are bounded and short, and connections are bounded apart from the page's: a flood
of one leaves the other its places.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from blocklists.guarded import MAX_HEAD, GuardedProtocol, raise_descriptor_limit
from landing import host
from landing.certificate import Credentials, context
from landing.hello import MOST_OCTETS, NOT_TLS, Porter
from landing.host import BadHost
from landing.settings import LandingSettings

HANDSHAKES = 512
HANDSHAKE_SECONDS = 5.0
"""How many handshakes may be under way, and how long one may take. When there are more, the oldest gives way to the newcomer."""

CONNECTIONS = 1024
"""Open connections over all addresses; one more is cut."""

SPARE_DESCRIPTORS = 256

SHUTDOWN_SECONDS = 0.5
"""How long the other side may take to take leave."""

REST_SECONDS = 0.5
"""Pause when no connection can be taken, for want of descriptors."""

_MISDIRECTED = b"This server speaks for one name only, and not for the one asked for.\n"


class OnlyOwn:
    """An application for one name: a request for any other is answered 421."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._own(scope):
            await self._app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(_MISDIRECTED)),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 421, "headers": headers})
        await send({"type": "http.response.body", "body": _MISDIRECTED})

    def _own(self, scope: Scope) -> bool:
        fields = [value for field, value in scope["headers"] if field == b"host"]
        try:
            asked = host.of_request(scope["raw_path"], fields[0] if len(fields) == 1 else None)
        except BadHost:
            return False
        return asked.text == self._name


class OnlySecure:
    """An application that is served over TLS: who comes without is sent there. A form sent without is taken: it has crossed the network already."""

    def __init__(self, app: ASGIApp, url: str) -> None:
        self._app = app
        self._url = url.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["scheme"] == "https" or scope["method"] not in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        target = scope["raw_path"] if scope["raw_path"].startswith(b"/") else b"/"
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        headers = [(b"location", self._url + target + query), (b"content-length", b"0"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 308, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class Listening:
    """The listening sockets and what accepts from them; uvicorn closes it with its own."""

    def __init__(self, sockets: Iterable[socket.socket], protocol: Callable[[], asyncio.Protocol], porter: Porter, secured: ssl.SSLContext) -> None:
        self._protocol = protocol
        self._porter = porter
        self._secured = secured
        self.sockets = list(sockets)
        self._under_way: dict[asyncio.Task[None], None] = {}
        """Handshakes, the oldest first."""
        self._accepting = [asyncio.create_task(self._accept(each)) for each in self.sockets]

    async def _accept(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:  # the visitor left again, or there is no descriptor to be had
                await asyncio.sleep(REST_SECONDS)
                continue
            if len(self._under_way) >= HANDSHAKES:
                oldest = next(iter(self._under_way))
                del self._under_way[oldest]
                oldest.cancel()
            task = asyncio.create_task(self._greet(connection))
            self._under_way[task] = None
            task.add_done_callback(lambda done: self._under_way.pop(done, None))
            await asyncio.sleep(0)  # the queue may be long, and others wait for their turn too

    async def _greet(self, connection: socket.socket) -> None:
        """One visitor's handshake. Nothing of it is logged, whatever becomes of it."""
        try:
            connection.setblocking(False)
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                refusal = await self._asked(connection)
            if refusal:
                connection.send(refusal)
        except OSError:  # a TimeoutError is one
            refusal = b"gone"
        except BaseException:
            connection.close()
            raise
        if refusal:
            connection.close()
            return
        with contextlib.suppress(OSError):  # an ssl.SSLError is one
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, connection, ssl=self._secured, ssl_handshake_timeout=HANDSHAKE_SECONDS, ssl_shutdown_timeout=SHUTDOWN_SECONDS
            )

    async def _asked(self, connection: socket.socket) -> bytes:
        """What to refuse a visitor with; empty for who may come in, whose octets are all still to be read. Raises OSError when he leaves."""
        seen = 0
        while True:
            # So that it is woken by more than was seen already (socket(7)): those octets stay where they are until it is known whom he asks for.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)
            await _readable(connection)
            octets = connection.recv(MOST_OCTETS, socket.MSG_PEEK)
            if len(octets) <= seen:
                raise ConnectionResetError("the visitor ended in the middle of his first message")
            seen = len(octets)
            refusal = self._porter.refusal(octets)
            if refusal is None and seen < MOST_OCTETS:
                continue
            if refusal == b"":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
                return refusal
            connection.recv(MOST_OCTETS)  # what is unread at the end would turn it into a reset, in which the alert is lost
            return refusal or NOT_TLS

    def close(self) -> None:
        """Takes no more connections; those that are made go on."""
        for task in (*self._accepting, *self._under_way):
            task.cancel()
        for each in self.sockets:
            each.close()

    async def wait_closed(self) -> None:
        """Returns once nothing is taken any more."""
        await asyncio.gather(*self._accepting, *self._under_way, return_exceptions=True)


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_reader(connection, told.set)
    try:
        await told.wait()
    finally:
        loop.remove_reader(connection)


def listen(server: uvicorn.Server, settings: LandingSettings, job: Mapping[str, Any]) -> Listening:
    """Begins to serve the application of a server that has started on the job's sockets too, as a part of it; `job`: as `landing.serve` says."""
    config = uvicorn.Config(
        OnlyOwn(server.config.loaded_app, settings.own_name),
        lifespan="off",
        ws="none",
        interface="asgi3",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_keep_alive=settings.idle_seconds,
    )
    config.load()
    raise_descriptor_limit(settings.connections + CONNECTIONS + HANDSHAKES + SPARE_DESCRIPTORS)
    made: set[GuardedProtocol] = set()

    class Secured(GuardedProtocol):
        """One connection after its handshake."""

        head_seconds = settings.head_seconds
        most_connections = sys.maxsize  # of the page's and ours together, which says nothing of ours

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            made.add(self)
            if len(made) > CONNECTIONS:
                transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            made.discard(self)
            super().connection_lost(exc)

    def protocol() -> asyncio.Protocol:
        return Secured(config=config, server_state=server.server_state, app_state=server.lifespan.state)

    sockets = [socket.socket(fileno=descriptor) for descriptor in job["sockets"]]
    return Listening(sockets, protocol, Porter(settings.own_name), context(Credentials(job["chain"], job["key"])))
