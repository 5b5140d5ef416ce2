"""Reads the head of one HTTP/1 request (RFC 9112): octets in, the few things that the answer depends on out.

Cookies, credentials and whatever else a client sends were meant for another site: they are checked to be well formed, as the end of the head cannot
be found otherwise, and not kept. Nothing is repaired: where the RFC leaves a choice, what no browser sends is a BadHead (lines that end in a bare LF,
folded lines, blanks before a colon). Only a target is taken however it is written, as it is hardly looked at. Pure: no socket, no clock.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from blocklists.errors import RedHandError

MAX_HEAD = 16 * 1024
"""Octets of the longest head that is read, the empty line at its end included."""

MOST_EMPTY_LINES = 4
"""Before a request, which some clients put there after a body (RFC 9112 section 2.2)."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_REQUEST = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]++) HTTP/([0-9])\.([0-9])\r\n")
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb":[^\x00\n\x0b\x0c\r]*+\r\n)*+\r\n")
_WANTED = re.compile(
    rb"\n(host|accept|accept-language|sec-fetch-dest|origin|access-control-request-method|connection|content-length|transfer-encoding|expect)"
    rb":[ \t]*+([^\r]*)",
    re.IGNORECASE,
)
_BARE_LINE_END = re.compile(rb"(?<!\r)\n")
_MOST_DIGITS = 18


class BadHead(RedHandError, ValueError):
    """What the client sent is no request that can be read. `status`: what it is told (RFC 9110 section 15.5, RFC 6585 section 5)."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Head(NamedTuple):
    """What one request asks, as far as the answer depends on it."""

    method: bytes
    target: bytes
    """As it was sent: a path with its query, or one of the other forms (RFC 9112 section 3.2)."""
    host: bytes | None
    """The Host field; None: there was none, which only HTTP/1.0 allows."""
    accept: str = ""
    accept_language: str = ""
    dest: str = ""
    """Sec-Fetch-Dest in lower case: what a browser would use the answer for; empty when it does not say."""
    origin: bool = False
    """Whether an Origin was sent: the request is a script's, or a form's."""
    preflight: bool = False
    """Whether a browser asks if another origin's script may ask (Fetch, CORS-preflight request)."""
    keep_alive: bool = True
    """Whether the client would ask more on this connection."""
    old: bool = False
    """HTTP/1.0: a connection that stays open is to be told so (RFC 9112 section 9.3)."""
    body: int | None = 0
    """Octets of the body that follows; None when that is not known before it has been read, or when the client waits to be asked for it."""
    size: int = 0
    """Octets of the head itself, the empty line at its end and any before it included."""


def read(buffer: bytes, start: int = 0) -> Head | None:
    """The request whose head begins at `start`; None while it is incomplete. Raises BadHead.

    A head that is incomplete and cannot become one is refused at once, as far as that is plain to see: TLS, lines ended by a bare LF, 16 KiB without
    an end.
    """
    begin, most = start, start + 2 * MOST_EMPTY_LINES
    while begin < most and buffer.startswith(b"\r\n", begin):
        begin += 2
    end = buffer.find(b"\r\n\r\n", begin)
    if end < 0:
        _check_unfinished(buffer, start, begin)
        return None
    end += 4
    if end - start > MAX_HEAD:
        raise BadHead(431, f"a request's head of {end - start} octets is too long; the longest is {MAX_HEAD}")
    line = _REQUEST.match(buffer, begin, end)
    if line is None:
        raise BadHead(400, "a request does not begin with a method, a target and HTTP/1.1")
    if _FIELDS.fullmatch(buffer, line.end(), end) is None:
        raise BadHead(400, "a request's field is not a name, a colon and a value in one line")
    method, target, major, minor = line.groups()
    if major != b"1":
        raise BadHead(505, "a request is in another version than HTTP/1")
    return _head(method, target, minor == b"0", _WANTED.findall(buffer, line.end() - 1, end), end - start)


def _check_unfinished(buffer: bytes, start: int, begin: int) -> None:
    first = buffer[begin : begin + 2]
    if first and first != b"\r" and first[0] <= 0x20:
        raise BadHead(400, "a request begins with what is no method")
    if _BARE_LINE_END.search(buffer, begin):
        raise BadHead(400, "a request's line ends in LF alone")
    if len(buffer) - start > MAX_HEAD:
        raise BadHead(431, f"a request's head has no end within {MAX_HEAD} octets")


def _head(method: bytes, target: bytes, old: bool, fields: list[tuple[bytes, bytes]], size: int) -> Head:
    host: bytes | None = None
    accept = accept_language = dest = connection = ""
    lengths: set[bytes] = set()
    origin = asks_for_method = unknown_length = False
    for name, value in fields:
        match name.lower():
            case b"host":
                if host is not None:
                    raise BadHead(400, "a request has two Hosts")
                host = value.rstrip(b" \t")
            case b"accept":
                accept = _joined(accept, value)
            case b"accept-language":
                accept_language = _joined(accept_language, value)
            case b"connection":
                connection = _joined(connection, value)
            case b"sec-fetch-dest":
                dest = value.rstrip(b" \t").decode("latin-1").lower()
            case b"origin":
                origin = True
            case b"access-control-request-method":
                asks_for_method = True
            case b"content-length":
                lengths.update(part.strip(b" \t") for part in value.split(b","))
            case _:  # Transfer-Encoding, Expect
                unknown_length = True
    if host is None and not old:
        raise BadHead(400, "a request has no Host")
    return Head(
        method, target, host, accept, accept_language, dest, origin, origin and asks_for_method and method == b"OPTIONS",
        _stays(connection, old), old, None if unknown_length else _length(lengths), size,
    )  # fmt: skip


def _joined(before: str, value: bytes) -> str:
    text = value.rstrip(b" \t").decode("latin-1")
    return f"{before},{text}" if before and text else before or text


def _length(lengths: set[bytes]) -> int:
    """Octets of the body. A length said twice alike is one (RFC 9112 section 6.3)."""
    if not lengths:
        return 0
    (length, *others) = lengths
    if others or not length.isdigit() or len(length) > _MOST_DIGITS:
        raise BadHead(400, "a request's Content-Length is not one number")
    return int(length)


def _stays(connection: str, old: bool) -> bool:
    """Whether the client leaves the connection open (RFC 9112 section 9.3)."""
    if not connection:
        return not old
    options = {option.strip(" \t").lower() for option in connection.split(",")}
    return "close" not in options and (not old or "keep-alive" in options)
