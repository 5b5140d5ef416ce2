"""A real landing process on a free port, and a client that speaks to it in raw octets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.tools import DEADLINE


class Answer:
    """One HTTP answer, read to the end that its Content-Length gives."""

    def __init__(self, head: bytes, body: bytes) -> None:
        status, *fields = head.decode("latin-1").split("\r\n")
        self.status = int(status.split(" ")[1])
        self.fields = [(name.lower(), value.strip()) for name, _, value in (field.partition(":") for field in fields)]
        self.body = body
        self.text = body.decode()

    def __getitem__(self, name: str) -> str:
        (value,) = (value for field, value in self.fields if field == name)
        return value

    def __contains__(self, name: str) -> bool:
        return any(field == name for field, _ in self.fields)


class Client:
    """A connection that sends what it is told, however wrong."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self._pending = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def answer(self, with_body: bool = True) -> Answer:
        while b"\r\n\r\n" not in self._pending:
            self._more()
        head, _, self._pending = self._pending.partition(b"\r\n\r\n")
        answer = Answer(head, b"")
        length = int(answer["content-length"]) if with_body else 0
        while len(self._pending) < length:
            self._more()
        body, self._pending = self._pending[:length], self._pending[length:]
        return Answer(head, body)

    def closed(self) -> bool:
        """Waits for the server to close; False if it says something instead."""
        try:
            return not self._pending and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        received = self.socket.recv(65536)
        if not received:
            raise AssertionError(f"closed after {self._pending!r}")
        self._pending += received


class Landing:
    """`python -m landing.serve` over one state directory."""

    def __init__(
        self, state_dir: Path, secure: tuple[Path, Path] | None = None, confined: bool = False, carried: bool = True, **settings: Any
    ) -> None:
        """`secure`: files of the certificate and the key for which it listens at `secure_port`. `confined`: without the rights it needs not.
        `carried`: somebody takes reports of errors away."""
        self.errors = state_dir / "landing.log"
        listener, others = (socket.create_server(("127.0.0.1", 0), backlog=1024) for _ in range(2))
        self.port: int = listener.getsockname()[1]
        self.secure_port: int = others.getsockname()[1]
        job = {"settings": {"operator": "Example Telecom", **settings}, "state_dir": str(state_dir), "sockets": [listener.fileno()]}
        job |= {"confined": confined, "carried": carried}
        if secure is not None:
            job["secure"] = {"sockets": [others.fileno()], "chain": secure[0].read_text(), "key": secure[1].read_text()}
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "landing.serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=[listener.fileno(), *([others.fileno()] if secure is not None else [])],
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        listener.close()
        others.close()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job).encode())
        self.process.stdin.close()
        while (ready := self.process.stdout.readline()).startswith(b'{"alarm"'):
            pass  # it looks for a list before it is ready
        if ready != b'{"ready": true}\n':
            raise AssertionError(f"not ready: {ready!r} {self.errors.read_text()}")

    def __enter__(self) -> Landing:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def client(self) -> Client:
        return Client(self.port)

    def ask(self, host: str | bytes | None, target: str = "/", method: str = "GET", fields: str = "", version: str = "1.1") -> Answer:
        """One request on a connection of its own."""
        octets = host.encode() if isinstance(host, str) else host
        line = b"" if octets is None else b"Host: " + octets + b"\r\n"
        with self.client() as client:
            client.send(f"{method} {target} HTTP/{version}\r\n".encode() + line + fields.encode() + b"\r\n")
            return client.answer(with_body=method != "HEAD")

    def wait_for(self, host: str, status: int) -> Answer:
        """Asks until the status is the one expected."""
        deadline = time.monotonic() + DEADLINE
        while (answer := self.ask(host)).status != status:
            if time.monotonic() > deadline:
                raise AssertionError(f"{host} still answers {answer.status}, not {status}")
        return answer

    def stop(self) -> float:
        """Asks it to end; the seconds it took."""
        begun = time.monotonic()
        self.process.terminate()
        self.process.wait(DEADLINE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return time.monotonic() - begun
