"""The agreed time of all our processes: `clock.AgreedClock` fed with this machine's clocks, and what it needs to know across processes and restarts.

    state_dir/trust/floor     "<unix seconds>" or "<unix seconds> <seconds since boot> <boot id>"

The one supervisor writes it while it runs: what the time was agreed to be, and when by the clock that cannot be set. A process that starts in the
same boot goes on from there, so that a worker started again, or a build begun, while the wall clock is wrong by a year does not believe it.
A supervisor that is told to end leaves the first number alone, a floor: time is known to have passed until then. Starting it again is a person's
word that the clock is right now, as long as it is not below the floor. Nothing here writes to a disk that refuses; the floor just stays older.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from blocklists import durable
from blocklists.alarms import Alarms
from blocklists.clock import TOLERANCE, AgreedClock

ALARM = "clock"
CALM_SECONDS = 3.0
"""How long the clock must have been right for the alarm to end: one that is set to and fro is one fault, not many."""

_FLOOR = re.compile(r"(\d{1,12})(?: (\d{1,12}(?:\.\d{1,9})?) ([0-9a-f-]{36}))?\n")


class Timekeeper:
    """Agreed time for one process, begun from what is on disk."""

    def __init__(self, state_dir: Path) -> None:
        self._path = _path(state_dir)
        self._boot = _boot_id()
        self._right_since: float | None = None
        floor, at = _read(self._path, self._boot)
        self._clock = AgreedClock(int(floor))
        if at is not None:
            self._clock.resume(floor, at)

    def now(self) -> int:
        """Agreed time in unix seconds: never goes back, and stands still while the wall clock is off by more than five minutes."""
        return self._clock.reading(time.time(), _since_boot())

    @property
    def jumped(self) -> bool:
        """Whether time stood still at the last `now`."""
        return self._clock.jumped

    def record(self, final: bool = False) -> bytes:
        """What `keep` should write, as of now; `final`: as a floor for a later start."""
        shown = self.now()
        if final or not self._boot:
            return f"{shown}\n".encode()
        wall, at = self._clock.agreement
        return f"{int(wall)} {max(0.0, at - wall % 1):.6f} {self._boot}\n".encode()

    def watch(self, alarms: Alarms) -> None:
        """Raises the alarm while the clock is wrong, and ends it once it has been right for some seconds. To be called every second or so."""
        self.now()
        if self.jumped:
            self._right_since = None
            alarms.sound(
                ALARM,
                f"the system's clock is more than {TOLERANCE // 60} minutes away from where it should be; orders neither begin nor end meanwhile, "
                "what is withdrawn is lifted",
                "check the clock and its NTP service; if it is right now and was wrong before, restart Red Hand; if that does not help, the clock "
                f"was ahead before: remove {self._path} before that",
            )
        elif self._right_since is None:
            self._right_since = time.monotonic()
        elif time.monotonic() - self._right_since >= CALM_SECONDS:
            alarms.clear(ALARM)


def keep(state_dir: Path, record: bytes) -> None:
    """Writes a `Timekeeper.record`; only the supervisor that builds the list does. Raises DiskError."""
    path = _path(state_dir)
    with durable.explained(f"writing {path}", "the agreed time goes on in memory"):
        path.parent.mkdir(parents=True, exist_ok=True)
        durable.replace(path, record)


def _path(state_dir: Path) -> Path:
    return state_dir / "trust" / "floor"


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot_id() -> str:
    """Of this boot of the kernel; empty where it cannot be known, and then every start is taken for one after a boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def _read(path: Path, boot: str) -> tuple[float, float | None]:
    """The agreed time, and when that was by the clock since boot, if it was in this one; no floor at all when the file is not what was written."""
    try:
        found = _FLOOR.fullmatch(path.read_text("ascii"))
    except (OSError, ValueError):
        return 0.0, None
    if found is None:
        return 0.0, None
    at = float(found[2]) if found[2] and boot and found[3] == boot else None
    return float(found[1]), at if at is not None and at <= _since_boot() else None
