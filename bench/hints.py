"""Hints to a thousand subscribers: `python -m bench.hints`. How long after a publication has the last of them heard of it, and what do they cost?

`redhand authority serve` runs over an authority made for this; a thousand sockets of this process listen to its hints. Orders are published in this
process, one after the other. The time runs from when timestamp.json was written (its mtime: before it is flushed to the disk and put in place) until
the last event was read; each subscriber must get exactly one, with the right size of the log. Beside it: how long a publication takes by itself, what
memory and processor time the server takes, and how long a file takes that is asked for while the hints go out.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import socket
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from authority import keys, spec
from authority.ceremony import ceremony
from authority.drafts import draft_order
from authority.keys import KeyInMemory
from authority.packets import Packet, sign_packet
from authority.publisher import Publisher
from bench import machine
from bench.machine import BenchError

SUBSCRIBERS = 1_000
ROUNDS = 20
MOST_SECONDS = 1.0
"""From the publication to the last subscriber."""
RECORD = Path(__file__).parent / "record"


@dataclass(frozen=True)
class Outcome:
    """What was measured; seconds, octets."""

    subscribers: int
    rounds: int
    publish_median: float
    first_median: float
    last_median: float
    last_slowest: float
    file_slowest: float
    server_octets: int
    """Proportional set size of the process that serves."""
    server_octets_alone: int
    """The same before anybody listened."""
    server_cpu_a_round: float
    load: float
    """Processes that wanted to run meanwhile, those of others included (the kernel's average over a minute)."""

    @property
    def met(self) -> bool:
        """Whether the promise was kept."""
        return self.last_slowest <= MOST_SECONDS


class Authority:
    """An authority with one officer, one category, and nothing that limits how much is ordered."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._keys = {name: keys.generate() for name in ("root-1", "targets-1", "officer-1")}
        holders = {name: keys.holder(key.key, name) for name, key in self._keys.items()}
        document: dict[str, Any] = {
            "origin": "orders.authority.example/bench",
            "root": {"threshold": 1, "keys": [holders["root-1"]]},
            "targets": {"threshold": 1, "keys": [holders["targets-1"]]},
            "authorities": {"north": {"name": "North", "contact": "north@authority.example"}},
            "officers": {"officer-1": {"authority": "north", "key": holders["officer-1"]}},
            "categories": {"terrorism": {"authorities": ["north"], "threshold": 1, "texts": {"en": "An example."}}},
        }
        now = int(time.time())
        root, targets = ceremony(directory, spec.from_document(document, directory), now)
        self.publisher = Publisher(directory)
        self.publisher.publish([self._signed(root, "root-1"), self._signed(targets, "targets-1")], now)

    def order(self, number: int) -> Packet:
        """A signed order."""

        def text(days: int) -> str:
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * 86_400))

        document = {
            "id": f"XX-{number}",
            "action": "block",
            "issuer": {"authority": "North", "contact": "north@authority.example"},
            "targets": [{"fqdn": f"n{number}.site.test", "match": "exact"}],
            "category": "terrorism",
            "legal_basis": "Law 1",
            "reasons": {"en": "It calls for terror."},
            "owner_unidentifiable": "true",
            "owner_unidentifiable_why": "Nobody answers.",
            "issued_at": text(0),
            "effective_at": text(0),
            "expires_at": text(30),
            "redress": {"url": "https://authority.example/", "deadline_days": "30", "court": "Court"},
        }
        return self._signed(draft_order(self._directory, document), "officer-1")

    def _signed(self, packet: Packet, who: str) -> Packet:
        signer: KeyInMemory = self._keys[who]
        return sign_packet(packet, signer)


class Listeners:
    """Many subscribers in one process."""

    def __init__(self, port: int, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            connection.sendall(b"GET /hints HTTP/1.1\r\nHost: feed.example\r\n\r\n")
            self._selector.register(connection, selectors.EVENT_READ, bytearray())
        self._until(lambda data: b":\n\n" in data, 30)

    def wait(self, size: int) -> list[float]:
        """When each had read the event of this size, unix seconds. Raises BenchError for one that got another, more, or none in 10 s."""
        wanted = b"data: %d\n\n" % size
        times = self._until(lambda data: wanted in data, 10)
        for key in self._selector.get_map().values():
            if key.data.count(b"data:") != 1:
                raise BenchError(f"a subscriber got {bytes(key.data)!r}; see tests/authority/test_serve_hints.py")
        return times

    def clear(self) -> None:
        """Forgets what was read."""
        for key in self._selector.get_map().values():
            key.data.clear()

    def _until(self, done: Any, seconds: float) -> list[float]:
        waiting = {key.fd for key in self._selector.get_map().values()}
        times: list[float] = []
        ends = time.monotonic() + seconds
        while waiting:
            for key, _ in self._selector.select(0.1):
                piece = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not piece:
                    raise BenchError("the server closed a subscriber's connection; see its log")
                key.data.extend(piece)
                if key.fd in waiting and done(key.data):
                    waiting.discard(key.fd)
                    times.append(time.time())
            if time.monotonic() > ends:
                raise BenchError(f"{len(waiting)} subscribers heard nothing within {seconds:g} s")
        return times


def _file(port: int) -> float:
    """Seconds until the checkpoint came."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /log/checkpoint HTTP/1.0\r\n\r\n")
        if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
            raise BenchError("the checkpoint is not served; see the server's log")
    return time.monotonic() - began


