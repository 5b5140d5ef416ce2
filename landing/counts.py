"""How many pages were shown for each order on each day, and nothing about who was shown one.

A page adds one to a number in memory; once a minute, and at the end, the numbers are added to the disk:

    state_dir/counts/2026-11-22.json    {"day":"2026-11-22","pages":{"XX-2026-000123":17}}

The day's file holds the sum and memory only what is new, so that a successor adds to what its predecessor wrote, and a killed process loses a minute.
It takes no address, agent, path, referrer or time of day, because `note` is not given any. What may be published of it, `redhand.discreet` says.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path

from blocklists import durable, numbered
from blocklists.alarms import Alarms
from blocklists.errors import DiskError

DIRECTORY = "counts"
FLUSH_SECONDS = 60.0
KEPT_DAYS = 400
"""Days whose file stays: a year's report and the time to write it."""
MOST_ORDERS = 20_000
"""Orders counted one by one on a day; what is shown for more is counted together."""
MOST_DAYS = 8
"""Days that wait in memory for a disk that refuses; then the oldest is given up."""
OTHER = "other"
"""What stands for the orders beyond MOST_ORDERS."""
ALARM = "disk counts"

_EPOCH = date(1970, 1, 1).toordinal()

Pages = dict[str, int]
"""Pages shown, by an order's public reference."""

_log = logging.getLogger("redhand.landing")


class Counts:
    """One process's counts. `note`, `take` and `give_back` belong to the loop; `write` may run beside it."""

    def __init__(self, state_dir: Path, alarms: Alarms) -> None:
        self._directory = state_dir / DIRECTORY
        self._alarms = alarms
        self._new: dict[int, Pages] = {}

    def note(self, references: Iterable[str], day: int) -> None:
        """A page was shown that names these orders. `day`: days since 1970-01-01 (UTC)."""
        pages = self._new.get(day)
        if pages is None:
            pages = self._new[day] = {}
            if len(self._new) > MOST_DAYS:
                del self._new[min(self._new)]
        for reference in references:
            _add(pages, reference, 1)

    def take(self) -> dict[int, Pages]:
        """What was noted since it was last taken, for `write`."""
        taken, self._new = self._new, {}
        return taken

    def give_back(self, taken: dict[int, Pages]) -> None:
        """Counts again what could not be written."""
        for day, pages in taken.items():
            found = self._new.setdefault(day, {})
            for reference, shown in pages.items():
                _add(found, reference, shown)

    def write(self, taken: dict[int, Pages]) -> None:
        """Adds to the days' files, and takes each day out of `taken` once it is on the disk. Raises DiskError."""
        if not taken:
            return
        still = "nothing is lost yet: the pages are counted in memory and written as soon as the disk takes them"
        with numbered.alone(self._directory), durable.explained(f"writing {self._directory}", still):
            for day in sorted(taken):
                path = _path(self._directory, day)
                pages = _sound(path)
                for reference, shown in taken[day].items():
                    _add(pages, reference, shown)
                durable.replace(path, _encode(day, pages))
                del taken[day]
            _forget(self._directory)

    async def keep(self) -> None:
        """For ever: writes what is new once a minute. While the disk refuses, an alarm says so and the counts stay in memory."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Writes what is new now, beside the loop."""
        taken = self.take()
        try:
            await asyncio.to_thread(self.write, taken)
        except DiskError as error:
            self.give_back(taken)
            self._alarms.sound(ALARM, error.what, error.remedy)
        else:
            self._alarms.clear(ALARM)

    def close(self) -> None:
        """Writes what is new a last time; a disk that refuses now costs at most the last minute."""
        with suppress(DiskError):
            self.write(self.take())


def prepare(state_dir: Path) -> Path:
    """The directory of the counts, made if it can be: a process that confines itself can make it only before."""
    path = state_dir / DIRECTORY
    with suppress(OSError):
        path.mkdir(parents=True, exist_ok=True)
    return path


def day_of(moment: int) -> int:
    """The day (UTC, since 1970-01-01) of a unix time."""
    return moment // 86_400


def days(state_dir: Path) -> list[int]:
    """The days that have a file, in order. Raises DiskError."""
    directory = state_dir / DIRECTORY
    with durable.explained(f"reading {directory}"):
        try:
            found = [_day(path) for path in directory.iterdir()]
        except FileNotFoundError:
            return []
    return sorted(day for day in found if day is not None)


def read(state_dir: Path, day: int) -> Pages:
    """What was shown on a day, as it stands on the disk; empty when nothing was, or its file is not what was written. Raises DiskError."""
    path = _path(state_dir / DIRECTORY, day)
    with durable.explained(f"reading {path}"):
        return _read(path) or {}


def text_of(day: int) -> str:
    """A day as people write it: 2026-11-22."""
    return date.fromordinal(_EPOCH + day).isoformat()


def _add(pages: Pages, reference: str, shown: int) -> None:
    counted = reference if reference in pages or len(pages) < MOST_ORDERS else OTHER
    pages[counted] = pages.get(counted, 0) + shown


def _path(directory: Path, day: int) -> Path:
    return directory / f"{text_of(day)}.json"


def _day(path: Path) -> int | None:
    try:
        return date.fromisoformat(path.stem).toordinal() - _EPOCH if path.suffix == ".json" and len(path.stem) == 10 else None
    except ValueError:
        return None


def _encode(day: int, pages: Pages) -> bytes:
    return json.dumps({"day": text_of(day), "pages": pages}, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _read(path: Path) -> Pages | None:
    """None when there is a file and it is not what was written. Raises OSError."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        return None
    pages = document.get("pages") if isinstance(document, dict) else None
    if not isinstance(pages, dict) or any(type(shown) is not int or shown < 1 for shown in pages.values()):
        return None
    return pages


def _sound(path: Path) -> Pages:
    """What a day's file says; one that is not sound is put aside, not overwritten. Raises OSError."""
    found = _read(path)
    if found is None:
        aside = path.with_suffix(".unsound")
        path.replace(aside)
        _log.warning("%s is not what was written and is kept as %s; the day's count begins anew", path, aside.name)
        return {}
    return found


def _forget(directory: Path) -> None:
    """Removes the oldest days beyond KEPT_DAYS: counted in files, so that a wrong clock removes nothing. Raises OSError."""
    found = sorted((day, path) for path in directory.iterdir() if (day := _day(path)) is not None)
    for _, path in found[:-KEPT_DAYS]:
        path.unlink(missing_ok=True)
