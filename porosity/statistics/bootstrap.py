"""How sure a share is whose cases come in clusters: names of one registrable domain go together, and repeats of one name all the more.

Whole clusters are drawn with replacement, as many as there are; a share is that of all cases of the clusters drawn (a ratio, as clusters differ in
size); the interval lies between percentiles of what the draws give. All shares of one resampler see the same draws, so that what is made of
several of them, such as a sum, can be drawn too. Source: A. C. Davison and D. V. Hinkley, Bootstrap Methods and their Application (1997),
chapter 3.8.

A share of none in many has no spread to draw from: its interval is one point, and Wilson's says more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from porosity.statistics.wilson import CONFIDENCE

DRAWS = 1000
_KEPT_OCTETS = 32 << 20
"""Draws up to this size are kept between shares; larger ones are drawn again each time, the same by their seed."""
_BLOCK = 2_000_000
"""Numbers that are worked on at a time."""


class Resampler:
    """The draws for one set of clusters."""

    def __init__(self, clusters: int, seed: int, draws: int = DRAWS) -> None:
        """Raises ValueError without any cluster or draw."""
        if clusters < 1 or draws < 1:
            raise ValueError(f"{draws} draws of {clusters} clusters say nothing; give 1 of each at least")
        self.clusters, self.draws, self._seed = clusters, draws, seed
        self._kept = list(self._draw()) if clusters * draws <= _KEPT_OCTETS else None

    def shares(self, hits: ArrayLike, cases: ArrayLike) -> NDArray[np.float64]:
        """One row a draw: the share that each column has in it. `hits`, `cases`: one row a cluster, one column a share.

        A draw in which a column has no case at all gives NaN.
        """
        over, under = self._columns(hits), self._columns(cases)
        found = [np.hstack([block @ over, block @ under]) for block in self._blocks()]
        sums = np.vstack(found)
        top, bottom = sums[:, : over.shape[1]], sums[:, over.shape[1] :]
        with np.errstate(invalid="ignore", divide="ignore"):
            shares: NDArray[np.float64] = np.divide(top, bottom, dtype=np.float64)
        return shares

    def interval(self, hits: ArrayLike, cases: ArrayLike, confidence: float = CONFIDENCE) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The lower and upper end of each column's share; NaN for a column without cases."""
        return percentiles(self.shares(hits, cases), confidence)

    def _columns(self, given: ArrayLike) -> NDArray[np.float32]:
        found = np.asarray(given, dtype=np.float32)
        if found.ndim != 2 or found.shape[0] != self.clusters:
            raise ValueError(f"{found.shape} is not one row for each of {self.clusters} clusters")
        return found

    def _blocks(self) -> Iterator[NDArray[np.float32]]:
        """How often each cluster is in each draw."""
        for each in self._draw() if self._kept is None else self._kept:
            yield each.astype(np.float32)

    def _draw(self) -> Iterator[NDArray[np.uint8]]:
        random = np.random.default_rng(self._seed)
        at_once = max(1, _BLOCK // self.clusters)
        for first in range(0, self.draws, at_once):
            count = min(at_once, self.draws - first)
            drawn = random.integers(0, self.clusters, size=(count, self.clusters), dtype=np.int64)
            drawn += np.arange(count, dtype=np.int64)[:, None] * self.clusters
            times = np.bincount(drawn.ravel(), minlength=count * self.clusters)
            yield np.minimum(times, 255).reshape(count, self.clusters).astype(np.uint8)


def percentiles(drawn: NDArray[np.float64], confidence: float = CONFIDENCE) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends between which this share of the draws lies, column by column, between draws in proportion; draws that are NaN do not count."""
    ordered = np.sort(drawn, axis=0)  # NaN last
    count = np.count_nonzero(~np.isnan(ordered), axis=0)
    columns = np.arange(drawn.shape[1])
    ends = []
    for share in (0.5 - confidence / 2, 0.5 + confidence / 2):
        place = np.maximum(count - 1, 0) * share
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(count - 1, 0))
        ends.append(ordered[below, columns] + (place - below) * (ordered[above, columns] - ordered[below, columns]))
    return ends[0], ends[1]