def measure(folder: Path, subscribers: int, rounds: int) -> Outcome:
    """Measures. Raises BenchError when what is measured does not work."""
    authority = Authority(folder / "authority")
    port = machine.free_port()
    command = [sys.executable, "-m", "redhand", "authority", "serve", str(folder / "authority"), "--listen", f"127.0.0.1:{port}"]
    server = machine.start(command, log=folder / "log")
    try:
        ends = time.monotonic() + 30
        while True:
            try:
                _file(port)
                break
            except OSError:
                if time.monotonic() > ends:
                    raise BenchError(f"the server does not start: {(folder / 'log').read_text()}") from None
                time.sleep(0.1)
        (front,) = [pid for pid in machine.family(server.pid) if b"authority.front" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        alone = machine.pss_bytes(front)
        listeners = Listeners(port, subscribers)
        spent = machine.own_cpu_seconds(front)
        published, first, last, files = [], [], [], []
        for number in range(rounds):
            packet = authority.order(number)
            listeners.clear()
            began = time.monotonic()
            size = authority.publisher.publish([packet], int(time.time())).size
            published.append(time.monotonic() - began)
            done = (folder / "authority" / "public" / "metadata" / "timestamp.json").stat().st_mtime
            files.append(_file(port))
            times = listeners.wait(size)
            first.append(times[0] - done)
            last.append(times[-1] - done)
        spent = machine.own_cpu_seconds(front) - spent
        return Outcome(
            subscribers,
            rounds,
            median(published),
            median(first),
            median(last),
            max(last),
            max(files),
            machine.pss_bytes(front),
            alone,
            spent / rounds,
            os.getloadavg()[0],
        )
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(15)


def run(
    subscribers: Annotated[int, typer.Option(min=1)] = SUBSCRIBERS,
    rounds: Annotated[int, typer.Option(min=1)] = ROUNDS,
    out: Annotated[Path | None, typer.Option(help="Folder for the record, instead of bench/record/DATE-hints.")] = None,
) -> None:
    """Measure hints to many subscribers, and write the dated record."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, subscribers + 1024), hard))
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), subscribers, rounds)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    facts = machine.facts()
    folder_out = out or RECORD / f"{day}-hints"
    folder_out.mkdir(parents=True, exist_ok=True)
    (folder_out / "result.json").write_text(json.dumps({"day": day, "machine": facts, "met": found.met, **asdict(found)}, indent=1) + "\n")
    table = _table(day, facts, found)
    (folder_out / "table.md").write_text(table)
    print(table)
    if not found.met:
        raise typer.Exit(1)


def _table(day: str, facts: dict[str, str | int], found: Outcome) -> str:
    rows = (
        ("the last subscriber heard, slowest round", f"{found.last_slowest * 1e3:.1f} ms", f"{MOST_SECONDS:g} s, {'yes' if found.met else '**no**'}"),
        ("the last subscriber heard, median", f"{found.last_median * 1e3:.1f} ms", ""),
        ("the first subscriber heard, median", f"{found.first_median * 1e3:.1f} ms", ""),
        ("a file asked for meanwhile, slowest", f"{found.file_slowest * 1e3:.1f} ms", ""),
        ("the publication of one order itself, median", f"{found.publish_median * 1e3:.1f} ms", ""),
        ("processor time of the server, a round", f"{found.server_cpu_a_round * 1e3:.1f} ms", ""),
        ("processes that wanted a core meanwhile, of all on this machine", f"{found.load:.1f}", ""),
        ("memory of the server with all subscribers", f"{found.server_octets / 1e6:.1f} MB", ""),
        ("memory of the server before", f"{found.server_octets_alone / 1e6:.1f} MB", ""),
    )
    return "\n".join(
        [
            f"# Hints to {found.subscribers:,} subscribers, {day}",
            "",
            f"{facts['processor']}, {facts['cores']} cores; {facts['kernel']}; Python {facts['python']}; revision {facts['revision']}.",
            f"{found.rounds} publications; times from when timestamp.json was written. The first lines of `bench/hints.py` say how it is measured.",
            "",
            "| | measured | at most, kept |",
            "|---|---|---|",
            *(f"| {title} | {value} | {most} |" for title, value, most in rows),
            "",
        ]
    )


if __name__ == "__main__":
    typer.run(run)
