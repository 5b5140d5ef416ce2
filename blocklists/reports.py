"""Reports of errors at the operator: kept until the authority has them, then what became of them.

    state_dir/outbox/reports/<reference>.json    what a visitor wrote; on the disk before the visitor is told that it was received
    state_dir/outbox/reported/<reference>.json   once the authority has it: since when, and what became of it; nothing that the visitor wrote
    state_dir/outbox/outcomes.json               up to which number the authority's outcomes are here

The landing process adds to the first and reads the second; the feed client does the rest. Killed at any instant, a report is here whole, or was never
received; one that the authority already has may be sent again, which makes no second one. How many wait, and how large they are, is bounded; of those
that the authority has, the oldest are forgotten. Nothing here opens a connection (`feed.reporter` does).
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from blocklists import durable, report
from blocklists.directive import Digest, Part
from blocklists.errors import BadDocument, RedHandError, StoreError
from blocklists.report import Outcome, Report, Time
from blocklists.trust import strict

MOST_WAITING = 2_000
MOST_OCTETS = 16 << 20
MOST_FOLLOWED = 20_000
KEEP_SECONDS = 400 * 86_400
"""For so long after the authority took it, or answered, a visitor can see what became of a report."""
STALE_SECONDS = 3600
"""After which a file that was never finished is removed."""
STILL = "nothing was kept of the report"
SUFFIX = ".json"
_REMEDY = "put the file back from a backup, or remove it"


class Full(RedHandError):
    """As many reports wait as are kept."""


class Differs(RedHandError):
    """Something else was kept under this reference."""


class Taken(Part):
    """What is kept of a report that the authority has."""

    reference: report.Reference
    digest: Digest
    """Of the report: that the same comes again is seen, and nothing of it can be read."""
    at: Time
    """When the authority took it, by its own word."""
    outcome: Outcome | None

    def encode(self) -> bytes:
        """As it stands on the disk."""
        return strict.write(self.model_dump(mode="json"), "what is kept of a report")


class Waiting(NamedTuple):
    """A report that the authority does not have yet."""

    reference: str
    since: float
    """Unix seconds."""


class Reports:
    """Of one state directory. Threads may share it; `keep` is for one process, all else that writes for one other."""

    def __init__(self, state_dir: Path) -> None:
        self.waiting = state_dir / "outbox" / "reports"
        self.followed = state_dir / "outbox" / "reported"
        self._cursor = state_dir / "outbox" / "outcomes.json"
        self._adding = threading.Lock()
        self._answered: set[str] = set()
        """Some of those that have their outcome: their files need not be read again to know so."""

    def prepare(self) -> Path:
        """The directory that `keep` writes in, made if it can be: a process that confines itself can make it only before."""
        with suppress(OSError):
            self.waiting.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.waiting

    def keep(self, found: Report) -> bool:
        """Keeps it, on the disk when this returns; False when the same is here, or with the authority, already.

        Raises Full, Differs when another has its reference, BadDocument when it is too large, DiskError.
        """
        data = found.encode()
        with self._adding:
            if self._known(found.reference, data):
                return False
            count, octets = self._load()
            if count >= MOST_WAITING or octets + len(data) > MOST_OCTETS:
                raise Full(f"{count} reports of {octets} octets wait for the authority, which are as many as are kept; see why none is fetched")
            with durable.explained(f"writing the report {found.reference}", STILL):
                self.waiting.mkdir(mode=0o700, parents=True, exist_ok=True)
                durable.replace(self._path(self.waiting, found.reference), data)
        return True

    def status(self, reference: str) -> Waiting | Taken | None:
        """Where a report stands; None when there is none of this reference, or no longer. Raises StoreError."""
        # In this order: a report is with those taken before it leaves those that wait.
        path = self._path(self.waiting, reference)
        with durable.explained(f"reading {path}", STILL), suppress(FileNotFoundError):
            return self._taken(reference) or Waiting(reference, path.stat().st_mtime)
        return self._taken(reference)

    def pending(self) -> list[Waiting]:
        """Those that wait, the oldest first. Raises DiskError."""
        found = []
        with durable.explained(f"reading {self.waiting}", STILL), suppress(FileNotFoundError), os.scandir(self.waiting) as entries:
            for entry in entries:
                if (reference := _reference_of(entry.name)) is not None:
                    with suppress(FileNotFoundError):
                        found.append(Waiting(reference, entry.stat().st_mtime))
        return sorted(found, key=lambda each: (each.since, each.reference))

    def read(self, reference: str) -> Report:
        """One that waits. Raises StoreError."""
        path = self._path(self.waiting, reference)
        try:
            found = report.read(path.read_bytes(), str(path))
            if found.reference != reference:
                raise BadDocument(f"it is {found.reference}")
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error.strerror}); {_REMEDY}") from None
        except BadDocument as error:
            raise StoreError(f"{path} is not what was written ({error}); {_REMEDY}") from None
        return found

    def note_taken(self, found: Report, at: int) -> None:
        """The authority has it: what was written goes, and who follows it sees so. Raises DiskError."""
        with durable.explained(f"writing down that the report {found.reference} was taken", STILL):
            if self._taken(found.reference) is None:
                self.followed.mkdir(mode=0o700, parents=True, exist_ok=True)
                made = Taken(reference=found.reference, digest=report.digest(found.encode()), at=at, outcome=None)
                durable.replace(self._path(self.followed, found.reference), made.encode())
            with suppress(FileNotFoundError):
                self._path(self.waiting, found.reference).unlink()

    def note_outcome(self, outcome: Outcome) -> bool:
        """Keeps what became of one; False for one that is not known here, or no longer. Raises StoreError."""
        taken = self._taken(outcome.reference)
        if taken is None:
            return False
        if taken.outcome is None or taken.outcome.number < outcome.number:
            with durable.explained(f"writing what became of the report {outcome.reference}", STILL):
                durable.replace(self._path(self.followed, outcome.reference), taken.model_copy(update={"outcome": outcome}).encode())
        return True

    @property
    def heard(self) -> int:
        """The number of the last outcome that is here. Raises StoreError."""
        try:
            document = strict.read(self._cursor.read_bytes(), str(self._cursor), 1000)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise StoreError(f"{self._cursor} cannot be read ({error.strerror}); {_REMEDY}") from None
        except BadDocument:
            return 0  # all are fetched again, which changes nothing
        number = document.get("after")
        return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 0

    def note_heard(self, number: int) -> None:
        """All outcomes up to this are here. Raises DiskError."""
        with durable.explained(f"writing {self._cursor}", STILL):
            durable.replace(self._cursor, strict.write({"after": number}))

    def open(self) -> bool:
        """Whether any report that the authority has is without an outcome. Raises StoreError."""
        for reference in self._names(self.followed):
            if reference not in self._answered:
                taken = self._taken(reference)
                if taken is not None and taken.outcome is None:
                    return True
                self._answered.add(reference)
        return False

    def tidy(self, now: float) -> None:
        """Forgets the oldest of those that the authority has, and what a killed process left. Raises DiskError."""
        with durable.explained(f"tidying {self.followed}", STILL):
            aged = sorted((self._age(each), each) for each in self._names(self.followed))
            for number, (since, reference) in enumerate(aged):
                if since < now - KEEP_SECONDS or number < len(aged) - MOST_FOLLOWED:
                    self._path(self.followed, reference).unlink(missing_ok=True)
            for directory in (self.waiting, self.followed):
                for path in directory.glob(".*.new"):
                    with suppress(FileNotFoundError):
                        if path.stat().st_mtime < now - STALE_SECONDS:
                            path.unlink()

    def _known(self, reference: str, data: bytes) -> bool:
        """Whether this is here already. Raises Differs."""
        taken = self._taken(reference)
        path = self._path(self.waiting, reference)
        if taken is None and not path.exists():
            return False
        same = taken.digest == report.digest(data) if taken is not None else path.read_bytes() == data
        if not same:
            raise Differs(f"another report was kept under {reference}; send this one under a reference of its own")
        return True

    def _load(self) -> tuple[int, int]:
        """How many wait, and their octets."""
        count = octets = 0
        with durable.explained(f"reading {self.waiting}", STILL), suppress(FileNotFoundError), os.scandir(self.waiting) as entries:
            for entry in entries:
                if _reference_of(entry.name) is not None:
                    with suppress(FileNotFoundError):
                        octets += entry.stat().st_size
                        count += 1
        return count, octets

    def _taken(self, reference: str) -> Taken | None:
        path = self._path(self.followed, reference)
        try:
            return Taken.model_validate(strict.read(path.read_bytes(), str(path), 2 * report.MAX_OCTETS))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error.strerror}); {_REMEDY}") from None
        except (BadDocument, ValueError) as error:
            raise StoreError(f"{path} is not what was written ({error}); {_REMEDY}") from None

    def _age(self, reference: str) -> float:
        try:
            return self._path(self.followed, reference).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    @staticmethod
    def _names(directory: Path) -> list[str]:
        try:
            return [reference for name in os.listdir(directory) if (reference := _reference_of(name)) is not None]
        except FileNotFoundError:
            return []

    @staticmethod
    def _path(directory: Path, reference: str) -> Path:
        return directory / f"{reference}{SUFFIX}"


def _reference_of(name: str) -> str | None:
    reference = name.removesuffix(SUFFIX)
    return reference if name.endswith(SUFFIX) and report.reference_in(reference) == reference else None
