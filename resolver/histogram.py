"""How long things took: counts by fixed bounds, kept as plain integers, so that adding one costs less than reading the clock."""

from __future__ import annotations

from bisect import bisect_left

BOUNDS = (
    0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip
"""Upper bounds in seconds, inclusive; what took longer is counted behind the last."""


class Histogram:
    """`counts` has one more number than BOUNDS; `seconds` is the sum of all that was added."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """Counts `times` things that took so many seconds each."""
        self.counts[bisect_left(BOUNDS, seconds)] += times
        self.seconds += seconds * times
