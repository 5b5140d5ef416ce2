"""The landing process: `python -m landing.serve`, started by the front door with listening sockets already open.

One JSON job comes on standard input, `{"settings": {…}, "state_dir": "…", "sockets": [3, 4], "confined": true}`; one JSON line, `{"ready": true}`,
goes out on standard output when the page is served. SIGTERM stops it in less than 3 s. It binds nothing itself and keeps no access log.
"""

from __future__ import annotations

import json
import resource
import sys
from asyncio import Transport
from pathlib import Path
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from blocklists import confine, logs, readers, web
from blocklists.tell import tell
from landing.app import create_app
from landing.settings import LandingSettings

MAX_HEAD = 16 * 1024
"""Octets of a request head that is surely read; one of twice as many surely is not."""

_BAD = b"The request is not one that can be read.\n"


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1 protocol with bounds on what one client may hold: `head_seconds` to complete each request head, bodies included, and
    a hard limit of connections. Set both on a subclass (`guarded`)."""

    head_seconds = 10.0
    most_connections = 8192

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._heard = self.loop.time()
        self._guard = self.loop.call_later(self.head_seconds, self._look)
        if len(self.connections) > self.most_connections:
            transport.abort()

    def _look(self) -> None:
        left = self._heard + self.head_seconds - self.loop.time()
        if left > 0:
            self._guard = self.loop.call_later(left, self._look)
        else:
            # Not close(), which would wait for a client that does not read.
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._guard.cancel()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        # h11 looks at the size of a head only while it is incomplete, and one read may bring 256 KiB at once.
        for start in range(0, len(data), MAX_HEAD):
            if not self.transport.is_closing():
                super().data_received(data[start : start + MAX_HEAD])

    def handle_events(self) -> None:
        before = self.cycle
        try:
            super().handle_events()
        except h11.LocalProtocolError:
            # The client broke off or broke the protocol while its answer was under way: there is nothing left to say to it.
            self.transport.abort()
        if self.cycle is not before:
            self._heard = self.loop.time()

    def send_400_response(self, msg: str) -> None:
        """Says that the request is not HTTP, with the headers of every other answer; silently drops a client already answered."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE} or (self.cycle is not None and not self.cycle.response_complete):
            self.transport.abort()
            return
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(_BAD)),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", b"default-src 'none'"),
            (b"referrer-policy", b"no-referrer"),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        for event in (h11.Response(status_code=400, headers=headers, reason=b"Bad Request"), h11.Data(data=_BAD), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def guarded(settings: LandingSettings) -> type[GuardedProtocol]:
    """The protocol with one configuration's bounds."""
    bounds = {"head_seconds": settings.head_seconds, "most_connections": 2 * settings.connections}
    return type("GuardedProtocol", (GuardedProtocol,), bounds)


def _raise_descriptor_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main() -> None:
    """Serves until it is told to stop. A job that is not as described is a fault of the front door and ends in a traceback."""
    job: dict[str, Any] = json.load(sys.stdin)
    settings = LandingSettings.model_validate(job["settings"])
    logs.to_stderr("landing", job.get("logs", "text"))
    if job.get("confined") is True:
        confine.confine([readers.prepare(Path(job["state_dir"]))])
    _raise_descriptor_limit(2 * settings.connections + 256)
    web.serve(
        create_app(settings, Path(job["state_dir"]), tell),
        job["sockets"],
        http=guarded(settings),
        lifespan="on",
        h11_max_incomplete_event_size=MAX_HEAD,
        limit_concurrency=settings.connections,
        timeout_keep_alive=settings.idle_seconds,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
