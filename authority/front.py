"""The process that strangers speak to: `python -m authority.front`, started by `authority.serve` with listening sockets already open.

One line of JSON comes on standard input, `{"directory": "…", "sockets": [3]}`; one goes out when the feed is served, `{"ready": true}`. SIGTERM, or
the end of standard input, stops it in less than 3 s. It may write to the book of receipts and among the reports that come in, and nowhere else: what
is public it cannot change.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match

from authority import receipts, reports, tokens
from authority.clerk import Clerk
from authority.hints import Hub
from authority.places import Places
from authority.site import STALLED_SECONDS, Site
from blocklists import confine, logs, web
from blocklists.guarded import MAX_HEAD, GuardedProtocol, raise_descriptor_limit

MOST_CONNECTIONS = 8192
"""Twice as many as subscribers, so that who listens does not keep others from fetching."""
HINTS_OCTETS = 4096
"""Of hints that wait for one subscriber, here and in the kernel."""


class Protocol(GuardedProtocol):
    """Files and hints take as long as the site lets them; requests, receipts too, come whole within 10 s."""

    head_seconds = 10.0
    most_connections = MOST_CONNECTIONS
    long_answers = True

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and not self.transport.is_closing():
            self.scope["abort"] = self.transport.abort  # type: ignore[typeddict-unknown-key]
            if self._listens:
                self.transport.set_write_buffer_limits(HINTS_OCTETS)
                self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HINTS_OCTETS)

    def shutdown(self) -> None:
        super().shutdown()
        if self.scope is not None and self._listens:
            self.transport.close()

    @property
    def _listens(self) -> bool:
        return self.scope["raw_path"] == b"/hints"


class _Everything(BaseRoute):
    """A route that takes every HTTP request, whatever its target looks like."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def matches(self, scope: Any) -> tuple[Match, Any]:
        return (Match.FULL, {}) if scope["type"] == "http" else (Match.NONE, {})

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        await self._site(scope, receive, send)


def create_app(places: Places) -> Starlette:
    """The feed's application. Raises what opening the book of receipts does."""
    clerk = Clerk(places)
    site = Site(places.public, Hub(places.public), clerk, tokens.Tokens(tokens.path_of(places)))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        watching = loop.create_task(site.watch())
        loop.add_reader(sys.stdin.fileno(), _orphaned, loop)
        try:
            yield
        finally:
            loop.remove_reader(sys.stdin.fileno())
            watching.cancel()
            clerk.close()

    return Starlette(routes=[_Everything(site)], lifespan=lifespan)


def _orphaned(loop: asyncio.AbstractEventLoop) -> None:
    """Who started us ended: so do we."""
    loop.remove_reader(sys.stdin.fileno())
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serves until it is told to stop. A job that is not as described is a fault of ours and ends in a traceback."""
    job: dict[str, Any] = json.loads(sys.stdin.readline())
    logs.to_stderr("front")
    places = Places(Path(job["directory"]))
    receipts.directory_of(places).mkdir(mode=0o700, exist_ok=True)
    confine.confine([receipts.directory_of(places), reports.prepare(places)], connects=False)
    raise_descriptor_limit(MOST_CONNECTIONS + 1024)
    for descriptor in job["sockets"]:
        with socket.socket(fileno=os.dup(descriptor)) as listening:
            # Of what a client does not take, for so long, the kernel lets go; what it accepts inherits this.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED_SECONDS * 1000))
    web.serve(
        create_app(places),
        job["sockets"],
        http=Protocol,
        lifespan="on",
        h11_max_incomplete_event_size=MAX_HEAD,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=2,
        backlog=2048,
    )


if __name__ == "__main__":
    main()
