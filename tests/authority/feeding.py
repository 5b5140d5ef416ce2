"""The authority's real server for tests, operators with tokens and keys, and clients that speak to it, well or badly."""

from __future__ import annotations

import base64
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import urllib3

from authority import operators
from authority.keys import KeyInMemory, generate
from authority.publisher import publish
from blocklists import receipt
from blocklists.log.tree import Tree
from blocklists.receipt import Receipt
from blocklists.trust.envelope import RECEIPT, Envelope
from tests.authority.cast import NOW, ORIGIN, Cast
from tests.tools import DEADLINE, free_ports, wait_for


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    fields: Mapping[str, str]
    body: bytes


class Server:
    """`redhand authority serve` over one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = directory.parent / f"{directory.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "redhand", "authority", "serve", str(directory), "--listen", f"127.0.0.1:{self.port}"],
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._pool = urllib3.PoolManager(retries=False, timeout=DEADLINE)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert b"is served at" in said, self.log.read_text()

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **fields: str) -> Answer:
        """One request; field names with underscores for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in fields.items()}
        answer = self._pool.request(method, self.url + path, headers=sent, body=body, redirect=False)
        return Answer(answer.status, answer.headers, answer.data)

    def raw(self) -> socket.socket:
        """A connection that sends what it is told, however wrong."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)

    def said(self, words: str) -> None:
        """Waits until the log says so."""
        wait_for(lambda: words in self.log.read_text(), f"the log says {words!r}")

    def stop(self) -> int:
        """Asks it to end; its status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE)
        self.process.stdout.close()  # type: ignore[union-attr]
        self._pool.clear()
        return status


@contextmanager
def serving(directory: Path) -> Iterator[Server]:
    """The server, ended afterwards."""
    server = Server(directory)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


class Operator:
    """Somebody with a token, a key and a chain of receipts."""

    def __init__(self, name: str, token: str, key: KeyInMemory) -> None:
        self.name = name
        self.bearer = f"Bearer {token}"
        self.key = key
        self.number = 0
        self.previous: str | None = None

    def receipt(self, tree: Tree, **fields: Any) -> bytes:
        """The next receipt, for the log as it stands; it counts as sent."""
        made = self.draft(tree, **fields)
        self.number += 1
        self.previous = receipt.digest(made.payload)
        return made.encode()

    def draft(self, tree: Tree, signer: KeyInMemory | None = None, **fields: Any) -> Envelope:
        """A receipt that would be the next one, or whatever the fields say."""
        said = Receipt.model_validate(
            {
                "type": "receipt",
                "version": 1,
                "log": ORIGIN,
                "operator": self.name,
                "number": self.number + 1,
                "previous": self.previous,
                "checkpoint": {"size": tree.size, "root": base64.b64encode(tree.root).decode(), "time": NOW},
                "serial": 7,
                "identity": "ab" * 32,
                "exceptions": [],
                "at": NOW,
                **fields,
            }
        )
        made = Envelope(RECEIPT, said.encode())
        signer = signer or self.key
        return made.with_signature(signer.key.keyid, signer.sign(made.signed_bytes()))


def registered(cast: Cast, directory: Path, name: str, now: int = NOW) -> Operator:
    """An operator whose key is in the policy that is published, and who has a token."""
    key = generate()
    token, packet = operators.add(directory, name, f"{name} Telecom", key.key, now)
    assert packet is not None
    publish(directory, [cast.sign(packet, "targets-1", "targets-2")], now)
    return Operator(name, token, key)


def listening(server: Server, port: int | None = None) -> socket.socket:
    """A subscriber to hints, who has had its first comment."""
    connection = socket.create_connection(("127.0.0.1", port or server.port), timeout=DEADLINE)
    connection.sendall(b"GET /hints HTTP/1.1\r\nHost: feed.example\r\n\r\n")
    received = b""
    while b":\n\n" not in received:
        received += connection.recv(4096)
        assert received.startswith(b"HTTP/1.1 200"), received
    return connection


def event(connection: socket.socket) -> bytes:
    """Waits for the next event; its data."""
    received = b""
    while b"data: " not in received or not received.rstrip(b"\r\n").split(b"data: ")[1].isdigit() or b"\n\n" not in received.split(b"data: ")[1]:
        piece = connection.recv(4096)
        assert piece, received
        received += piece
    return received.split(b"data: ")[1].split(b"\n")[0]
