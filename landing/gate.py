"""Stands before the operator's own pages, which cost more than the page of a blocked site: so many requests at a time, and so many a minute.

Who is over that is answered from what is kept, without a page being made, so that a flood here takes little from the visitors of blocked sites.
Addresses are held in memory alone (`landing.limits`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from landing.limits import Limit, TooMany, network

EACH_MINUTE, ALL_MINUTE = 240, 6_000
"""Requests from one visitor, or all behind one address; and from everybody."""
EACH_AT_ONCE, ALL_AT_ONCE = 8, 256
"""Requests that are being answered, their bodies' coming included."""
WAIT_SECONDS = 60
"""What who is over it is told to wait."""


class Gate:
    """ASGI middleware. `busy` gives the page, in the language that a request asks for, and its header fields."""

    def __init__(self, app: ASGIApp, busy: Callable[[Scope], tuple[list[tuple[bytes, bytes]], bytes]]) -> None:
        self._app = app
        self._busy = busy
        self._limit = Limit(EACH_MINUTE, 60, ALL_MINUTE)
        self._inside: Counter[bytes] = Counter()
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request in, or says when to come back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else ""
        who = network(address)
        try:
            if self._count >= ALL_AT_ONCE or self._inside[who] >= EACH_AT_ONCE:
                raise TooMany(WAIT_SECONDS)
            self._limit.count(address, time.monotonic())
        except TooMany:
            await self._refuse(scope, send)
            return
        self._count += 1
        self._inside[who] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._count -= 1
            self._inside[who] -= 1
            if not self._inside[who]:
                del self._inside[who]

    async def _refuse(self, scope: Scope, send: Send) -> None:
        fields, body = self._busy(scope)
        # A body may be on its way, which is not read: the connection cannot go on.
        fields = [*fields, (b"retry-after", b"%d" % WAIT_SECONDS), (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 429, "headers": fields})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
