"""How sure the difference of two shares is: from the intervals of each, put together as by Newcombe.

Each end is as far from the difference as the hypotenuse of what the two shares' own ends are apart from them; where both are of the same cases, less
what they have in common. Sources: R. G. Newcombe, Statistics in Medicine 17 (1998), pages 873 to 890 (method 10, other cases) and pages 2635 to 2650
(method 10, the same cases).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Ends(NamedTuple):
    """A share, 0 to 1, and its interval."""

    share: float
    low: float
    high: float


def interval(first: Ends, second: Ends, alike: float = 0.0) -> tuple[float, float, float]:
    """Second less first, and between which ends it lies, -1 to 1. `alike`: how far the two go together, -1 to 1 (`correlation`); 0: other cases."""
    gap = second.share - first.share
    low = gap - _side(second.share - second.low, first.high - first.share, alike)
    high = gap + _side(second.high - second.share, first.share - first.low, alike)
    return gap, max(-1.0, low), min(1.0, high)


def correlation(first: ArrayLike, second: ArrayLike) -> float:
    """How far two shares of the same cases go together: Newcombe's phi, made smaller for few cases. 0 where one of them does not vary."""
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    both, one, other, none = (float(each.sum()) for each in (x * y, x * (1 - y), (1 - x) * y, (1 - x) * (1 - y)))
    spread = (both + one) * (other + none) * (both + other) * (one + none)
    together = both * none - one * other
    if together > 0:
        together = max(0.0, together - x.size / 2)
    return together / math.sqrt(spread) if spread > 0 else 0.0


def _side(one: float, other: float, alike: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * alike * one * other + other * other))
