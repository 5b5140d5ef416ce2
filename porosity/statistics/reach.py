"""Effective reach: how many of a name's users still reach it, when so many go this way and so many that.

The sum over paths of (share of users on the path) times (probability that a name resolves on it). The shares are given, from sources that their
giver names, and are not measured here; the probabilities are. What is uncertain in the shares is not in the interval.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from porosity.statistics import bootstrap

_ROUNDING = 1e-6


def effective(shares: Sequence[float], probabilities: Sequence[float]) -> float:
    """The sum. Raises ValueError unless the shares make one whole, and all lie within 0 and 1."""
    check(shares)
    if len(probabilities) != len(shares) or any(not 0 <= each <= 1 for each in probabilities):
        raise ValueError("each path needs a probability within 0 and 1")
    return sum(share * probability for share, probability in zip(shares, probabilities, strict=True))


def interval(shares: Sequence[float], drawn: NDArray[np.float64], lows: Sequence[float], highs: Sequence[float]) -> tuple[float, float]:
    """Its ends: the wider of two.

    One by draws of the probabilities: one row a draw, one column a path, as `bootstrap.Resampler.shares` gives them. One by the paths' own ends, as
    if all erred to the same side, which they may, since all are measured by the same names: draws say nothing where all names were reached, or none.
    """
    check(shares)
    low, high = bootstrap.percentiles((drawn @ np.asarray(shares, dtype=np.float64))[:, None])
    return min(float(low[0]), effective(shares, lows)), max(float(high[0]), effective(shares, highs))


def check(shares: Sequence[float]) -> None:
    """Raises ValueError unless the shares of all paths make one whole."""
    if any(not 0 <= each <= 1 for each in shares) or abs(sum(shares) - 1) > _ROUNDING:
        raise ValueError(f"the shares of all paths make {sum(shares):g} and not 1; give each within 0 and 1, and the rest as a path of its own")
