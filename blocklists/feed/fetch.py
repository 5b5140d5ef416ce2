"""Fetches files by HTTP from addresses nobody trusts: never longer than a deadline, never more than a bound, never decompressed, never redirected.

Signatures are others' work. Here only time, memory and disk are protected: the deadline covers all of a request, its headers too, however slowly they
drip. (Looking up the server's name comes before and has the system's own limits.) Every error of the libraries below becomes a Fault.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.response import HTTPResponse

from blocklists.feed.faults import Away, Fault, Refused
from blocklists.names import clip

SECONDS = 30.0
"""A request's total deadline."""
SILENT_SECONDS = 10.0
"""How long a connection may take to be made, and a server may say nothing at all."""
REMEMBERED = 1 << 16
"""Octets up to which an answer with an entity tag is kept, so that the same again need not be sent."""
_PIECE = 1 << 16

_REACH = "see whether the authority's server is up and this machine reaches it; it is tried again by itself"
_ASK = "ask the authority, or name another mirror in feed.urls; it is tried again by itself"
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


class _Cuttable(HTTPConnection):
    """A connection that another thread can end, whatever it waits for: a TLS handshake takes the first socket away, not its twin."""

    twin: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        self.twin = made.dup()
        return made

    def cut(self) -> None:
        if self.twin is not None:
            with suppress(OSError):
                self.twin.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self.twin is not None:
            self.twin.close()
            self.twin = None
        super().close()


class _CuttableTLS(_Cuttable, HTTPSConnection):
    """The same with TLS."""


class Client:
    """Keeps a connection to each server open between requests. One thread at a time."""

    def __init__(self, token: str = "", silent: float = SILENT_SECONDS) -> None:
        """`token` goes only where a request says that it is `authorized`; `silent` is how long a server may say nothing."""
        self._token = token
        self._silent = silent
        self._open: dict[tuple[str, str, int], _Cuttable] = {}
        self._known: dict[str, tuple[str, bytes]] = {}
        self.until = math.inf
        """When, by the monotonic clock, requests end that have not ended by then, and none begins any more."""
        self._tls = ssl.create_default_context()

    def get(self, url: str, most: int, *, start: int = 0, authorized: bool = False, seconds: float = SECONDS) -> bytes:
        """What the address holds from octet `start` on, at most `most` octets. Raises Fault (Away with the status when there was one)."""
        return b"".join(self.pieces(url, most, start=start, authorized=authorized, seconds=seconds))

    def pieces(self, url: str, most: int, *, start: int = 0, authorized: bool = False, seconds: float = SECONDS, accept: str = "") -> Iterator[bytes]:
        """As `get`, bit by bit; a fault may come after some of them."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "redhand"}
        if accept:
            headers["Accept"] = accept
        if start:
            headers["Range"] = f"bytes={start}-"
        if authorized and self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        known = self._known.get(url) if not start else None
        if known is not None:
            headers["If-None-Match"] = known[0]
        connection = self._connection(url)
        seconds = min(seconds, self.until - time.monotonic())
        if seconds <= 0:
            raise Away(f"{url} was not asked for: what came before took all the time this server may take", _REACH)
        ends = time.monotonic() + seconds
        with _translated(url, seconds, ends), _deadline(connection, ends):
            response = _answer(connection, url, headers, ends)
            if response.status == 304 and known is not None:
                response.read(decode_content=False)
                yield known[1]
                return
            skip, allowed = _accept(response, url, most, start)
            gathered = bytearray()
            while piece := response.read1(_PIECE, decode_content=False):
                allowed -= len(piece)
                if allowed < 0:
                    raise Refused(f"{url} gives more than the {most} octets it may have", _ASK)
                skipped = min(skip, len(piece))
                skip -= skipped
                if len(gathered) <= REMEMBERED:
                    gathered += piece
                if len(piece) > skipped:
                    yield piece[skipped:]
            if time.monotonic() >= ends:  # a connection that was cut may look like one that ended
                raise TimeoutError
            tag = response.headers.get("ETag", "")
            if tag and len(tag) <= 200 and tag.isprintable() and not start and len(gathered) <= REMEMBERED and response.status == 200:
                self._known = {**dict(list(self._known.items())[-15:]), url: (tag, bytes(gathered))}

    def post(self, url: str, body: bytes, most: int, *, seconds: float = SECONDS) -> bytes:
        """What the server answers, with at most `most` octets, to these octets, sent with the token. Raises Fault."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "redhand", "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = self._connection(url)
        ends = time.monotonic() + seconds
        with _translated(url, seconds, ends), _deadline(connection, ends):
            response = _answer(connection, url, headers, ends, body)
            data = bytearray()
            while len(data) <= most and (piece := response.read1(_PIECE, decode_content=False)):
                data += piece
            if time.monotonic() >= ends:
                raise TimeoutError
            if response.status in (400, 409, 413):
                raise Refused(f"{url} refuses what was sent: {clip(data.decode('utf-8', 'replace').strip(), 300)}", _ASK)
            _accept(response, url, most, 0)
            if len(data) > most:
                raise Refused(f"{url} gives more than the {most} octets it may have", _ASK)
            return bytes(data)

    def close(self) -> None:
        """Closes every connection."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _connection(self, url: str) -> _Cuttable:
        parts = split(url)
        key = (parts[0], parts[1], parts[2])
        if key not in self._open:
            scheme, host, port = key
            if scheme == "https":
                self._open[key] = _CuttableTLS(host, port, timeout=self._silent, ssl_context=self._tls, cert_reqs=ssl.CERT_REQUIRED)
            else:
                self._open[key] = _Cuttable(host, port, timeout=self._silent)
        return self._open[key]


def split(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port, and path with query. Raises Refused for what is not an http or https address."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
            raise ValueError("it has no http or https, no host, or has a user or a fragment")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Refused(f"{clip(url)} is not an address to fetch from ({clip(str(error))})", "mend it in feed.urls") from None
    return parts.scheme, parts.hostname, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _answer(connection: _Cuttable, url: str, headers: dict[str, str], ends: float, body: bytes | None = None) -> HTTPResponse:
    """The answer's head. A connection that the server had closed meanwhile is opened again, once."""
    path = split(url)[3]
    method = "GET" if body is None else "POST"
    was_open = connection.sock is not None
    try:
        connection.request(method, path, body, headers, preload_content=False, decode_content=False)
        return connection.getresponse()
    except ConnectionError:
        connection.close()
        if not was_open or time.monotonic() >= ends:
            raise
    connection.request(method, path, body, headers, preload_content=False, decode_content=False)
    return connection.getresponse()


