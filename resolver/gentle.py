"""`python -m resolver.gentle`: a worker that loads itself at the lowest priority, beside those that answer, to wait for a job.

Only what it loads gives way: a process cannot raise its priority again without rights, but a thread of its own can have a lower one.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from blocklists.turns import take_short_turns

NICEST = 19
AWAITED = 10
"""Niceness of a thread whose work somebody waits for. Beside a program that never sleeps it gets a tenth of the core, and at NICEST a seventieth:
there one change among 50,000 orders came in force after 10 s, here after 0.7. The slowest answer was no slower: what holds the interpreter must
run to let go of it."""


def step_back(nice: int = NICEST) -> None:
    """Gives way to what answers: what a thread reads and hashes must not share its core as an equal (on Linux a thread has a priority of its own)."""
    with suppress(PermissionError):  # one that gives way more already, as all of a program started by nice(1) do, may not give way less
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
    take_short_turns()


def gently(work: Callable[[], object]) -> None:
    """Does the work in a thread of the lowest priority; returns when that thread is gone, for the kernel too."""

    def run() -> None:
        step_back()
        work()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    while len(os.listdir("/proc/self/task")) > 1:
        time.sleep(0.001)


def main() -> int:
    """As `worker.main`."""
    found: list[Callable[[], int]] = []

    def load() -> None:
        from resolver import worker  # noqa: PLC0415 - what is loaded here is what must give way

        found.append(worker.main)

    gently(load)
    return found[0]() if found else 1


if __name__ == "__main__":
    raise SystemExit(main())
