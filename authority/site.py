"""The authority's feed over HTTP, as an ASGI application: files, hints, receipts, reports of errors.

    GET  metadata/… targets/… log/…     the public tree; log/tile/entries/… for operators' tokens alone
    GET  hints                          server-sent events: look now
    POST receipts                       an operator's receipt; the answer is its acknowledgement
    POST reports                        a report of an error that a visitor wrote; the answer is its acknowledgement
    GET  reports/outcomes?after=N       what became of the operator's reports since
    GET  authorize                      whether a token is good: 204 or 401, for a web server in front that serves the entries itself

No client's address is kept or logged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from authority import files
from authority.allowance import Allowance
from authority.clerk import Clerk
from authority.files import File
from authority.hints import Hub
from authority.tokens import Tokens
from blocklists.trust import envelope

PIECE = 1 << 16
"""Octets of a file in memory at a time, for each answer."""
STALLED_SECONDS = 30.0
"""How long a client may take nothing of an answer."""
SLOWEST = 10_000
"""Octets a second below which an answer is broken off, after STALLED_SECONDS."""
ENTRIES_RATE, ENTRIES_BURST = 50.0, 10_000
"""Requests for entries a second and at once, of one operator: a first sync of a million orders is 3,907."""
RECEIPTS_RATE, RECEIPTS_BURST = 2.0, 100
REPORTS_RATE, REPORTS_BURST = 16.0, 200
TOKENS_SECONDS = 0.5
"""Between looks at the operators' file."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Fields = list[tuple[bytes, bytes]]
Taking = Callable[[bytes, str], Awaitable[tuple[int, bytes]]]
"""What takes a body that an operator sent, and gives the status and the answer."""

_METHODS: dict[bytes, tuple[str, ...]] = {
    b"receipts": ("POST",), b"reports": ("POST",), b"reports/outcomes": ("GET",), b"hints": ("GET",),
}  # fmt: skip
_CHALLENGE: Fields = [(b"www-authenticate", b'Bearer realm="redhand feed"')]
_JSON, _STREAM = b"application/json", b"application/octet-stream"
_log = logging.getLogger("authority")


class TooLarge(Exception):
    """A body of more octets than are read."""


