"""Whether two ways differ that were tried on the same cases: McNemar's test, in its exact form.

Only cases in which the two differ count; if they do not differ at all, each of these is as likely one way as the other. The exact test is used
whatever their number, because it never says more than it knows. Sources: Q. McNemar, Psychometrika 12 (1947), pages 153 to 157; M. W. Fagerland,
S. Lydersen and P. Laake, BMC Medical Research Methodology 13:91 (2013).

Names of one domain, and repeats of one name, are no independent cases. `paired` therefore makes one case of a cluster: it has more of the one, or of
the other, or as many of both. With a name a cluster, once each, this is McNemar's test itself; otherwise it is a sign test, and as valid.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Paired(NamedTuple):
    """What a comparison found."""

    more: int
    """Clusters in which the first has more."""
    fewer: int
    """Clusters in which it has less."""
    equal: int
    p: float
    """Of the hypothesis that neither has more, two-sided."""


def paired(first: ArrayLike, second: ArrayLike) -> Paired:
    """Compares two counts per cluster, out of the same cases each."""
    difference = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    more, fewer = int(np.count_nonzero(difference > 0)), int(np.count_nonzero(difference < 0))
    return Paired(more, fewer, difference.size - more - fewer, exact(more, fewer))


def exact(more: int, fewer: int) -> float:
    """Twice the chance of so few, or fewer, on the rarer side, of `more` + `fewer` tosses of a fair coin; at most 1. Raises ValueError below 0."""
    if more < 0 or fewer < 0:
        raise ValueError(f"{more} and {fewer} are no numbers of cases; give 0 or more")
    tosses, rarer = more + fewer, min(more, fewer)
    if more == fewer:
        return 1.0
    # Logarithms: the coefficients of a few thousand tosses are beyond a float.
    chosen = np.arange(1, rarer + 1, dtype=np.float64)
    logs = np.concatenate([[0.0], np.cumsum(np.log((tosses - chosen + 1) / chosen))])
    largest = float(logs.max())
    log_tail = largest + math.log(float(np.exp(logs - largest).sum())) - tosses * math.log(2)
    return min(1.0, 2 * math.exp(log_tail))
