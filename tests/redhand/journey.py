"""The whole way of a directive, for tests: an authority with people and a server, resolvers that follow it, clients that reach every worker."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message
import psutil

from authority.drafts import draft_order
from authority.packets import Packet
from blocklists import readers, store
from blocklists.errors import StoreError
from tests.authority.cast import Cast, following, found, order
from tests.authority.feeding import Operator, Server, registered
from tests.redhand.house import House, house
from tests.resolver.servers import HOST, UNMEASURED, Scripted, errors, query
from tests.tools import wait_for

LANDING, ELSEWHERE = "127.0.0.1", "198.51.100.7"
PORTS = 32
"""Questions from so many ports reach each of two workers, but for once in two thousand million times."""
PATIENCE = 60.0
"""Seconds after which what a test waits for is called missing: it starts many processes, on a machine that may have much else to do."""


class Office:
    """An authority: officers north-1 to north-3, a reviewer, and what they have published."""

    def __init__(self, place: Path, **fields: Any) -> None:
        """`fields`: of the ceremony's file."""
        self.cast = Cast()
        self.directory = place / "authority"
        self.publisher = found(self.cast, self.directory, int(time.time()), **{"limits": {}, **fields})
        self.server: Server | None = None

    @property
    def root(self) -> Path:
        """The file that an operator is given."""
        return self.directory / "public" / "metadata" / "1.root.json"

    def serve(self) -> Server:
        self.server = Server(self.directory)
        return self.server

    def die(self) -> None:
        """Its server, all processes of it, at once; what is published stays on its disk."""
        assert self.server is not None
        os.killpg(self.server.process.pid, signal.SIGKILL)
        self.server.process.wait()

    def operator(self, name: str) -> Operator:
        """A new operator, with a token and a receipt key."""
        return registered(self.cast, self.directory, name, int(time.time()))

    def sign(self, document: dict[str, Any], *names: str) -> Packet:
        """The order, drafted and signed, by two officers unless it is said by whom."""
        return self.cast.sign(draft_order(self.directory, document), *(names or ("north-1", "north-2")))

    def publish(self, *packets: Packet) -> int:
        """What is public now is there when this returns; the size of the log."""
        return self.publisher.publish(packets, int(time.time())).size

    def order(self, identity: str, *names: str) -> int:
        """Signed by two officers, and published."""
        return self.publish(self.sign(block(identity, *names)))

    def withdraw(self, identity: str) -> int:
        """Signed by one officer, and published."""
        return self.publish(self.sign(follower(identity, "withdraw"), "north-1"))


