"""How long until: the curve of Kaplan and Meier, of waits of which some had not ended when the watch did (right-censored).

Pointwise intervals are Greenwood's on the scale of log(-log S), which keeps them within 0 and 1. Sources: E. L. Kaplan and P. Meier, JASA 53 (1958),
pages 457 to 481; J. D. Kalbfleisch and R. L. Prentice, The Statistical Analysis of Failure Time Data, 2nd edition (2002), chapter 1.4; for the
intervals of percentiles R. Brookmeyer and J. Crowley, Biometrics 38 (1982), pages 29 to 41.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from porosity.statistics import wilson

Column = NDArray[np.float64]


class Curve(NamedTuple):
    """One row for each time at which a wait ended."""

    times: Column
    at_risk: Column
    """Waits that had neither ended nor been given up just before."""
    ended: Column
    survival: Column
    """Share of waits that are longer, 0 to 1."""
    low: Column
    high: Column
    """Of that share. Where none is longer, there is no variance to reckon with: then from 0 to what it was before."""
    watched: float
    """The longest wait, ended or not."""


class Percentile(NamedTuple):
    """A wait that so many are at most as long as. None: longer than was watched."""

    value: float | None
    low: float | None
    high: float | None


def curve(waits: ArrayLike, ended: ArrayLike, confidence: float = wilson.CONFIDENCE) -> Curve:
    """The curve of waits; `ended`: whether each did, or was censored there. One that is censored when another ends counts as at risk.

    Raises ValueError for none, for another number of either, or a wait that is below 0 or no number.
    """
    durations, over = np.asarray(waits, dtype=np.float64), np.asarray(ended, dtype=bool)
    if durations.ndim != 1 or durations.shape != over.shape or not durations.size:
        raise ValueError("a curve needs waits, and of each whether it ended")
    if not np.all(durations >= 0) or not np.all(np.isfinite(durations)):
        raise ValueError("a wait is a number of 0 or more")
    times, events = np.unique(durations[over], return_counts=True)
    at_risk = durations.size - np.searchsorted(np.sort(durations), times, side="left")
    survival: Column = np.cumprod(1 - events / at_risk).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(events / (at_risk * (at_risk - events).astype(np.float64)))
        log = np.log(survival)
        width = wilson.quantile(confidence) * np.sqrt(variance) / log
        low, high = survival ** np.exp(-width), survival ** np.exp(width)
    if survival.size and at_risk[-1] == events[-1]:
        survival[-1] = low[-1] = 0.0
        high[-1] = high[-2] if survival.size > 1 else 1.0
    return Curve(times, at_risk.astype(np.float64), events.astype(np.float64), survival, low, high, float(durations.max()))


def percentile(of: Curve, share: float) -> Percentile:
    """The wait that this share of all waits is at most as long as (0.5: the median), and between which waits it lies. Raises ValueError."""
    if not 0 < share < 1:
        raise ValueError(f"a share of {share} has no wait; give one between 0 and 1, such as 0.95")
    left = 1 - share
    return Percentile(*(_first(of.times, values, left) for values in (of.survival, of.low, of.high)))


def _first(times: Column, values: Column, level: float) -> float | None:
    """The first time at which the values are not above the level."""
    below = np.flatnonzero(values <= level + 1e-12)
    return float(times[below[0]]) if below.size else None
