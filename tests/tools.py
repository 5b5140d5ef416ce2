"""Helpers that tests of several rooms share."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

Found = TypeVar("Found")

DEADLINE = 60.0
"""Seconds after which what a test waits for is called missing; far above what anything takes on a slow machine.

No promise: 20 s, as it was, is less than a start takes where programs of a higher priority have both cores. A test that passes waits no longer.
"""


def require(program: str) -> str:
    """The path of an installed program. Without it the test is skipped, with the reason; where REDHAND_CI is 1, it fails instead."""
    path = shutil.which(program)
    if path is not None:
        return path
    reason = f"{program} is not installed"
    if os.environ.get("REDHAND_CI") == "1":
        pytest.fail(f"{reason}, and REDHAND_CI=1 lets no test be skipped for that")
    pytest.skip(reason)


def require_root() -> None:
    """Skips the test, with the reason, where it is not run by root; where REDHAND_CI is 1, it fails instead."""
    if os.geteuid() == 0:
        return
    if os.environ.get("REDHAND_CI") == "1":
        pytest.fail("only root can make what this test needs, and REDHAND_CI=1 lets no test be skipped for that")
    pytest.skip("only root can make what this test needs")


HALF = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 2
"""Of all ports, for this process of two (tests/conftest.py)."""
EPHEMERAL = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
"""The first port that the kernel gives who names none, and connects or waits there at any moment (ip(7))."""


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Ports that no UDP or TCP socket has at the address just now, each once; of two processes that run tests, each takes its own half.

    All stand below those that the kernel gives away, which another program may get between now and their use.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    ports: list[int] = []
    with ExitStack() as held:  # all held until the last is found, so that none comes twice
        while len(ports) < count:
            port = random.SystemRandom().randrange(EPHEMERAL - 16_384 + HALF, EPHEMERAL, 2)
            datagrams, stream = (held.enter_context(socket.socket(family, kind)) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM))
            try:
                datagrams.bind((address, port))
                stream.bind((address, port))
            except OSError:
                continue
            ports.append(port)
    return ports


def wait_for(condition: Callable[[], Found], what: str, deadline: float = DEADLINE) -> Found:
    """The condition's first true result. Fails, saying `what` was waited for, when it stays false for `deadline` seconds."""
    end = time.monotonic() + deadline
    while not (result := condition()):
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline:g} s: {what}")
        time.sleep(0.01)
    return result


def memory(octets: int) -> Path | None:
    """Where files are held in memory, when so many octets have room there: for what must outlive its processes, not the machine.

    Nothing there waits for a disk, which is most of the time of a test that writes as safely as the product does, a hundred times over.
    """
    found = Path("/dev/shm")
    return found if os.access(found, os.W_OK) and shutil.disk_usage(found).free > octets else None


def starved(*processes: int) -> float:
    """Seconds so far that the threads of these processes, as far as they live, were ready to run and had no core (proc(5): schedstat).

    What went by on the wall clock, less what this grew by, is about what they take on a machine of their own; where several waited at once, less.
    """
    waited = 0
    for process in processes:
        for counted in Path(f"/proc/{process}/task").glob("*/schedstat"):
            with suppress(OSError, IndexError):  # a thread that has just ended; a kernel that does not count
                waited += int(counted.read_text("ascii").split()[1])
    return waited / 1e9


def ended(process: subprocess.Popen[Any], number: int) -> float:
    """Sends a process a signal and waits for its end; the seconds that took, less those that it, or we, stood in line for a core."""
    lines = os.getpid(), process.pid
    stood, began = starved(*lines), time.monotonic()
    process.send_signal(number)
    last = stood
    while process.poll() is None:
        if time.monotonic() > began + DEADLINE:
            pytest.fail(f"process {process.pid} did not end within {DEADLINE:g} s of signal {number}")
        last = max(last, starved(*lines))
        time.sleep(0.005)
    return time.monotonic() - began - (last - stood)


def in_time(act: Callable[[int], float | None], seconds: float, tries: int = 5) -> bool:
    """Whether one of so many tries takes less than `seconds`: a busy machine makes some of them slow, a fault of ours all.

    Each is told its number; one that knows better how long it took than who calls it says so.
    """
    took = []
    for number in range(tries):
        began = time.monotonic()
        said = act(number)
        took.append(time.monotonic() - began if said is None else said)
        if took[-1] < seconds:
            return True
    print(f"none of {tries} tries within {seconds:g} s: {', '.join(f'{each:.2f}' for each in took)}")
    return False
