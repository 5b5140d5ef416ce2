"""Notices a worker that lives and does nothing: stopped, or caught in a loop of its own.

A worker writes its figures five times a second from the loop that answers (resolver.board), so a beat that stands still is a loop that stands still.
Whoever looks may have stood still itself, with the whole machine perhaps: time in which nobody looked counts against nobody. Pure.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Worker = TypeVar("Worker", bound=Hashable)

HANGS_SECONDS = 5.0
"""Without a beat, after which a worker is taken for hung: no disk, no list and no flood keeps a loop as long."""
LOOK_SECONDS = 0.5
"""How often to look."""
LATE_SECONDS = 1.0
"""Between two looks, from which on the time between them does not count."""


@dataclass(slots=True)
class Hangs(Generic[Worker]):
    """What was seen at the looks before."""

    _seen: dict[Worker, tuple[int, float]] = field(default_factory=dict)
    """By worker's process: its last beat, and for how long it was that."""
    _looked: float | None = None

    def look(self, now: float, beats: Iterable[tuple[Worker, int]]) -> list[Worker]:
        """Those that hang, of all that serve now, given each one's beat. `now`: monotonic seconds. A beat of 0, before the first, is not judged."""
        passed = 0.0 if self._looked is None else now - self._looked
        self._looked = now
        before, self._seen = self._seen, {}
        for worker, beat in beats:
            last, still = before.get(worker, (0, 0.0))
            self._seen[worker] = beat, still + (passed if passed < LATE_SECONDS else 0.0) if beat == last else 0.0
        return [worker for worker, (beat, still) in self._seen.items() if beat and still >= HANGS_SECONDS]
