"""What figures mean to a person: shares, rates between two looks, quantiles. Pure: reports with figures in (redhand.seen), numbers out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redhand.figures import Found, total

Figures = Mapping[str, Found]


@dataclass(frozen=True, slots=True)
class Upstream:
    """One upstream as all workers together see it."""

    address: str
    round_trip: float
    """Seconds, smoothed: the mean of the workers that know it; 0 before the first answer."""
    away: int
    """Workers that ask others first."""
    sent: float
    lost: float
    """Share of what was sent that got no usable answer in time, 0 to 1."""


def upstreams(figures: Figures) -> list[Upstream]:
    """Every upstream, in the order of the settings."""
    addresses = dict.fromkeys(labels["upstream"] for found in figures.values() for name, labels, _ in found if name == "upstream_sent")
    return [_upstream(figures, address) for address in addresses]


def _upstream(figures: Figures, address: str) -> Upstream:
    trips = [
        number
        for found in figures.values()
        for name, labels, number in found
        if name == "upstream_round_trip_seconds" and labels["upstream"] == address and number
    ]
    sent = total(figures, "upstream_sent", upstream=address)
    missed = total(figures, "upstream_missed_tries", upstream=address)
    return Upstream(
        address,
        sum(trips) / len(trips) if trips else 0.0,
        int(total(figures, "upstream_away", upstream=address)),
        sent,
        min(1.0, missed / sent) if sent else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Sums:
    """Counts of all workers, or of one, at one time or between two."""

    queries: float
    tcp: float
    """Queries that came by TCP."""
    waited: float
    """Queries that waited for an upstream."""
    blocked: float
    dropped: float
    times: tuple[tuple[float, float], ...]
    """How many answers took at most so many seconds: pairs of bound and count, not summed up."""

    @property
    def hits(self) -> float | None:
        """Share of the queries answered without an upstream, 0 to 1; None when there were none."""
        return max(0.0, 1 - self.waited / self.queries) if self.queries else None

    def since(self, before: Sums) -> Sums:
        """What was added; nothing where a figure went down, as it does when the supervisor was started again."""
        earlier = dict(before.times)
        queries, tcp, waited, blocked, dropped = (max(0.0, now - then) for now, then in zip(self._counts(), before._counts(), strict=True))
        times = tuple((bound, max(0.0, count - earlier.get(bound, 0.0))) for bound, count in self.times)
        return Sums(queries, tcp, waited, blocked, dropped, times)

    def _counts(self) -> tuple[float, ...]:
        return self.queries, self.tcp, self.waited, self.blocked, self.dropped

    def quantile(self, share: float) -> float | None:
        """Seconds within which this share of the answers was given, read from the histogram: never too low. None when there were none."""
        so_far, wanted = 0.0, share * sum(count for _, count in self.times)
        for bound, count in self.times:
            so_far += count
            if so_far >= wanted > 0:
                return bound
        return None


def sums(figures: Figures) -> Sums:
    """The counts of these workers."""
    times: dict[float, float] = {}
    for histogram in ("answer_seconds", "lookup_seconds"):
        for found in figures.values():
            for name, labels, number in found:
                if name == histogram and labels["le"] != "sum":
                    bound = float(labels["le"])
                    times[bound] = times.get(bound, 0.0) + number
    return Sums(
        total(figures, "queries"),
        total(figures, "queries", transport="tcp"),
        total(figures, "waited"),
        total(figures, "blocked"),
        total(figures, "dropped"),
        tuple(sorted(times.items())),
    )


def duration(seconds: float | None) -> str:
    """`0.05 ms`, `12 ms`, `1.2 s`; a dash for none."""
    if seconds is None:
        return "-"
    if seconds == float("inf"):
        return "> 5 s"
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.2g} s"


def share(part: float | None) -> str:
    """`97.2 %`; a dash for none."""
    return "-" if part is None else f"{100 * part:.1f} %"


def most_blocking(orders: Mapping[str, int], most: int) -> Iterable[tuple[str, int]]:
    """The orders with the most blocks, most first."""
    return sorted(orders.items(), key=lambda item: (-item[1], item[0]))[:most]


def latest(report: Mapping[str, Any]) -> Figures:
    """The figures of a report; none when the supervisor could not be asked."""
    found: Figures = report.get("figures") or {}
    return found