def _accept(response: HTTPResponse, url: str, most: int, start: int) -> tuple[int, int]:
    """How many octets of the body to leave out, and how many it may have; raises Fault for an answer that is not taken."""
    status = response.status
    if 300 <= status < 400:
        raise Refused(f"{url} sends us elsewhere (HTTP {status}), and addresses of a feed are not followed", "name the right address in feed.urls")
    if status in (401, 403):
        raise Refused(
            f"{url} does not let us in (HTTP {status})",
            "see that feed.token_file holds the token the authority gave this operator, or ask for a new one",
        )
    if status == 404 or status >= 500 or status == 429:
        raise Away(f"{url} answers HTTP {status}", _REACH, status)
    if status not in (200, 206):
        raise Refused(f"{url} answers HTTP {status}", _ASK)
    if (coding := response.headers.get("Content-Encoding", "")) and coding.lower() != "identity":
        raise Refused(f"{url} comes encoded as {clip(coding)}, which was not asked for and is not unpacked", _ASK)
    skipped = 0
    if status == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if not start or found is None or int(found[1]) != start:
            raise Refused(f"{url} gives another part than was asked for", _ASK)
    else:
        skipped = start
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and len(length) < 16 and int(length) > most + skipped:
        raise Refused(f"{url} announces {length} octets, more than the {most + skipped} it may have", _ASK)
    return skipped, most + skipped


@contextmanager
def _translated(url: str, seconds: float, ends: float) -> Iterator[None]:
    """Errors of the libraries as Faults."""
    try:
        yield
    except (Fault, GeneratorExit):
        raise
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        if time.monotonic() >= ends:
            raise Away(f"{url} did not come whole within {seconds:.3g} s", _REACH) from None
        said = error.__cause__ if isinstance(error, NewConnectionError) else None  # its own words begin with the name of our class
        reason = str(said or error) if not isinstance(error, HTTPException) else repr(error)
        raise Away(f"{url} cannot be fetched ({clip(reason)})", _REACH) from None


@contextmanager
def _deadline(connection: _Cuttable, ends: float) -> Iterator[None]:
    """Cuts the connection when the time is up, whatever it is waiting for; and whenever the answer was not read to its end."""
    timer = threading.Timer(max(0.0, ends - time.monotonic()), connection.cut)
    timer.daemon = True
    timer.start()
    whole = False
    try:
        yield
        whole = True
    finally:
        timer.cancel()
        if not whole:
            connection.close()
