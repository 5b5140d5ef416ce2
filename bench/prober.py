"""Times single queries beside a load: `python -m bench.prober PORT NAMES RATE SECONDS OUT`, a process of its own on the generator's core.

Open loop: every query has its moment, drawn beforehand (exponential gaps, so that no rhythm of the server's or the generator's is met or missed),
and goes out whether or not earlier ones were answered. Latency runs from that moment, not from the sending, to the kernel's stamp on the answer's
arrival: a stall counts for every query that fell into it, and an answer that waits to be read while the load has the core is not the server's fault.
What this program itself is late by is kept too (`Probe.late`), as every figure contains it; it asks for real-time priority to keep it small.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import data

LOST_AFTER = 5.0
"""Seconds after which a query counts as lost: as long as a stub resolver waits (resolv.conf(5))."""
SPIN = 40e-6
"""Seconds before a query's moment at which sleeping ends and watching the clock begins: about what a timer is late by."""
LINGER = 0.02
"""Seconds between two looks for the last answers."""
BUFFER = 4 << 20
_STAMP = struct.Struct("@qq")
_NOT_IN_PYTHON = {"SO_RCVBUFFORCE": 33, "SO_TIMESTAMPNS": 35}
"""Linux's numbers (asm-generic/socket.h); the same on x86 and Arm."""
CLEAN = 0x8000, 0x800F
"""An answer's flags under this mask: QR set, RCODE 0."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One query. `at`: its moment, Unix time in seconds. `seconds`: until its answer, None if none came within LOST_AFTER.

    `late`: seconds between its moment and its sending, part of `seconds`. `wrong`: the answer was none, by its response code.
    """

    at: float
    seconds: float | None
    late: float
    wrong: bool


def schedule(rate: float, seconds: float, seed: str) -> list[float]:
    """Moments from 0 to `seconds`, `rate` a second on average, with exponential gaps."""
    rng = random.Random(seed)
    moments, now = [], rng.expovariate(rate)
    while now < seconds:
        moments.append(now)
        now += rng.expovariate(rate)
    return moments


def run(port: int, names: list[str], moments: list[float]) -> list[Probe]:
    """Asks one name at each moment, counted from now; waits at most LOST_AFTER for the last answers."""
    messages = [data.plain_query(name) for name in names]
    sent: list[float] = []
    answers: dict[int, tuple[float, bool]] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        with contextlib.suppress(PermissionError):
            client.setsockopt(socket.SOL_SOCKET, _NOT_IN_PYTHON["SO_RCVBUFFORCE"], BUFFER)
        client.setsockopt(socket.SOL_SOCKET, _NOT_IN_PYTHON["SO_TIMESTAMPNS"], 1)
        client.connect(("127.0.0.1", port))
        client.setblocking(False)

        def drain() -> None:
            while True:
                try:
                    answer, stamps, _flags, _peer = client.recvmsg(512, 64)
                except (BlockingIOError, ConnectionRefusedError):
                    return
                seconds, nanoseconds = _STAMP.unpack(stamps[0][2][:16])
                # IDs repeat after 65,536 queries, far more than are ever under way.
                number = len(sent) - 1 - (len(sent) - 1 - int.from_bytes(answer[:2], "big")) % 65_536
                clean = int.from_bytes(answer[2:4], "big") & CLEAN[1] == CLEAN[0]
                if number >= 0:
                    answers.setdefault(number, (seconds + nanoseconds / 1e9, not clean))

        began = time.time() + 0.05
        for number, moment in enumerate(moments):
            due = began + moment
            while (left := due - time.time()) > 0:
                if left > SPIN:
                    time.sleep(left - SPIN)
            message = (number & 0xFFFF).to_bytes(2, "big") + messages[number % len(messages)]
            sent.append(time.time())
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                client.send(message)
            drain()
        end = time.time() + LOST_AFTER
        while len(answers) < len(sent) and time.time() < end:
            time.sleep(LINGER)
            drain()
    probes = []
    for number, moment in enumerate(moments):
        at, (arrived, wrong) = began + moment, answers.get(number, (float("inf"), False))
        took = arrived - at
        probes.append(Probe(at, took if took <= LOST_AFTER else None, sent[number] - at, wrong))
    return probes


def _hurry() -> bool:
    """Whether real-time priority was granted: without it the load generator on the same core makes queries go out late."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except (PermissionError, OSError):
        return False
    return True


def main(arguments: list[str]) -> None:
    """Runs as a program; writes what was seen as JSON, for `bench.latency` to read."""
    port, names, rate, seconds, out = arguments
    asked = Path(names).read_text(encoding="ascii").split("\n")[:-1]
    moments = schedule(float(rate), float(seconds), names)
    hurried = _hurry()
    probes = run(int(port), [line.split()[0] for line in asked], moments)
    Path(out).write_text(json.dumps({"real_time": hurried, "probes": [asdict(probe) for probe in probes]}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
