"""A mirror for tests: a real HTTP server over an authority's files, which misbehaves as it is told, and counts every octet on the wire."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "a-token-for-tests"

Fault = Callable[["Handler", bytes], bool]
"""Answers a request for content that there is, in its own way; False to have it answered as usual."""


class Counted(io.RawIOBase):
    """Passes octets on, and counts them."""

    def __init__(self, inner: Any, mirror: Mirror) -> None:
        self._inner, self._mirror = inner, mirror

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found: int = self._inner.readinto1(buffer) if hasattr(self._inner, "readinto1") else self._inner.readinto(buffer)
        self._mirror.octets += found or 0
        return found

    def write(self, data: Any) -> int:
        self._inner.write(data)
        self._mirror.octets += len(data)
        return len(data)

    def flush(self) -> None:
        self._inner.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: Mirror

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rfile = io.BufferedReader(Counted(self.rfile, self.mirror))
        self.wfile = Counted(self.wfile, self.mirror)  # type: ignore[assignment]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        mirror = self.mirror
        path = self.path.lstrip("/")
        mirror.requests.append((path, dict(self.headers)))
        if path == "hints":
            mirror.give_hints(self)
            return
        if path.startswith("log/tile/entries/") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401)
            return
        data = mirror.files().get(path)
        if data is None:
            self.answer(404)
            return
        if mirror.fault is not None and mirror.fault(self, data):
            return
        self.content(data)

    def content(self, data: bytes) -> None:
        """As a good server answers: ranges, entity tags."""
        tag = f'"{sha256(data).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == tag:
            self.answer(304, ETag=tag)
            return
        wanted = self.headers.get("Range", "")
        if wanted and self.mirror.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.answer(206, data[start:], **{"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})
            return
        self.answer(200, data, ETag=tag)

    def answer(self, status: int, data: bytes = b"", **headers: str) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Mirror:
    """`files` gives what is served now."""

    def __init__(self, files: Callable[[], dict[str, bytes]]) -> None:
        self.files = files
        self.fault: Fault | None = None
        self.ranges = True
        self.octets = 0
        """Received and sent, headers too."""
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._listeners: list[Handler] = []
        self.flood: Iterator[bytes] | None = None
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Serves, at the port it had."""

        class Bound(Handler):
            mirror = self

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: object) -> None:
                pass  # clients that hang up are what is tested

        self._server = Server(("127.0.0.1", self.port), Bound)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serves no more: connections are refused."""
        if self._server is not None and self._thread is not None:
            self._over.set()
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            for handler in self._listeners:
                handler.close_connection = True
                handler.connection.close()
            self._server = None

    def hint(self, text: bytes = b"data: 1\n\n") -> None:
        """Sends every listener this."""
        for handler in list(self._listeners):
            try:
                handler.wfile.write(text)
            except OSError:
                self._listeners.remove(handler)

    def give_hints(self, handler: Handler) -> None:
        handler.send_response_only(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(b": welcome\n\n")
        self._listeners.append(handler)
        if self.flood is not None:
            for piece in self.flood:
                handler.wfile.write(piece)
        self._over.wait()


@contextmanager
def mirror(files: Callable[[], dict[str, bytes]]) -> Iterator[Mirror]:
    found = Mirror(files)
    try:
        yield found
    finally:
        found.stop()
