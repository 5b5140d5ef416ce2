"""A whole installation under a steady load: `redhand run` with real workers, an upstream that answers all, and a client that misses nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from tests.resolver.servers import UNMEASURED, Scripted, says
from tests.tools import DEADLINE, free_ports, wait_for

ROOT = Path(__file__).parents[2]
SITE = os.pathsep.join((str(ROOT), str(Path(__file__).with_name("site"))))
"""PYTHONPATH of processes that meet what `site/sitecustomize.py` does to them."""
ELSEWHERE = "198.51.100.7"
"""What the upstream says of every name."""
LANDING = "127.0.0.1"
"""Where redirected visitors are sent."""
RATE = 300
"""Queries a second."""
PATIENCE = 4.0
"""Seconds after which a query counts as lost."""


def verdict(answer: dns.message.Message) -> str:
    """The first address, or the response code if there is none."""
    for rrset in answer.answer:
        if rrset.rdtype == dns.rdatatype.A:
            return str(rrset[0])
    return dns.rcode.to_text(answer.rcode())


class Load:
    """Asks the names over and over, and now and then one never asked before; checks every answer against what is `expected` of its name."""

    def __init__(self, port: int, expected: Mapping[str, str]) -> None:
        self.expected = dict(expected)
        self.sent: dict[int, tuple[str, float]] = {}
        self.got: dict[int, tuple[bytes, float]] = {}
        self._names = list(expected)
        self._stop = threading.Event()
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
        for each in self._sockets:
            each.connect(("127.0.0.1", port))
            each.setblocking(False)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        begun = time.monotonic()
        number = 0
        while not self._stop.is_set() and number < 0xFFFF:
            due = int((time.monotonic() - begun) * RATE)
            while number < due:
                name = f"n{number}.unseen.example" if number % 16 == 7 else self._names[number % len(self._names)]
                query = dns.message.make_query(name, "A", id=number)
                self.sent[number] = (name, time.monotonic())
                self._sockets[number % 16].send(query.to_wire())
                number += 1
            self._read()
            time.sleep(0.001)
        end = time.monotonic() + PATIENCE
        while len(self.got) < len(self.sent) and time.monotonic() < end:
            self._read()
            time.sleep(0.002)

    def _read(self) -> None:
        for each in self._sockets:
            while True:
                try:
                    wire = each.recv(4096)
                except BlockingIOError:
                    break
                self.got.setdefault(int.from_bytes(wire[:2], "big"), (wire, time.monotonic()))

    def finish(self) -> str:
        """Ends it. Fails unless every query was answered, and rightly; gives the figures in words."""
        self._stop.set()
        self._thread.join()
        for each in self._sockets:
            each.close()
        lost = [self.sent[number] for number in self.sent if number not in self.got]
        wrong = {}
        for number, (wire, _) in self.got.items():
            name = self.sent[number][0]
            found = verdict(dns.message.from_wire(wire))
            if found != self.expected.get(name, ELSEWHERE):
                wrong[name] = found
        took = sorted(self.got[number][1] - self.sent[number][1] for number in self.got)
        p99 = took[len(took) * 99 // 100] * 1e3
        words = f"{len(self.sent)} queries at {RATE}/s, {len(lost)} lost, slowest {took[-1] * 1e3:.1f} ms, p99 {p99:.1f} ms"
        print(words)
        assert not wrong, wrong
        assert not lost, lost[:5]
        return words


class Installation:
    """A directory with settings, sources and, unless told otherwise, the state."""

    def __init__(self, directory: Path, state: Path | None = None, workers: int = 2) -> None:
        self.directory = directory
        self.state = state or directory / "var"
        self.dns, self.web = free_ports(2)
        self.workers = workers
        self.orders = directory / "orders"
        self.orders.mkdir()
        (self.orders / "none.yaml").write_text("# nothing yet\n")
        self.write_list("listed.example")

    def write_list(self, *names: str) -> None:
        """The operator's own list, replaced at once."""
        temporary = self.directory / ".house.new"
        temporary.write_text("\n".join((*names, "")))
        temporary.rename(self.directory / "house.txt")

    def order(self, name: str, text: str) -> None:
        """One more file of orders."""
        temporary = self.orders / f".{name}.new"
        temporary.write_text(text)
        temporary.rename(self.orders / f"{name}.yaml")

    @property
    def log(self) -> str:
        """All that was said."""
        return (self.directory / "run.log").read_text()

    @contextmanager
    def running(self, *, prefix: Sequence[str] = (), before: str = "", **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """`redhand run`, serving; ended at the end. `before`: Python that the supervisor does first, where it waits longer than a test can."""
        with ExitStack() as stack:
            upstream = stack.enter_context(Scripted(says(f"A {ELSEWHERE}")))
            settings: dict[str, Any] = {
                "state_dir": str(self.state),
                "resolver": {
                    "listen": [f"127.0.0.1:{self.dns}"],
                    "workers": self.workers,
                    "upstreams": [{"address": upstream.upstream.address}],
                },
                "landing": {"listen": [f"127.0.0.1:{self.web}"]},
                "blocklists": {
                    "sources": [
                        {"id": "orders", "path": "orders", "format": "directives"},
                        {"id": "house", "path": "house.txt", "format": "domains", "mode": "nxdomain"},
                    ]
                },
            }
            (self.directory / "config.yaml").write_text(json.dumps(settings))
            program = ("-c", f"{before}\nfrom redhand.__main__ import main\nmain()") if before else ("-m", "redhand")
            with (self.directory / "run.log").open("w") as log:
                process = subprocess.Popen(
                    [*prefix, sys.executable, "-P", *program, "run"],
                    cwd=self.directory,
                    env={**UNMEASURED, "PYTHONUNBUFFERED": "1", **environment},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            try:
                wait_for(lambda: process.poll() is not None or "Ctrl-C stops it." in self.log, f"the first screen: {self.log}")
                assert process.poll() is None, self.log
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                try:
                    process.wait(DEADLINE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                assert "Traceback" not in self.log, self.log

    def ask(self, name: str) -> dns.message.Message:
        """The answer for a name's address."""
        return dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", port=self.dns, timeout=DEADLINE)

    def until(self, name: str, found: str) -> float:
        """Seconds until the name has this verdict at each worker: many flows are asked, so that none is left out."""
        begun = time.monotonic()

        def everywhere() -> bool:
            return all(verdict(self.ask(name)) == found for _ in range(8 * self.workers))

        wait_for(everywhere, f"{name}: {found}; {self.log}")
        return time.monotonic() - begun

    def alarm(self, name: str, source: str = "supervisor") -> float:
        """Seconds until that alarm is on."""
        begun = time.monotonic()
        wait_for(lambda: self.log.count(f"ALARM {name} ({source}):") > self.log.count(f": ALARM {name} ({source})\n"), f"ALARM {name}: {self.log}")
        return time.monotonic() - begun

    def over(self, name: str, source: str = "supervisor") -> float:
        """Seconds until that alarm is over."""
        begun = time.monotonic()
        wait_for(lambda: self.log.count(f"ALARM {name} ({source}):") <= self.log.count(f": ALARM {name} ({source})\n"), f"end of {name}: {self.log}")
        return time.monotonic() - begun

    def status(self) -> str:
        """What `redhand status` prints: words of an alarm on a line each, as on a terminal that is wide enough."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "redhand", "status"],
            cwd=self.directory,
            env=UNMEASURED,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def worker_pids(self, supervisor: int) -> list[int]:
        """Of the workers that have said on disk that they serve."""
        return [int(path.read_text().split()[1]) for path in sorted((self.state / "readers").glob("worker-*"))]