def instant(seconds: float) -> str:
    """Unix seconds as an order has them."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def block(identity: str, *names: str, starts: int = 0, ends: int = 0, **fields: Any) -> dict[str, Any]:
    """An order as an officer writes it; in force from now on, for a day, unless it says otherwise (unix seconds)."""
    now = int(time.time())
    times = {"issued_at": instant(now), "effective_at": instant(starts or now), "expires_at": instant(ends or now + 86_400)}
    return order(identity, *names, **{**times, **fields})


def follower(identity: str, action: str, **fields: Any) -> dict[str, Any]:
    """A withdrawal, or a suspension for an hour."""
    now = int(time.time())
    times = {"issued_at": instant(now), "effective_at": instant(now)}
    if action == "suspend":
        times["expires_at"] = instant(now + 3600)
    return following(identity, action, **{**times, **fields})


@contextmanager
def office(place: Path, **fields: Any) -> Iterator[Office]:
    """An authority that is served."""
    found_here = Office(place, **fields)
    found_here.serve()
    try:
        yield found_here
    finally:
        if found_here.server is not None and found_here.server.process.poll() is None:
            found_here.server.stop()


@contextmanager
def resolver(place: Path, by: Office, upstream: Scripted, name: str, role: str = "resolver", workers: int = 2, **more: Any) -> Iterator[House]:
    """A running resolver of the operator `name`, which follows the authority; `more`: settings, of the feed and others."""
    operator = by.operator(name)
    directory = place / name
    directory.mkdir()
    (directory / "token").write_text(operator.bearer.removeprefix("Bearer "))
    (directory / "key.pem").write_bytes(operator.key.pem(None))
    (directory / "key.pem").chmod(0o600)
    (directory / "token").chmod(0o600)
    assert by.server is not None
    feed = {
        "urls": [by.server.url],
        "root": str(by.root),
        "token_file": "token",
        "operator": name,
        "receipt_key": "key.pem",
        **more.pop("feed", {}),
    }
    with house(directory, upstream, workers, role, **{"feed": feed, "blocklists": {"sources": []}, **more}) as running:
        yield running


# What clients see


def ask_everywhere(port: int, wire: bytes, ports: int = PORTS) -> list[bytes]:
    """The same octets asked from many ports, so that every worker answers some; the answers, their IDs set to 0. One that is lost is asked again."""
    answers = []
    with ExitStack() as held:
        clients = []
        for _ in range(ports):
            client = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            client.connect((HOST, port))
            client.settimeout(2.0)
            client.send(wire)
            clients.append(client)
        for client in clients:
            answers.append(_answer(client, wire))
    return answers


def _answer(client: socket.socket, wire: bytes) -> bytes:
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return b"\0\0" + client.recv(4096)[2:]
        except OSError:  # nobody in 2 s; or refused, while nobody listens
            assert time.monotonic() < ends, "no answer"
            time.sleep(0.02)
            try:
                client.send(wire)
            except OSError:
                continue


def ask_by_streams(port: int, wire: bytes, connections: int = PORTS) -> list[bytes]:
    """The same by TCP."""
    answers = []
    with ExitStack() as held:
        clients = [held.enter_context(socket.create_connection((HOST, port), timeout=PATIENCE)) for _ in range(connections)]
        for client in clients:
            client.sendall(len(wire).to_bytes(2, "big") + wire)
        for client in clients:
            stream = held.enter_context(client.makefile("rb"))
            answers.append(b"\0\0" + stream.read(int.from_bytes(stream.read(2), "big"))[2:])
    return answers


def question(name: str) -> bytes:
    """Always the same octets for a name."""
    message = query(name)
    message.id = 0x4711
    return message.to_wire()


def said(octets: bytes) -> tuple[str, str]:
    """The address that an answer ends with (or its RCODE), and the text of its EDE 16 (Censored), if it has one."""
    answer = dns.message.from_wire(octets)
    records = [record.to_text() for rrset in answer.answer for record in rrset]
    return records[-1] if records else f"RCODE {answer.rcode()}", errors(answer).get(16, "")


def verdicts(port: int, name: str, ports: int = PORTS) -> set[tuple[str, str]]:
    """What all workers say of a name; one element when they agree."""
    return {said(octets) for octets in ask_everywhere(port, question(name), ports)}


@dataclass(frozen=True)
class Heard:
    """Whether all workers say what was expected of them, and what they said: a test that fails shows it."""

    expected: bool
    said: frozenset[tuple[str, str]]

    def __bool__(self) -> bool:
        return self.expected


def blocked(port: int, name: str, reference: str, ports: int = PORTS) -> Heard:
    """Whether every worker blocks the name, and says by which order."""
    found_here = verdicts(port, name, ports)
    return Heard(all(address == LANDING and reference in text for address, text in found_here), frozenset(found_here))


def open_to_all(port: int, name: str, ports: int = PORTS) -> Heard:
    """Whether every worker gives the upstream's answer."""
    found_here = verdicts(port, name, ports)
    return Heard(found_here == {(ELSEWHERE, "")}, frozenset(found_here))


# What an operator sees


def manifest(running: House) -> dict[str, Any]:
    """Of the version in force."""
    state_dir = running.directory / "state"
    found_here: dict[str, Any] = store.read_manifest(state_dir, *store.read_current(state_dir))
    return found_here


def orders(running: House) -> dict[str, Any]:
    """What the version in force says of the log; empty as long as it says nothing."""
    try:
        return manifest(running)["orders"] or {}
    except StoreError:
        return {}


def names_in_force(running: House) -> set[str]:
    """All names of the version in force, subtrees with a dot in front."""
    version = store.open_current(running.directory / "state")
    return {name for line in version.lines() for name in json.loads(line)["names"]}


def caught_up(running: House, size: int) -> None:
    """Waits until every worker has in force what the log's first entries say."""
    wait_for(lambda: orders(running).get("size", 0) >= size, f"the log of {size} entries in a version; {running.said()}", PATIENCE)
    everywhere(running)


def everywhere(running: House) -> None:
    """Waits until every worker says on disk that it has the current version."""

    def same() -> bool:
        serial = store.read_current(running.directory / "state")[0]
        found_here = [each for name, each in readers.live(running.directory / "state").items() if name.startswith("worker")]
        return len(found_here) == running.settings["resolver"]["workers"] and min(found_here) >= serial

    wait_for(same, "the version in force in every worker", PATIENCE)


def command(running: House, *words: str) -> subprocess.CompletedProcess[str]:
    """`redhand …` with the resolver's settings."""
    line = [sys.executable, "-P", "-m", "redhand", *words, "--config", str(running.directory / "config.yaml")]
    return subprocess.run(line, env=UNMEASURED, capture_output=True, text=True, check=False, timeout=PATIENCE)


def builds(running: House) -> bool:
    """Whether a build of the operator's own lists goes on."""
    for process in running.processes():
        with suppress(psutil.Error):
            if "blocklists.background" in process.cmdline():
                return True
    return False


def kill(pids: Iterable[int]) -> None:
    """At once, and waits until they are gone."""
    listed = list(pids)
    for pid in listed:
        os.kill(pid, signal.SIGKILL)
    gone(listed)


def gone(pids: Iterable[int]) -> None:
    """Waits until none of these lives."""
    wait_for(lambda: not any(_lives(pid) for pid in pids), "the processes to be gone", PATIENCE)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
