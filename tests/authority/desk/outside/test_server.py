"""What one connection may hold: a body must keep coming, and may then take as long as it is large."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from authority.desk.server import SLOWEST, Protocol
from tests.tools import wait_for

HELD = 0.4


class Quick(Protocol):
    """With less patience, so that the test needs less too."""

    head_seconds = HELD


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    async def count(scope: Any, receive: Any, send: Any) -> None:
        taken, more = 0, True
        while more:
            message = await receive()
            taken, more = taken + len(message.get("body", b"")), message.get("more_body", False)
        text = str(taken).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
        await send({"type": "http.response.body", "body": text})

    server = uvicorn.Server(uvicorn.Config(count, port=0, http=Quick, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started, "the server serves")
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


def test_a_large_body_that_keeps_coming_is_taken_whole(port: int) -> None:
    pieces, size = 12, SLOWEST + 1000
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (pieces * size))
        began, pause = time.monotonic(), threading.Event()
        for _ in range(pieces):
            client.sendall(b"x" * size)
            pause.wait(HELD / 3)
        assert time.monotonic() - began > 3 * HELD
        assert client.recv(1000).endswith(b"%d" % (pieces * size))


@pytest.mark.parametrize("sent", [b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx", b"POST / HT"])
def test_who_stops_sending_is_let_go(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1000) == b""
