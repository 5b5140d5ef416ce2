"""What the rows of latency saw: times until an answer, and the percentiles taken from them. Nothing here measures.

A query that was never answered is no gap in the figures but the slowest of them all: with one lost in 500, p99.9 is "lost".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bench.prober import Probe

SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
WINDOW = 0.25
"""Seconds of probes over which p99 is taken when the question is whether it is back."""
BACK_WINDOWS = 4
"""Windows in a row that must be back: a second."""
BACK_TIMES, BACK_PLUS = 2.0, 0.001
"""p99 is back when it is at most this many times what it was before, and this many seconds more."""
MARGIN = 0.05
"""Seconds: a query sent so shortly before an upstream fails has met the failure."""


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed (nearest rank), from ordered values; 0 if there are none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Times:
    """Seconds until an answer, ordered; infinity where none came. `late`: seconds the queries themselves left late, ordered."""

    seconds: tuple[float, ...]
    late: tuple[float, ...]
    wrong: int

    @classmethod
    def of(cls, probes: Iterable[Probe]) -> Times:
        """Of these probes."""
        known = list(probes)
        seconds = sorted(math.inf if probe.seconds is None else probe.seconds for probe in known)
        return cls(tuple(seconds), tuple(sorted(probe.late for probe in known)), sum(probe.wrong for probe in known))

    @classmethod
    def joined(cls, parts: Iterable[Times]) -> Times:
        """All of them together, as of one longer load."""
        known = list(parts)
        seconds = sorted(second for part in known for second in part.seconds)
        return cls(tuple(seconds), tuple(sorted(late for part in known for late in part.late)), sum(part.wrong for part in known))

    @property
    def lost(self) -> int:
        """Queries without an answer."""
        return sum(second == math.inf for second in self.seconds)

    def at(self, share: float) -> float:
        """The time that this share of all queries did not exceed, in seconds; infinity if that many were not even answered."""
        return quantile(self.seconds, share)

    def as_json(self) -> dict[str, Any]:
        """Percentiles in milliseconds; null where so many were lost that there is no such time."""

        def ms(seconds: float) -> float | None:
            return None if seconds == math.inf else seconds * 1e3

        named = {name: ms(self.at(share)) for name, share in SHARES.items()}
        slowest = max((second for second in self.seconds if second != math.inf), default=0.0)
        counts = {"probes": len(self.seconds), "lost": self.lost, "wrong": self.wrong}
        return (
            counts
            | {f"{name}_ms": value for name, value in named.items()}
            | {"slowest_ms": ms(slowest), "late_p99.9_ms": ms(quantile(self.late, 0.999))}
        )


@dataclass(frozen=True)
class Timed:
    """One load on one server. `phases`: times by phase; a load without events has the one phase ''.

    `peak`: queries a second of which the load was half; `qps`: the load as it was; `busy`: share of its core the server used. `sent` and `lost` count
    queries of the load, its hasty start included, not of the probes. `swaps`: seconds each new list took to be in force. `back`: seconds from an
    upstream's failure until p99 was back; None if it was not before the upstream was.
    """

    server: str
    round: int
    peak: float
    qps: float
    busy: float
    sent: int
    lost: int
    real_time: bool
    phases: dict[str, Times]
    swaps: tuple[float, ...] = ()
    back: float | None = None

    def as_json(self) -> dict[str, Any]:
        """All but the single times."""
        plain = {key: value for key, value in vars(self).items() if key != "phases"}
        return plain | {"phases": {phase: times.as_json() for phase, times in self.phases.items()}}


@dataclass(frozen=True)
class LatencyResult:
    """All loads of one row. `failed` names servers that could not be measured, and why."""

    key: str
    title: str
    asks: str
    figures: list[Timed] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def of(self, server: str) -> list[Timed]:
        """By round."""
        return [figure for figure in self.figures if figure.server == server]

    @property
    def phases(self) -> list[str]:
        """In order."""
        return list(dict.fromkeys(phase for figure in self.figures for phase in figure.phases))

    def times(self, server: str, phase: str) -> Times:
        """All rounds together."""
        return Times.joined(figure.phases[phase] for figure in self.of(server))

    def as_json(self) -> dict[str, Any]:
        """For the record: every round, and all rounds together."""
        servers = dict.fromkeys(figure.server for figure in self.figures)
        together = {server: {phase: self.times(server, phase).as_json() for phase in self.phases} for server in servers}
        rounds = [figure.as_json() for figure in self.figures]
        return {"row": self.key, "title": self.title, "asks": self.asks, "together": together, "rounds": rounds, "failed": self.failed}


def phases_of_failure(probes: Sequence[Probe], failed: float, healed: float) -> dict[str, Times]:
    """Probes before, during and after a failure that lasted from `failed` to `healed` (Unix time)."""
    return {
        "before": Times.of(probe for probe in probes if probe.at < failed - MARGIN),
        "during": Times.of(probe for probe in probes if failed - MARGIN <= probe.at < healed),
        "after": Times.of(probe for probe in probes if probe.at >= healed),
    }


def back_after(probes: Sequence[Probe], failed: float, healed: float) -> float | None:
    """Seconds from the failure to the first of BACK_WINDOWS windows in a row whose p99 is back where it was before; None if there are none."""
    limit = phases_of_failure(probes, failed, healed)["before"].at(0.99) * BACK_TIMES + BACK_PLUS
    edges = [failed + number * WINDOW for number in range(int((healed - failed) / WINDOW) + 1)]
    run = 0
    for number, (begin, end) in enumerate(pairwise(edges)):
        fine = Times.of(probe for probe in probes if begin <= probe.at < end).at(0.99) <= limit
        run = run + 1 if fine else 0
        if run == BACK_WINDOWS:
            return (number + 1 - BACK_WINDOWS) * WINDOW
    return None
