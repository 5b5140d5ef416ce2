"""Labs that stay up: each held by a process of its own, which is the lab. `python -m porosity.lab.hold SCENARIO SEED DIRECTORY LOCK` is that process.

A lab's directory is held under a lock from the moment it is made until the lab is down: who brings it up hands the lock on to the process that holds
it. One whose process was killed is not: whoever looks next removes what it left, which is files alone, because its programs and namespaces went
with it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from porosity.lab.lab import FACTS
from porosity.lab.places import LabError, environment, last_words
from porosity.lab.scenario import find

LOCK, LOG = "lock", "hold.log"
UP_SECONDS, DOWN_SECONDS = 120.0, 60.0


def root() -> Path:
    """Where labs that are up have their directories: only this user's."""
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    found = (base if base.is_dir() else Path(tempfile.gettempdir())) / f"redhand-labs-{os.geteuid()}"
    with suppress(FileExistsError):
        found.mkdir(mode=0o700)
    facts = found.lstat()  # of a link, which anybody can make in /tmp, itself
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise LabError(f"{found} is no directory that only you can use; remove it, or set XDG_RUNTIME_DIR to a directory of your own")
    return found


def running() -> dict[str, dict[str, Any]]:
    """Labs that are up, by name, with their facts. What killed ones left is removed."""
    found = {}
    for directory in sorted(each for each in root().iterdir() if each.is_dir() and not each.is_symlink()):
        if not _held(directory):
            _remove(directory)
            continue
        with suppress(OSError, ValueError):
            found[directory.name] = json.loads((directory / FACTS).read_text(encoding="utf-8"))
    return found


def up(name: str, scenario: str, seed: int) -> dict[str, Any]:
    """Brings a lab up that stays; its facts. Raises LabError when one of this name is up, or it does not come up; BadScenario."""
    find(scenario)
    if name in running():
        raise LabError(f"the lab {name} is up already; end it first: redhand lab down {name}")
    directory = root() / name
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        raise LabError(f"the lab {name} is just being brought up or ended; wait a moment, then see: redhand lab list") from None
    with _lock(directory) as lock, (directory / LOG).open("wb") as log:
        command = [sys.executable, "-P", "-m", "porosity.lab.hold", scenario, str(seed), str(directory), str(lock)]
        holder = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment(), pass_fds=[lock]
        )
        ends = time.monotonic() + UP_SECONDS
        while not (directory / FACTS).exists():
            ended = holder.poll() is not None
            if ended or time.monotonic() > ends:
                said = last_words(directory / LOG)
                if ended:
                    shutil.rmtree(directory, ignore_errors=True)  # so that it can be tried again at once
                else:
                    holder.terminate()
                raise LabError(f"the lab {name} did not come up; it said: {said}")
            time.sleep(0.05)
    facts: dict[str, Any] = json.loads((directory / FACTS).read_text(encoding="utf-8"))
    return facts


def down(name: str) -> None:
    """Ends a lab that is up. Raises LabError when none of this name is, or it does not end."""
    facts = running().get(name)
    if facts is None:
        raise LabError(f"no lab {name} is up; redhand lab list shows which are")
    with suppress(ProcessLookupError):
        os.kill(int(facts["holder"]), signal.SIGTERM)
    directory = root() / name
    ends = time.monotonic() + DOWN_SECONDS
    while directory.exists() and _held(directory):
        if time.monotonic() > ends:
            raise LabError(f"the lab {name} did not end within {DOWN_SECONDS:.0f} s; end its process {facts['holder']} with kill -9")
        time.sleep(0.05)
    shutil.rmtree(directory, ignore_errors=True)


def _remove(directory: Path) -> None:
    """Removes what a lab left, and nothing that is not a lab's."""
    if any((directory / each).exists() for each in (LOCK, LOG, FACTS)):
        shutil.rmtree(directory, ignore_errors=True)
    with suppress(OSError):
        directory.rmdir()


def _held(directory: Path) -> bool:
    with suppress(OSError), (directory / LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look at once do not take one another for the lab
        except BlockingIOError:
            return True
    # One that is just being made may have no lock yet; after this long, who made it was killed.
    with suppress(OSError):
        return time.time() - directory.stat().st_mtime < 5 and not (directory / FACTS).exists()
    return False


@contextmanager
def _lock(directory: Path) -> Iterator[int]:
    """The lock's descriptor; whoever has it from us holds the lock on when we are done (flock(2))."""
    with (directory / LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _hold(text: str, seed: int, directory: Path, lock: int) -> None:
    from porosity.lab.run import make  # noqa: PLC0415 - only the holder needs it

    def ended(*_: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, ended)
    os.set_inheritable(lock, False)  # the lab's programs do not hold it
    with make(find(text), seed, directory):
        while True:
            signal.pause()


if __name__ == "__main__":
    _hold(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
