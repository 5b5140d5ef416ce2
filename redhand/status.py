"""The status file: what the supervisor says of itself, and what may be believed of it later.

`state_dir/run/NAME.json` is replaced whole at every change; `state_dir/run/NAME.lock` is held as long as its supervisor lives, so that a file left
by one that was killed is known to be old. Nothing here asks a running process anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import IO, Any

from blocklists import store
from blocklists.durable import explained
from blocklists.errors import Busy, StoreError

MAIN = "status"
"""The resolver's supervisor, with or without landing."""
LANDING = "landing"
"""A landing page that runs by itself."""


def _folder(state_dir: Path) -> Path:
    return state_dir / "run"


def hold(state_dir: Path, name: str) -> IO[str]:
    """Take the lock for as long as the returned file stays open. Raises Busy when another process has it, DiskError when there can be no lock.

    A disk that is full or read-only does not keep us from starting: a lock that is there from before is enough, whatever number stands in it.
    """
    path = _folder(state_dir) / f"{name}.lock"
    with explained(f"making {path}", "nothing was started"):
        _folder(state_dir).mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("a+", encoding="ascii")
        except OSError:
            if not path.exists():
                raise
            file = path.open(encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise Busy(f"{state_dir} is in use by another Red Hand (process {holder}); stop it, or give this one a state_dir of its own") from None
    if file.writable():
        with contextlib.suppress(OSError):
            file.truncate(0)
            os.write(file.fileno(), str(os.getpid()).encode())
    return file


def write(state_dir: Path, name: str, report: dict[str, Any]) -> None:
    """Replace the status file. Raises DiskError, and leaves it as it was."""
    path = _folder(state_dir) / f"{name}.json"
    with explained(f"writing {path}", "what is not written can still be asked while it runs"):
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)


def read(state_dir: Path, name: str) -> dict[str, Any] | None:
    """What a living supervisor last wrote; None when none lives."""
    try:
        with (_folder(state_dir) / f"{name}.lock").open(encoding="ascii") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                report = json.loads((_folder(state_dir) / f"{name}.json").read_text(encoding="utf-8"))
                return report if isinstance(report, dict) else None
    except (OSError, ValueError):
        pass
    return None


def in_force(state_dir: Path) -> dict[str, Any] | None:
    """What the list that `current` names says of itself, whoever built it; None when there is none that can be read.

    `serial`, `identity`, `names`, `skipped` (how many records), `held` (sources whose last content stands in it); `refused` and `pinned` as in
    the manifest.
    """
    try:
        manifest = store.read_manifest(state_dir, *store.read_current(state_dir))
    except StoreError:
        return None
    lost = {refused["source"] for refused in manifest["refused"] if not refused["held"]}
    return {
        "serial": manifest["serial"],
        "identity": manifest["identity"],
        "names": sum(layer["names"] for layer in manifest["layers"].values()),
        "skipped": manifest["skipped"],
        "held": sorted(set(manifest["sources"]) - lost),
        "refused": manifest["refused"],
        "pinned": manifest["pinned"],
    }
