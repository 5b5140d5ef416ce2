"""How sure a share is: the score interval of Wilson, which stays within 0 and 1 and says something even of none in many.

Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927), pages 209 to 212. It takes the cases for
independent; where they come in clusters, see `bootstrap`.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95


def interval(shares: ArrayLike, cases: ArrayLike, confidence: float = CONFIDENCE) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lower and upper end for shares (0 to 1) of so many cases; from 0 to 1 where there are none.

    Raises ValueError for shares, numbers of cases or a confidence that cannot be.
    """
    share, count = np.broadcast_arrays(np.asarray(shares, dtype=np.float64), np.asarray(cases, dtype=np.float64))
    known = count > 0
    if np.any(count < 0) or np.any(known & ~((share >= 0) & (share <= 1))):
        raise ValueError("a share lies within 0 and 1, of 0 cases or more")
    squared = quantile(confidence) ** 2
    n = np.where(known, count, 1.0)
    p = np.where(known, share, 0.5)
    middle = (p + squared / (2 * n)) / (1 + squared / n)
    half = np.sqrt(squared * (p * (1 - p) / n + squared / (4 * n * n))) / (1 + squared / n)
    # Of none, and of all, the end is that exactly; rounding must not say otherwise.
    low = np.where(known & (p > 0), np.clip(middle - half, 0.0, p), 0.0)
    high = np.where(known & (p < 1), np.clip(middle + half, p, 1.0), 1.0)
    return low, high


def quantile(confidence: float) -> float:
    """How many standard deviations to either side hold this share of a normal distribution. Raises ValueError unless it is between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence} cannot be; give one between 0 and 1, such as 0.95")
    return NormalDist().inv_cdf(0.5 + confidence / 2)
