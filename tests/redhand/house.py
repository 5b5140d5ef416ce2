"""`redhand resolver` as a whole with a load of many clients on it: for tests of what happens while processes die or are replaced."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.message
import psutil
import yaml

from redhand import status
from resolver.settings import Upstream
from tests.resolver.servers import HOST, UNMEASURED, Scripted
from tests.tools import DEADLINE, free_ports, wait_for

RIGHT, LANDING = "192.0.2.1", "127.0.0.1"


@dataclass
class House:
    """One supervisor and what it runs."""

    directory: Path
    port: int
    settings: dict[str, Any]
    role: str = "resolver"
    prefix: tuple[str, ...] = ()
    """What its command begins with, before the interpreter."""
    program: tuple[str, ...] = ("-m", "redhand")
    fds: tuple[int, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] = field(init=False)

    def write(self, **resolver: Any) -> None:
        """The settings file, with these settings of the resolver."""
        self.settings["resolver"].update(resolver)
        self.put(yaml.safe_dump(self.settings))

    def put(self, text: str) -> None:
        """The settings file, whatever it says."""
        temporary = self.directory / "config.new"
        temporary.write_text(text)
        temporary.rename(self.directory / "config.yaml")

    def start(self) -> None:
        """Returns once it serves."""
        command = [*self.prefix, sys.executable, "-P", *self.program, self.role, "--config", str(self.directory / "config.yaml")]
        with (self.directory / "log").open("ab") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env={**UNMEASURED, **self.environment}, pass_fds=self.fds)
        wait_for(lambda: self.report().get("state") == "serving" or self.process.poll() is not None, "it to serve", 60)
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        """All that it and its children logged."""
        return (self.directory / "log").read_text()

    def report(self) -> dict[str, Any]:
        return status.read(self.directory / "state", status.MAIN) or {}

    def child(self, name: str) -> dict[str, Any]:
        return next((child for child in self.report().get("children", []) if child["name"] == name), {})

    def pid(self, name: str) -> int:
        """The process of a child that is ready; 0 if it is not."""
        child = self.child(name)
        return int(child["pid"]) if child.get("state") == "ready" else 0

    def standby(self) -> int:
        """The process that waits for a job; 0 if none does."""
        standby = self.report().get("standby") or {}
        return int(standby["pid"]) if standby.get("state") == "waiting" else 0

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> float:
        """Asks it to end; the seconds that took."""
        begun = time.monotonic()
        self.process.terminate()
        self.process.wait(DEADLINE)
        return time.monotonic() - begun


@contextmanager
def house(
    directory: Path,
    upstream: Scripted | Upstream,
    workers: int = 2,
    role: str = "resolver",
    port: int = 0,
    how: Mapping[str, Any] | None = None,
    **more: Any,
) -> Iterator[House]:
    """A running house whose list blocks blocked.example. `how`: fields of House that say how it is started; `more`: settings."""
    port = port or free_ports(1)[0]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "own.txt").write_text("blocked.example\n")
    settings = {
        "state_dir": "state",
        "metrics": {"listen": ""},
        "resolver": {
            "listen": [f"{HOST}:{port}"],
            "workers": workers,
            "upstreams": [{"address": (upstream.upstream if isinstance(upstream, Scripted) else upstream).address}],
            "cache_mb": 16,
            "most_lookups_per_client": 16384,
            "most_lookups_per_domain": 16384,
        },
        "blocklists": {"sources": [{"id": "own", "path": "own.txt", "format": "domains"}]},
        **more,
    }
    found = House(directory, port, settings, role, **(how or {}))
    found.write()
    found.start()
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.end()
        assert "Traceback" not in found.said(), found.said()


@dataclass
class Sent:
    """One question of the load."""

    name: str
    sent: float
    answered: float = 0.0
    address: str = ""


class Load:
    """Asks at a steady pace from many sockets, on a thread of its own: `share` of the questions are of new names, the others of a blocked one."""

    def __init__(self, port: int, rate: float = 2000, flows: int = 512, share: float = 0.25) -> None:
        self.asked: list[Sent] = []
        self._rate, self._every = rate, round(1 / share)
        self._poll = select.epoll()
        self._flows = []
        for _ in range(flows):
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            client.connect((HOST, port))
            self._poll.register(client.fileno(), select.EPOLLIN)
            self._flows.append(client)
        self._by_fd = {client.fileno(): client for client in self._flows}
        self._waiting: dict[tuple[int, int], Sent] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def _run(self) -> None:
        wires = {name: dns.message.make_query(name, "A").to_wire()[2:] for name in ("blocked.example", "n0000000.open.example")}
        begun = time.monotonic()
        number = 0
        while not self._stop.is_set():
            now = time.monotonic()
            while number < (now - begun) * self._rate:
                fresh = number % self._every == 0
                name = f"n{number:07}.open.example" if fresh else "blocked.example"
                wire = wires["n0000000.open.example"].replace(b"n0000000", name[:8].encode()) if fresh else wires[name]
                self._send(number, name, wire)
                number += 1
            self._receive(0.0005)
        end = time.monotonic() + 3
        while self._waiting and time.monotonic() < end:
            self._receive(0.01)
        for client in self._flows:
            client.close()
        self._poll.close()

    def _send(self, number: int, name: str, wire: bytes) -> None:
        client = self._flows[number % len(self._flows)]
        sent = Sent(name, time.monotonic())
        self._waiting[client.fileno(), number & 0xFFFF] = sent
        self.asked.append(sent)
        client.send((number & 0xFFFF).to_bytes(2, "big") + wire)

    def _receive(self, seconds: float) -> None:
        for fd, _ in self._poll.poll(seconds, 256):
            try:
                octets = self._by_fd[fd].recv(4096)
            except OSError:
                continue
            sent = self._waiting.pop((fd, int.from_bytes(octets[:2], "big")), None)
            if sent is not None:
                sent.answered = time.monotonic()
                sent.address = _address(octets)

    def finish(self) -> list[Sent]:
        """Ends it once every question is answered, or 3 s have passed; all questions."""
        self._stop.set()
        self._thread.join()
        return self.asked

    def lost(self) -> list[Sent]:
        return [each for each in self.asked if not each.answered]

    def wrong(self) -> list[Sent]:
        """Answered, but not as the list and the upstream say."""
        return [each for each in self.asked if each.answered and each.address != (LANDING if each.name == "blocked.example" else RIGHT)]


def _address(octets: bytes) -> str:
    """The A record of a reply of one record; its RCODE if it has none."""
    if octets[6:8] != b"\0\1":
        return f"RCODE {octets[3] & 15}"
    end = octets.index(b"\0", 12) + 5
    return socket.inet_ntoa(octets[end + 12 : end + 16])