class Site:
    """The application."""

    def __init__(self, public: Path, hub: Hub, clerk: Clerk, tokens: Tokens, now: Callable[[], float] = time.monotonic) -> None:
        self._public = public
        self._hub = hub
        self._clerk = clerk
        self._tokens = tokens
        self._now = now
        self._entries = Allowance(ENTRIES_RATE, ENTRIES_BURST)
        self._receipts = Allowance(RECEIPTS_RATE, RECEIPTS_BURST)
        self._reports = Allowance(REPORTS_RATE, REPORTS_BURST)

    async def watch(self) -> None:
        """Follows what changes on the disk, for ever."""
        looking = asyncio.create_task(self._hub.watch())
        try:
            while True:
                await asyncio.sleep(TOKENS_SECONDS)
                self._tokens.look()
        finally:
            looking.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        name = scope["raw_path"].removeprefix(b"/")
        method = scope["method"]
        allowed = _METHODS.get(name, ("GET", "HEAD"))
        if method not in allowed:
            await _say(send, 405, b"This is asked for with " + b" or ".join(each.encode() for each in allowed) + b".\n", _allow(allowed))
        elif name == b"hints":
            await self._hints(scope, receive, send)
        elif name == b"receipts":
            await self._take(scope, receive, send, self._receipts, self._clerk.take)
        elif name == b"reports":
            await self._take(scope, receive, send, self._reports, self._clerk.report)
        elif name == b"reports/outcomes":
            await self._outcomes(scope, send)
        elif name == b"authorize":
            good = self._tokens.operator(_field(scope, b"authorization")) is not None
            await (_say(send, 204, b"") if good else _unauthorized(send))
        else:
            await self._file(name, scope, send)

    async def _file(self, name: bytes, scope: Scope, send: Send) -> None:
        kind = files.kind_of(name)
        if kind is None:
            await _say(send, 404, b"There is no such file.\n")
            return
        if kind.private:
            operator = self._tokens.operator(_field(scope, b"authorization"))
            if operator is None:
                await _unauthorized(send)
                return
            if not self._entries.take(operator, self._now()):
                await _say(send, 429, b"These are more requests than one operator may send. Go on in a minute.\n", [(b"retry-after", b"60")])
                return
        try:
            file = File(self._public, name)
        except OSError as error:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                _log.error("%s cannot be served (%s); mend it, or put it back from a mirror", name.decode(), error.strerror)
            await _say(send, 404, b"There is no such file.\n")
            return
        try:
            await self._send_file(file, kind, name, scope, send)
        except TimeoutError:
            scope["abort"]()
        finally:
            file.close()

    async def _send_file(self, file: File, kind: files.Kind, name: bytes, scope: Scope, send: Send) -> None:
        start, stop, status = 0, file.size, 200
        fields: Fields = [
            (b"cache-control", kind.cache),
            (b"etag", file.tag),
            (b"last-modified", file.modified),
            (b"accept-ranges", b"bytes"),
            (b"x-content-type-options", b"nosniff"),
        ]
        known = _field(scope, b"if-none-match")
        # If-Modified-Since is not looked at: it counts in seconds, and timestamp.json may change twice in one.
        if known is not None and files.same(file.tag, known):
            await send({"type": "http.response.start", "status": 304, "headers": fields})
            await send({"type": "http.response.body", "body": b""})
            return
        wanted = _field(scope, b"range")
        if wanted is not None and _field(scope, b"if-range") in (None, file.tag):
            try:
                found = files.part(wanted, file.size)
            except ValueError:
                await _say(send, 416, b"The file has no such part.\n", [(b"content-range", b"bytes */%d" % file.size)])
                return
            if found is not None:
                start, stop = found
                status = 206
                fields.append((b"content-range", b"bytes %d-%d/%d" % (start, stop - 1, file.size)))
        fields += [(b"content-length", b"%d" % (stop - start)), (b"content-type", _JSON if name.endswith(b".json") else _STREAM)]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        async with asyncio.timeout(STALLED_SECONDS + (stop - start) / SLOWEST):
            while start < stop:
                data = file.read(start, min(PIECE, stop - start))
                if not data:
                    raise TimeoutError  # the file was cut short behind us: what was promised cannot be sent
                start += len(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _hints(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._hub.full:
            await _say(send, 503, b"As many listen as can be told. Poll, and try again later.\n", [(b"retry-after", b"60")])
            return
        fields = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await self._hub.subscribe(receive, send, scope["abort"])

    async def _take(self, scope: Scope, receive: Receive, send: Send, allowance: Allowance, taking: Taking) -> None:
        operator = await self._allowed(scope, send, allowance)
        if operator is None:
            return
        try:
            data = await _body(scope, receive)
        except TooLarge:
            await _say(send, 413, b"What is taken here has at most %d octets.\n" % envelope.MAX_OCTETS)
            return
        if data is not None:
            await self._answered(send, await taking(data, operator))

    async def _outcomes(self, scope: Scope, send: Send) -> None:
        operator = await self._allowed(scope, send, self._reports)
        if operator is not None:
            await self._answered(send, await self._clerk.outcomes(scope["query_string"], operator))

    async def _allowed(self, scope: Scope, send: Send, allowance: Allowance) -> str | None:
        """Who asks; None when it was told that it may not, or not so often."""
        operator = self._tokens.operator(_field(scope, b"authorization"))
        if operator is None:
            await _unauthorized(send)
        elif not allowance.take(operator, self._now()):
            await _say(send, 429, b"This is more than one operator may send. Go on in a minute.\n", [(b"retry-after", b"60")])
            return None
        return operator

    async def _answered(self, send: Send, answer: tuple[int, bytes]) -> None:
        status, words = answer
        await _say(send, status, words, [(b"retry-after", b"60")] if status == 503 else [], _JSON if status == 200 else b"text/plain; charset=utf-8")


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The body; None when the client left. Raises TooLarge."""
    length = _field(scope, b"content-length") or b"0"
    if len(length) > 15 or int(length) > envelope.MAX_OCTETS:
        raise TooLarge
    found = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        found += bytes(message.get("body", b""))
        if len(found) > envelope.MAX_OCTETS:
            raise TooLarge
        if not message.get("more_body"):
            return found


async def _unauthorized(send: Send) -> None:
    await _say(send, 401, b"This needs the token that the authority gave the operator.\n", _CHALLENGE)


async def _say(send: Send, status: int, words: bytes, fields: Fields | None = None, kind: bytes = b"text/plain; charset=utf-8") -> None:
    """An answer that is no file. A refusal ends the connection when it may leave a body unread."""
    sent = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"), *(fields or [])]
    if status != 204:
        sent += [(b"content-type", kind), (b"content-length", b"%d" % len(words))]
    if status in (401, 405, 413, 429):
        sent.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": words})


def _allow(methods: tuple[str, ...]) -> Fields:
    return [(b"allow", ", ".join(methods).encode())]


def _field(scope: Scope, wanted: bytes) -> bytes | None:
    for name, value in scope["headers"]:
        if name == wanted:
            return bytes(value)
    return None
