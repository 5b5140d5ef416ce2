"""uvicorn's HTTP/1 protocol, made safe for strangers: what one connection may hold, and for how long, and what it is told when it speaks no HTTP."""

from __future__ import annotations

import resource
from asyncio import Transport

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD = 16 * 1024
"""Octets of a request head that is surely read; one of twice as many surely is not."""

NEWBORN_SECONDS = 0.5
"""How long a connection without a request yet is still waited for when the server ends: its request may be on its way."""

_BAD = b"The request is not one that can be read.\n"


class GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1 protocol with bounds on what one client may hold: `head_seconds` to complete each request, its body and answer included, and
    a hard limit of connections. Set them on a subclass."""

    head_seconds = 10.0
    most_connections = 8192
    long_answers = False
    """Whether an answer may take longer; whoever gives it then sees to its end."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._heard = self.loop.time()
        self._guard = self.loop.call_later(self.head_seconds, self._look)
        if len(self.connections) > self.most_connections:
            transport.abort()

    def _look(self) -> None:
        if self.long_answers and self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            self._heard = self.loop.time()
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

    def shutdown(self) -> None:
        """The server ends: a connection that was just made is not closed under a request that is on its way."""
        if self.cycle is None and not self.transport.is_closing():
            self.loop.call_later(NEWBORN_SECONDS, super().shutdown)
        else:
            super().shutdown()

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


def raise_descriptor_limit(wanted: int) -> None:
    """Lets this process open so many files, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
