"""Whether what went wrong so often for one may be chance, when for the others it went wrong so seldom.

The beta-binomial chance of as many or more, given what was seen of others and nothing before (Jeffreys' prior, half a case of either): unlike a
binomial chance with the share that was seen, it knows that a few others without fault do not show that there are no faults. Source: A. Gelman and
others, Bayesian Data Analysis, 3rd edition (2013), chapters 2.4 (posterior prediction) and 2.8 (Jeffreys). It takes cases for exchangeable: what
breaks for a while should be asked again at another time.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma


@lru_cache(maxsize=65536)
def chance(hits: int, cases: int, others_hits: int, others: int) -> float:
    """Of `hits` or more in `cases`, when of the others so many were hit. Raises ValueError for numbers that cannot be."""
    if not 0 <= hits <= cases or not 0 <= others_hits <= others:
        raise ValueError(f"{hits} of {cases} and {others_hits} of {others} cannot be; give 0 or more, and no more than there are")
    a, b = others_hits + 0.5, others - others_hits + 0.5
    whole = lgamma(cases + 1) - _beta(a, b)
    found = sum(exp(whole - lgamma(each + 1) - lgamma(cases - each + 1) + _beta(each + a, cases - each + b)) for each in range(cases, hits - 1, -1))
    return min(1.0, found)


def _beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
