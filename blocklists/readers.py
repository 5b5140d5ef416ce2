"""Which version each serving process has in force: a small file each, in `readers/`, believed only while its process lives.

A version is not deleted while a living reader has it, and who waits for a list to be in force everywhere waits for these.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from blocklists.durable import explained
from blocklists.errors import StoreError

_LOOK_SECONDS = 0.01

_READER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def publish(state_dir: Path, name: str, serial: int) -> None:
    """Says that this process has `serial` in force, under `name` (letters, digits, `-_.`, at most 64).

    Raises StoreError when the name is not one, and DiskError when the disk refuses.
    """
    if not _READER.fullmatch(name):
        raise StoreError(f"{name!r} cannot name a reader; use 1 to 64 letters, digits, - _ or ., such as resolver-1")
    path = state_dir / "readers" / name
    with explained(f"writing {path}", f"version {serial} is in force in {name} all the same"):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{name}.{os.getpid()}")
        try:
            # Not flushed to the disk: after a power cut no reader lives, and a serving process should not wait for one.
            temporary.write_text(f"{serial} {os.getpid()} {_started(os.getpid())}\n", "ascii")
            temporary.rename(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def prepare(state_dir: Path) -> Path:
    """The directory that readers publish in, made if it can be: a process that confines itself can make it only before."""
    path = state_dir / "readers"
    with suppress(OSError):
        path.mkdir(parents=True, exist_ok=True)
    return path


def withdraw(state_dir: Path, name: str) -> None:
    """Says that this process serves no longer; a successor that has taken over the name keeps it. Raises OSError."""
    path = state_dir / "readers" / name
    with suppress(FileNotFoundError, ValueError):
        if int(path.read_bytes().split()[1]) == os.getpid():
            path.unlink(missing_ok=True)


def live(state_dir: Path) -> dict[str, int]:
    """The serial each living reader has in force. One whose process is gone does not count. Raises StoreError when it may not be known."""
    found: dict[str, int] = {}
    directory = state_dir / "readers"
    try:
        paths = sorted(directory.iterdir())
    except FileNotFoundError:
        return found
    except OSError as error:
        raise StoreError(f"{directory} cannot be read ({error.strerror}); mend its owner or mode") from None
    for path in paths:
        if not _READER.fullmatch(path.name):
            continue
        try:
            serial, process, started = (int(part) for part in path.read_bytes().split())
        except (OSError, ValueError):
            continue
        if _started(process) == started != 0:
            found[path.name] = serial
    return found


def wait_for_readers(state_dir: Path, serial: int, seconds: float) -> dict[str, int]:
    """Which serial each living reader has in force, as soon as all have `serial` or a later one, or else after that many seconds. Raises StoreError.

    Nobody serving is everybody: the answer is then empty.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = live(state_dir)
        if all(each >= serial for each in found.values()) or time.monotonic() >= deadline:
            return found
        time.sleep(_LOOK_SECONDS)


def _started(process: int) -> int:
    """When a process started, in the kernel's ticks since boot, so that a number used again is not taken for it; 0 when there is none."""
    try:
        status = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return 0
    # The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
    return int(status.rpartition(b")")[2].split()[19])
