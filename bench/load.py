"""Runs dnsperf, the load generator, and reads its figures. It judges nothing: what a figure is worth is said in `rows` and `report`."""

from __future__ import annotations

import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.machine import GENERATOR_CORE, BenchError, start

FLOWS = 512
"""Client sockets. SO_REUSEPORT spreads few flows unevenly over workers: the busiest of 2 had 1.08 of the mean with 64, the busiest of 4 had 1.28."""
OUTSTANDING = 400
"""Queries in flight at most: enough to keep a server busy, below the limits at which several peers start to drop."""
TIMEOUT = 3
"""Seconds after which a query counts as lost."""


@dataclass(frozen=True)
class Load:
    """What dnsperf saw. Latencies in seconds, of answered queries only; `codes` counts answers by response code."""

    sent: int
    completed: int
    lost: int
    seconds: float
    qps: float
    mean_latency: float
    max_latency: float
    codes: dict[str, int]

    @property
    def wrong(self) -> int:
        """Answers that are no success: every name the comparison asks exists or is blocked with an address."""
        return sum(count for code, count in self.codes.items() if code != "NOERROR")


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if not found:
        raise BenchError(
            f"dnsperf's output has nothing that matches {pattern!r}; its version may be unknown to bench/load.py. It said:\n{text[-2000:]}"
        )
    return float(found.group(1))


def parse(text: str) -> Load:
    """Reads the statistics dnsperf 2 prints at its end. Raises BenchError if a line is missing, as when it stopped early."""
    completed = int(_number(r"Queries completed:\s+(\d+)", text))
    codes = re.search(r"Response codes:\s+(.+)", text)
    return Load(
        sent=int(_number(r"Queries sent:\s+(\d+)", text)),
        completed=completed,
        lost=int(_number(r"Queries lost:\s+(\d+)", text)),
        seconds=_number(r"Run time \(s\):\s+([\d.]+)", text),
        qps=_number(r"Queries per second:\s+([\d.]+)", text),
        mean_latency=_number(r"Average Latency \(s\):\s+([\d.]+)", text) if completed else 0.0,
        max_latency=_number(r"Average Latency \(s\):.*max ([\d.]+)", text) if completed else 0.0,
        codes={code: int(count) for code, count in re.findall(r"(\S+) (\d+) \([\d.]+%\)", codes.group(1))} if codes else {},
    )


class Generator:
    """A dnsperf that is running. `finish` waits for its end, `interrupt` asks it to end now; both give its figures."""

    def __init__(self, process: subprocess.Popen[str], said: Path) -> None:
        self._process = process
        self._said = said

    def finish(self, limit_seconds: float) -> Load:
        """Figures once it has ended by itself. Raises BenchError if that takes longer than the limit."""
        try:
            self._process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise BenchError(f"dnsperf did not end within {limit_seconds:.0f} s") from None
        if self._process.returncode:
            raise BenchError(f"dnsperf ended with status {self._process.returncode}. It said:\n{self._said.read_text(encoding='utf-8')[-2000:]}")
        return parse(self._said.read_text(encoding="utf-8"))

    def interrupt(self) -> Load:
        """Figures up to now; queries still in flight count neither as answered nor as lost."""
        self._process.send_signal(signal.SIGINT)
        return self.finish(TIMEOUT + 10)


def begin(
    port: int,
    queries: Path,
    *,
    seconds: float,
    once: bool = False,
    qps: int | None = None,
    outstanding: int = OUTSTANDING,
    timeout: int = TIMEOUT,
) -> Generator:
    """Starts dnsperf on its core against a server on loopback.

    `once`: end early rather than ask the file a second time. `qps`: paced; without it, as fast as answers come.
    """
    command = [
        "dnsperf",
        "-s",
        "127.0.0.1",
        "-p",
        str(port),
        "-d",
        str(queries),
        "-l",
        f"{seconds:.0f}",
        "-c",
        str(FLOWS),
        "-q",
        str(outstanding),
        "-t",
        str(timeout),
    ]
    command += ["-B"] if queries.suffix == ".bin" else []
    command += ["-n", "1"] if once else []
    command += ["-Q", str(qps)] if qps else []
    # Into a file: dnsperf tells of each query lost, and a pipe nobody reads would stop it.
    said = queries.with_suffix(".said")
    said.unlink(missing_ok=True)
    return Generator(start(command, core=GENERATOR_CORE, log=said), said)


def run(port: int, queries: Path, *, seconds: float, once: bool = False) -> Load:
    """One load from start to end."""
    return begin(port, queries, seconds=seconds, once=once).finish(seconds + TIMEOUT + 60)


def warm(port: int, queries: Path) -> None:
    """Asks a file once, gently, so that what should be cached is; twice, because some servers drop a few queries as a load starts."""
    for _ in range(2):
        begin(port, queries, seconds=60, once=True, outstanding=100).finish(120)
