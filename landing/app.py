"""What uvicorn runs: the process's life, and the operator's own pages. Requests for anything else never come here (`landing.front`).

Connections with a request for the own pages come from there, with what was read of them. Each ends with its answer: on a connection that somebody in
between shares among visitors, the next request may be for a blocked site, whose page is not given here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import MutableMapping
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from blocklists.guarded import GuardedProtocol
from landing.counts import Counts
from landing.following import Following
from landing.front import Own
from landing.settings import LandingSettings

FIRST_LOOK_SECONDS = 1.0
"""How long the page waits for the version in force before it says that it is ready; a disk that hangs holds it up no longer."""


class Application:
    """The ASGI application: follows the version in force, and keeps the counts, from the server's start to its end.

    `own`: the operator's own pages, if there are any.
    """

    def __init__(self, following: Following, counts: Counts, own: ASGIApp | None = None) -> None:
        self._following = following
        self._counts = counts
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The server's life, or a request for the own pages."""
        if scope["type"] != "lifespan":
            if self._own is not None:
                # A fault was answered and told of there; uvicorn would log its message too, and that may hold the visitor's words.
                with contextlib.suppress(Exception):
                    await self._own(scope, receive, send if scope["scheme"] == "https" else _last(send))
            return
        tasks = [asyncio.create_task(each) for each in (self._following.run(), self._counts.keep())]
        try:
            await self._following.first_look(FIRST_LOOK_SECONDS)
            await (self._own or _live)(scope, receive, send)
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            self._following.withdraw()
            self._counts.close()


def _last(send: Send) -> Send:
    """Sends an answer as the last of its connection (RFC 9112 section 9.6)."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            others = [field for field in message.get("headers", ()) if field[0].lower() != b"connection"]
            message = {**message, "headers": [*others, (b"connection", b"close")]}
        await send(message)

    return sent


async def _live(_scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI lifespan of an application with nothing to begin or end."""
    for said in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{said}.complete"})


class Handed(GuardedProtocol):
    """uvicorn's protocol for a connection that began elsewhere: what was read of it there is heard first."""

    first = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.data_received(self.first)


def handing(server: uvicorn.Server, settings: LandingSettings) -> Own:
    """How the front hands a connection over to a server that has started."""
    bounds = {"head_seconds": settings.head_seconds, "most_connections": 2 * settings.connections}
    bounded: type[Handed] = type("Handed", (Handed,), bounds)

    def own(octets: bytes) -> Handed:
        made = bounded(config=server.config, server_state=server.server_state, app_state=server.lifespan.state)
        made.first = octets
        return made

    return own
