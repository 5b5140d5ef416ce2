"""What tests do to every Python process that finds this on its path.

A disk that hangs: `HANGING_DISK` names a directory, and after a colon a file; while the file is there, whatever asks for anything in the directory
waits. It reaches what Python opens, makes, renames, removes, flushes and looks at by stat.

An endless loop: with `LOOPS_ON_USR1` set, SIGUSR1 catches whatever the main thread does in one.

A standstill at the first moment: whoever says that it is ready stops at once (SIGSTOP), unless the file that `STOPS_WHEN_READY` names was there then.

A clock that is faked: under libfaketime 0.9.10 `time.sleep` fails (clock_nanosleep of CLOCK_MONOTONIC with an absolute time: EINVAL), so it is made
of select instead.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from typing import Any

EVENTS = {"open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.listdir", "os.scandir", "os.truncate", "os.chmod"}


def install(directory: str, sign: str) -> None:
    """For the rest of this process's life."""
    inside = threading.local()

    def wait() -> None:
        inside.on = True
        try:
            while os.access(sign, os.F_OK):
                time.sleep(0.02)
        finally:
            inside.on = False

    def concerns(path: object) -> bool:
        return isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(directory)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and not getattr(inside, "on", False) and concerns(arguments[0]):
            wait()

    look, flush = os.stat, os.fsync

    def stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if concerns(path):
            wait()
        return look(path, *arguments, **options)

    def fsync(descriptor: Any) -> None:
        wait()
        flush(descriptor)

    os.stat, os.fsync = stat, fsync
    sys.addaudithook(watch)


if "faketime" in os.environ.get("LD_PRELOAD", ""):
    time.sleep = lambda seconds: select.select([], [], [], seconds)[0] and None

if "LOOPS_ON_USR1" in os.environ:

    def loop(*_: Any) -> None:
        while True:
            pass

    signal.signal(signal.SIGUSR1, loop)

if "STOPS_WHEN_READY" in os.environ:
    write = os.write

    def write_and_stop(file: int, octets: bytes) -> int:
        stops = bytes(octets[:8]) == b'{"ready"' and not os.access(os.environ["STOPS_WHEN_READY"], os.F_OK)
        written = write(file, octets)
        if stops:
            os.kill(os.getpid(), signal.SIGSTOP)
        return written

    os.write = write_and_stop

if "HANGING_DISK" in os.environ:
    install(*os.environ["HANGING_DISK"].split(":"))
