"""The process that browsers and programs speak to: `python -m authority.desk.server`, started by `serve` with listening sockets already open.

One line of JSON comes on standard input, `{"settings": {…}, "base": "…", "sockets": [3]}`; one goes out when pages are served, `{"ready": true}`.
SIGTERM, or the end of standard input, stops it. It serves plain HTTP: what stands in front of it speaks TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from authority.desk.desk import Desk
from authority.desk.settings import DeskSettings
from authority.desk.web import page
from authority.desk.web.app import create_app
from blocklists import logs, web
from blocklists.guarded import MAX_HEAD, GuardedProtocol, raise_descriptor_limit

MOST_CONNECTIONS = 2048
STALLED_SECONDS = 60
"""After which a client that takes nothing of its answer is let go."""
SLOWEST = 16 * 1024
"""Octets of a request's body that must have come since the last look, every `head_seconds`."""


class Protocol(GuardedProtocol):
    """Requests come whole within 20 s, unless their body, such as a large file, keeps coming; answers may be as long as evidence is."""

    head_seconds = 20.0
    most_connections = MOST_CONNECTIONS
    long_answers = True

    def connection_made(self, transport: Any) -> None:
        self._brought = 0
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._brought += len(data)
        super().data_received(data)

    def _look(self) -> None:
        # That we do not read on, because the disk is slow, is no fault of the client's.
        if self.cycle is not None and self.cycle.more_body and (self._brought >= SLOWEST or self.flow.read_paused):
            self._heard = self.loop.time()
        self._brought = 0
        super()._look()


def prepared(desk: Desk) -> FastAPI:
    """The application, which ends when who started it has ended."""
    app = create_app(desk)

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), _orphaned, loop)
        try:
            yield
        finally:
            loop.remove_reader(sys.stdin.fileno())
            desk.close()

    app.router.lifespan_context = lifespan
    return app


def _orphaned(loop: asyncio.AbstractEventLoop) -> None:
    loop.remove_reader(sys.stdin.fileno())
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serves until it is told to stop. A job that is not as described is a fault of ours and ends in a traceback."""
    job: dict[str, Any] = json.loads(sys.stdin.readline())
    logs.to_stderr("desk")
    desk = Desk(DeskSettings.model_validate(job["settings"]), Path(job["base"]))
    raise_descriptor_limit(MOST_CONNECTIONS + 1024)
    for descriptor in job["sockets"]:
        with socket.socket(fileno=os.dup(descriptor)) as listening:
            # Of what a client does not take, for so long, the kernel lets go; what it accepts inherits this.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS * 1000)
    app = prepared(desk)
    page.compiled()
    gc.freeze()  # what is loaded stays: looking at all of it again takes a tenth of a second, in which nobody is answered
    web.serve(
        app,
        job["sockets"],
        http=Protocol,
        lifespan="on",
        h11_max_incomplete_event_size=MAX_HEAD,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
        backlog=1024,
    )


if __name__ == "__main__":
    main()
