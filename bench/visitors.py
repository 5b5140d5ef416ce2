"""Visitors of a web server on loopback: `python -m bench.visitors JOB.json`, a process of its own on the generator's core.

Open loop: each visit has its moment, drawn beforehand (exponential gaps), and is made whether or not earlier ones were answered, on a connection that
is free or on a new one. Its time runs from that moment, not from the sending, until the last octet of the answer has been read here: a stall counts
for every visit that fell into it. With rate 0 the loop is closed: each connection asks again as soon as it is answered, which shows the peak.

Every answer is compared, octet by octet but for its Date, with the first one; one that differs is an error, as is a connection that ends before its
answer is whole.
"""

from __future__ import annotations

import contextlib
import json
import re
import resource
import select
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from bench.prober import schedule

LOST_AFTER = 5.0
"""Seconds after which a visit counts as lost."""
SOURCES = tuple(f"127.0.1.{number}" for number in range(1, 17))
"""Clients' addresses: a closed connection keeps its port for a minute, and one address has 28,000."""
_DATE = re.compile(rb"\r\ndate: ([^\r]+)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


@dataclass
class Seen:
    """What the visitors saw. Seconds: of each answered visit, from its moment; `late`: by how much each set out late, part of it."""

    seconds: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    lost: int = 0
    wrong: int = 0
    broken: int = 0
    connections: int = 0
    lasted: float = 0.0


class _Visitor:
    """One connection."""

    __slots__ = ("fd", "got", "moment", "octets", "socket")

    def __init__(self, number: int, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: the port may be any that is free towards this server
        self.socket.bind((SOURCES[number % len(SOURCES)], 0))
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fd = self.socket.fileno()
        self.moment = 0.0
        self.got: list[bytes] = []
        self.octets = 0


class Visitors:
    """All of them, towards one server."""

    def __init__(self, port: int, request: bytes, fresh: bool) -> None:
        self._port = port
        self._request = request
        self._fresh = fresh
        self._poll = select.epoll()
        self._open: dict[int, _Visitor] = {}
        self._free: deque[_Visitor] = deque()
        self._space = bytearray(1 << 20)
        self._view = memoryview(self._space)
        self._before = self._after = b""
        """Of the first answer, what stands before its Date and after it."""
        self._length = 0
        """Of the first answer."""
        self.seen = Seen()

    def prepare(self, connections: int) -> None:
        """Opens connections, each with one visit that does not count."""
        free: list[_Visitor] = []
        for _ in range(connections):
            self._visit(time.monotonic())
            while not self._free:
                self._read(1.0)
            free.append(self._free.pop())
        self._free.extend(free)
        self.seen = Seen(connections=connections)

    def open_loop(self, moments: list[float]) -> None:
        """A visit at each moment, counted from now."""
        seen = self.seen
        began = time.monotonic() + 0.05
        for moment in moments:
            due = began + moment
            while (now := time.monotonic()) < due:
                self._read(max(0.0, due - now - 0.001))
            seen.late.append(now - due)
            self._visit(due)
        seen.lasted = time.monotonic() - began
        end = time.monotonic() + LOST_AFTER
        while len(self._open) > len(self._free) and time.monotonic() < end:
            self._read(0.01)
        seen.lost = len(self._open) - len(self._free)

    def closed_loop(self, seconds: float) -> None:
        """Visits one after the other on each connection, for so long."""
        began = now = time.monotonic()
        while now < began + seconds:
            while self._free:
                self._visit(now)
            self._read(0.01)
            now = time.monotonic()
        self.seen.lasted = now - began

    def _visit(self, moment: float) -> None:
        if self._free:
            visitor = self._free.popleft()
        else:
            visitor = _Visitor(self.seen.connections, self._port)
            self.seen.connections += 1
            self._open[visitor.fd] = visitor
            self._poll.register(visitor.fd, select.EPOLLIN)
        visitor.moment = moment
        try:
            visitor.socket.send(self._request)
        except BlockingIOError:
            self._poll.modify(visitor.fd, select.EPOLLIN | select.EPOLLOUT)
        except OSError:
            self.seen.broken += 1
            self._close(visitor)

    def _read(self, seconds: float) -> None:
        for fd, events in self._poll.poll(seconds, 256):
            visitor = self._open[fd]
            if events & select.EPOLLOUT:
                self._poll.modify(fd, select.EPOLLIN)
                visitor.socket.send(self._request)
                continue
            try:
                count = visitor.socket.recv_into(self._space)
            except OSError:
                count = 0
            if not count:
                self.seen.broken += visitor.moment > 0
                self._close(visitor)
                continue
            visitor.got.append(self._view[:count].tobytes())
            visitor.octets += count
            if not self._length:
                self._learn(b"".join(visitor.got))
            if self._length and visitor.octets >= self._length:
                self._answered(visitor)

    def _learn(self, octets: bytes) -> None:
        """What a whole answer is, from the first one, once it is there."""
        head = octets.find(b"\r\n\r\n")
        length, date = _LENGTH.search(octets, 0, head + 2), _DATE.search(octets, 0, head + 2)
        if head > 0 and length and date and len(octets) == head + 4 + int(length[1]):
            self._length, self._before, self._after = len(octets), octets[: date.start(1)], octets[date.end(1) :]

    def _answered(self, visitor: _Visitor) -> None:
        self.seen.seconds.append(time.monotonic() - visitor.moment)
        answer = visitor.got[0] if len(visitor.got) == 1 else b"".join(visitor.got)
        self.seen.wrong += not (len(answer) == self._length and answer.startswith(self._before) and answer.endswith(self._after))
        visitor.got.clear()
        visitor.octets = 0
        visitor.moment = 0.0
        if self._fresh:
            self._close(visitor)
        else:
            self._free.append(visitor)

    def _close(self, visitor: _Visitor) -> None:
        if not visitor.moment:
            with contextlib.suppress(ValueError):
                self._free.remove(visitor)
        del self._open[visitor.fd]
        visitor.socket.close()


def main(arguments: list[str]) -> None:
    """Runs as a program: the job is `{port, request, rate, seconds, connections, fresh, out}`; what was seen is written as JSON to `out`."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    signal.alarm(int(job["seconds"] + LOST_AFTER) + 30)  # a server that never answers must not keep this busy for ever
    visitors = Visitors(job["port"], job["request"].encode("latin-1"), job["fresh"])
    if not job["fresh"]:
        visitors.prepare(job["connections"])
    if job["rate"]:
        visitors.open_loop(schedule(job["rate"], job["seconds"], "visitors"))
    else:
        visitors.closed_loop(job["seconds"])
    Path(job["out"]).write_text(json.dumps(vars(visitors.seen)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
