"""What a vantage observes, kept as it comes: whenever the program is killed, nothing is on record twice, and nothing that was is lost.

Batches are appended to a segment of the journal, each a frame with its length and checksum, and are on the disk when `append` returns. A segment
that is full becomes the Parquet part of its own number, by one rename; after a kill, a segment whose part is there is dropped, and a last frame that
is torn is cut off. All observations of a trial go into one batch: a trial is on record whole or not at all.

One process writes for a vantage; a lock holds the others off. Not for several threads at once.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from blocklists import durable
from blocklists.errors import Busy, DiskError, StoreError
from porosity import observations, parts, segments
from porosity.observations import Done
from porosity.study import Study
from porosity.words import Observation

SEGMENT_ROWS = 50_000
"""Observations after which a segment is sealed into a part: 10 to 20 MB in memory while it is."""
SEGMENT_OCTETS = 32 << 20
"""Octets after which it is, however few observations they are: an answer may have 64 KiB."""

LOCK = "lock"


class Journal:
    """The journal of one vantage of a study, open for appending."""

    def __init__(self, study: Study, vantage: str, segment_rows: int = SEGMENT_ROWS) -> None:
        """Takes the lock, and puts what a kill left behind in order. Raises Busy, StoreError and DiskError."""
        self.vantage = vantage
        self._plan = study.plan
        self._folder = study.observations(vantage)
        self._segments = self._folder / segments.FOLDER
        self._most = segment_rows
        self._descriptor = -1
        self._number = 0
        self._end = 0
        self._rows = 0
        with parts.explained(self._segments):
            self._segments.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._segments / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Busy(f"another process writes the observations of {vantage} in {study.directory}; wait for it, or name another vantage") from None
        try:
            with parts.explained(self._segments):
                self._recover()
            self.done: Done = observations.done(study, vantage)
            """Trials on record."""
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def append(self, rows: Sequence[Observation]) -> None:
        """Puts these on the disk, all or none. All observations of a trial come in one call, and a trial comes once.

        Raises ValueError for a trial that is on record or not in the plan, or an ask twice; DiskError when the disk refuses, after which the journal
        is as it was before the call, and takes the same again.
        """
        if not rows:
            return
        self._check(rows)
        payload = observations.batch(rows, self.vantage).serialize().to_pybytes()
        if self._descriptor < 0:
            self._begin()
        self._write(payload)
        self._rows += len(rows)
        self.done.add(each.trial for each in rows)
        if self._rows >= self._most or self._end >= SEGMENT_OCTETS:
            with suppress(DiskError):  # these are on record; a disk that is full says so when the next are not
                self.seal()

    def seal(self) -> None:
        """Makes the segment a part, though it is not full: for the end of a run. Raises DiskError; the segment then stays, and is read as it is."""
        if self._descriptor < 0:
            return
        # Whatever comes of it, nothing more goes into this segment: its part may be there already.
        self._let_go()
        _seal(self._folder, self._number, self._plan.id, self.vantage)

    def close(self) -> None:
        """Gives the lock back. What is not sealed stays in the journal, from which readers take it."""
        self._let_go()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _let_go(self) -> None:
        """No more goes into this segment: the next batch begins another."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _check(self, rows: Sequence[Observation]) -> None:
        seen: set[tuple[int, int]] = set()
        for each in rows:
            if not 0 <= each.trial < self._plan.trials:
                raise ValueError(f"trial {each.trial} is not in the plan, which has {self._plan.trials}")
            if each.trial in self.done:
                raise ValueError(f"trial {each.trial} is on record; it is recorded once, with all its asks")
            if (each.trial, each.ask) in seen:
                raise ValueError(f"ask {each.ask} of trial {each.trial} is there twice")
            seen.add((each.trial, each.ask))

    def _recover(self) -> None:
        for torn in self._folder.glob(".*.new"):
            torn.unlink()
        sealed = parts.numbers(self._folder)
        left = segments.numbers(self._segments)
        for number in left:
            path = segments.path(self._segments, number)
            if number in sealed:
                path.unlink()
                continue
            found = segments.read(path)
            if found.frames and found.plan != self._plan.id:
                raise StoreError(f"{path} was observed for another plan ({found.plan[:12]}); keep studies in directories of their own")
            rows = sum(observations.decode(each).num_rows for each in found.frames)
            if not rows:
                path.unlink()
            elif number != left[-1] or rows >= self._most or found.end >= SEGMENT_OCTETS:
                _seal(self._folder, number, self._plan.id, self.vantage)
            else:
                self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
                os.ftruncate(self._descriptor, found.end)
                os.fsync(self._descriptor)
                self._number, self._end, self._rows = number, found.end, rows

    def _begin(self) -> None:
        self._number = max([*parts.numbers(self._folder), *segments.numbers(self._segments), 0]) + 1
        path = segments.path(self._segments, self._number)
        with parts.explained(path):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            durable.sync_directory(self._segments)
        self._end = self._rows = 0
        try:
            self._write(self._plan.id.encode())
        except DiskError:
            self._let_go()
            raise

    def _write(self, payload: bytes) -> None:
        frame = segments.frame(payload)
        with parts.explained(segments.path(self._segments, self._number)):
            try:
                left = memoryview(frame)
                while left:
                    left = left[os.write(self._descriptor, left) :]
                os.fdatasync(self._descriptor)
            except OSError:
                try:
                    os.ftruncate(self._descriptor, self._end)
                except OSError:
                    self._let_go()  # nothing may stand behind what is torn
                raise
        self._end += len(frame)


def _seal(folder: Path, number: int, plan: str, vantage: str) -> None:
    """Makes a segment the part of its number."""
    path = segments.path(folder / segments.FOLDER, number)
    found = segments.read(path)
    table = pa.Table.from_batches([observations.decode(each) for each in found.frames], observations.SCHEMA)
    parts.write(folder / parts.name(number), table, {"plan": plan, "vantage": vantage})
    with suppress(OSError):  # readers go by the part, and the next start removes what it was made of
        path.unlink()
