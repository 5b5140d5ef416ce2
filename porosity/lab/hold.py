"""Labs that stay up: each held by a process of its own, which is the lab. `python -m porosity.lab.hold SCENARIO SEED DIRECTORY` is that process.

A lab's directory is held under a lock for as long as it is up. One whose process was killed is not: whoever looks next removes what it left, which is
files alone, because its programs and namespaces went with it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
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

LOCK, LOG = "lock", "hold.log"
UP_SECONDS, DOWN_SECONDS = 120.0, 60.0


def root() -> Path:
    """Where labs that are up have their directories: only this user's."""
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    found = (base if base.is_dir() else Path(tempfile.gettempdir())) / f"redhand-labs-{os.geteuid()}"
    found.mkdir(mode=0o700, exist_ok=True)
    if found.stat().st_uid != os.geteuid():
        raise LabError(f"{found} is somebody else's; set XDG_RUNTIME_DIR to a directory of your own")
    return found


def running() -> dict[str, dict[str, Any]]:
    """Labs that are up, by name, with their facts. What killed ones left is removed."""
    found = {}
    for directory in sorted(each for each in root().iterdir() if each.is_dir()):
        if not _held(directory):
            shutil.rmtree(directory, ignore_errors=True)
            continue
        with suppress(OSError, ValueError):
            found[directory.name] = json.loads((directory / FACTS).read_text(encoding="utf-8"))
    return found


def up(name: str, scenario: str, seed: int) -> dict[str, Any]:
    """Brings a lab up that stays; its facts. Raises LabError when one of this name is up, or it does not come up."""
    if name in running():
        raise LabError(f"the lab {name} is up already; end it first: redhand lab down {name}")
    directory = root() / name
    directory.mkdir(mode=0o700)
    with (directory / LOG).open("wb") as log:
        command = [sys.executable, "-P", "-m", "porosity.lab.hold", scenario, str(seed), str(directory)]
        holder = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment()
        )
    ends = time.monotonic() + UP_SECONDS
    while not (directory / FACTS).exists():
        if holder.poll() is not None or time.monotonic() > ends:
            holder.terminate()
            raise LabError(f"the lab {name} did not come up; it said: {last_words(directory / LOG)}")
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


def _held(directory: Path) -> bool:
    with suppress(OSError), (directory / LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    # One that is just being made has no lock yet; after this long it was killed.
    with suppress(OSError):
        return time.time() - directory.stat().st_mtime < 5 and not (directory / FACTS).exists()
    return False


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    with (directory / LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _hold(text: str, seed: int, directory: Path) -> None:
    from porosity.lab.run import make  # noqa: PLC0415 - only the holder needs it
    from porosity.lab.scenario import find  # noqa: PLC0415

    def ended(*_: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, ended)
    with _lock(directory), make(find(text), seed, directory):
        while True:
            signal.pause()


if __name__ == "__main__":
    _hold(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
