"""Small programs that tests start beside themselves: an upstream that answers as fast as a flood asks, and a flood that keeps its pace.

`python -m tests.resolver.quick upstream` prints its port. It answers every question with one address; those below `flooded.example` as it was told
last: by a datagram `mode silent`, or `mode nxdomain`. The datagram `count NAME` is answered with how often a name was asked for.

`python -m tests.resolver.quick flood PORT RATE SECONDS SOURCE SUFFIX SEED` asks for random names below a suffix and prints how many it sent and
what RCODEs it met, as JSON.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

from resolver.settings import Upstream

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]
FLOODED = b"\x07flooded\x07example\0"
_SOA = b"\x02ns\xc0\x0c\x01h\xc0\x0c" + b"".join(number.to_bytes(4, "big") for number in (1, 3600, 600, 86400, 60))
_ADDRESS = b"\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x01"


def serve() -> None:
    """Answers until it is killed."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    bound.bind((HOST, 0))
    print(bound.getsockname()[1], flush=True)
    mode = b"silent"
    counts: Counter[bytes] = Counter()
    while True:
        data, client = bound.recvfrom(4096)
        if data.startswith(b"mode "):
            mode = data[5:]
            bound.sendto(b"ok", client)
        elif data.startswith(b"count "):
            bound.sendto(str(counts[data[6:].lower()]).encode(), client)
        else:
            reply = _reply(data, mode, counts)
            if reply:
                bound.sendto(reply, client)


def _reply(data: bytes, mode: bytes, counts: Counter[bytes]) -> bytes | None:
    end = data.find(b"\0", 12) + 5
    name = data[12 : end - 4].lower()
    head = data[:2] + b"\x81\x80\0\x01"
    if name.endswith(FLOODED):
        if mode == b"silent":
            return None
        owner = (0xC000 | end - 4 - len(FLOODED)).to_bytes(2, "big")
        soa = owner + b"\0\x06\0\x01\0\0\x02\x58" + len(_SOA).to_bytes(2, "big") + _SOA
        return data[:2] + b"\x81\x83\0\x01\0\0\0\x01\0\0" + data[12:end] + soa
    counts[name] += 1
    return head + b"\0\x01\0\0\0\0" + data[12:end] + _ADDRESS


def wire(name: str) -> bytes:
    """A name without escapes, in wire form."""
    return b"".join(bytes((len(label),)) + label.encode() for label in name.split(".")) + b"\0"


def flood(port: int, rate: int, seconds: float, source: str, suffix: str, seed: int) -> None:
    """Asks at this pace, in groups every two milliseconds."""
    dice = Random(seed)
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    client.bind((source, 0))
    client.connect((HOST, port))
    client.setblocking(False)
    ends = wire(suffix) + b"\0\x01\0\x01" + b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
    codes: Counter[int] = Counter()
    sent = 0
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < seconds:
        while sent < rate * passed:
            label = b"%012x" % dice.getrandbits(48)
            with suppress(BlockingIOError):
                client.send(sent.to_bytes(4, "big")[2:] + b"\x01\0\0\x01\0\0\0\0\0\x01\x0c" + label + ends)
            sent += 1
        with suppress(BlockingIOError):
            while True:
                codes[client.recv(4096)[3] & 15] += 1
        time.sleep(0.002)
    print(json.dumps({"sent": sent, "codes": codes}), flush=True)


class Quick:
    """The upstream, as tests see it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._control.settimeout(8)
        self._control.connect((HOST, port))

    @property
    def upstream(self) -> Upstream:
        return Upstream(address=f"{HOST}:{self.port}")

    def mode(self, mode: str) -> None:
        """How `flooded.example` is answered from now on: silent or nxdomain."""
        self._control.send(b"mode " + mode.encode())
        assert self._control.recv(100) == b"ok"

    def asked_for(self, name: str) -> int:
        """How often a name was asked for."""
        self._control.send(b"count " + wire(name))
        return int(self._control.recv(100))


def _program(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.resolver.quick", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


@contextmanager
def upstream() -> Iterator[Quick]:
    """The upstream, running."""
    with _program("upstream") as process:
        assert process.stdout is not None
        try:
            yield Quick(int(process.stdout.readline()))
        finally:
            process.kill()


@contextmanager
def flooding(port: int, rate: int, seconds: float, suffix: str, seed: int, source: str = "127.0.0.2") -> Iterator[dict[str, Any]]:
    """A flood beside the block; what it met stands in the dictionary afterwards. The block should last no longer than the flood."""
    found: dict[str, Any] = {}
    with _program("flood", port, rate, seconds, source, suffix, seed) as process:
        yield found
        assert process.stdout is not None
        found.update(json.loads(process.stdout.readline()))


if __name__ == "__main__":
    if sys.argv[1] == "upstream":
        serve()
    else:
        flood(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5], sys.argv[6], int(sys.argv[7]))
