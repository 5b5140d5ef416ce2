"""What every request may bring, and what every answer says to the browser. ASGI, in front of all pages.

A body is read only up to a bound, small for strangers: forms are taken apart before anybody asks who sent them. Large files are taken only on the
paths that are meant for them, and only from who is signed in.
"""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from authority.desk.desk import Desk
from authority.desk.web.who import API, maybe

FORM_OCTETS = 256 * 1024
"""Of what any form or call may bring."""
LARGE: list[tuple[re.Pattern[str], int]] = [
    (re.compile(r"(/api/v1)?/cases/[^/]+/evidence"), 4 << 30),
    (re.compile(r"(/api/v1)?/imports"), 33 << 20),
    (re.compile(r"(/api/v1)?/(orders|packets)(/.*)?"), 4 << 20),
    (re.compile(r"(/api/v1)?/(documents|proposals)(/.*)?"), 16 << 20),
]
"""Paths, whole, that take more from who is signed in, and how much."""

_ODD = re.compile(rb"multipart/.*charset\s*=(?!\s*\"?utf-?8\"?\s*(;|$))", re.IGNORECASE | re.DOTALL)
"""A form that names a coding of its own: any of Python's would be taken for it, also those that make characters which no text has."""

POLICY = b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", POLICY),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"x-robots-tag", b"noindex"),
    (b"cache-control", b"no-store"),
)
"""Each unless the answer says it itself."""


class Bounds:
    """The middleware."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._headers = list(HEADERS)
        if desk.settings.url.startswith("https:"):
            self._headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes one request on, within its bounds."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message.get("headers", [])}
                message = {**message, "headers": [*message.get("headers", []), *(each for each in self._headers if each[0] not in said)]}
            await send(message)

        most = FORM_OCTETS
        if scope["method"] not in ("GET", "HEAD"):
            for path, larger in LARGE:
                if path.fullmatch(scope["path"]):
                    known = await run_in_threadpool(_is_known, scope)
                    most = larger if known else most
        said = dict(scope["headers"])
        if _ODD.search(said.get(b"content-type", b"")):
            await _refuse(sending, scope["path"], 415, "Forms are taken in UTF-8 alone.")
            return
        length = said.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            await _refuse(sending, scope["path"], 413, f"At most {most} octets are taken here.")
            return
        taken = 0

        async def receiving() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise HTTPException(413, f"at most {most} octets are taken here")
            return message

        await self._app(scope, receiving, sending)


def _is_known(scope: Scope) -> bool:
    return maybe(Request(scope)) is not None


async def _refuse(send: Any, path: str, status: int, said: str) -> None:
    text, kind = f"{said}\n", b"text/plain; charset=utf-8"
    if path.startswith(API):
        text, kind = json.dumps({"type": "about:blank", "title": said, "status": status, "detail": said}), b"application/problem+json"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(text)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
