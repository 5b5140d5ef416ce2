"""Many tests at once: Holm's step-down correction, so that the chance of any false alarm among them stays what one test's would be.

Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979), pages 65 to 70.
"""

from __future__ import annotations

from collections.abc import Sequence


def adjust(values: Sequence[float], tests: int = 0) -> list[float]:
    """The p values of one family of tests, adjusted, in their order: each to be held against the level that the family as a whole shall have.

    `tests`: how many the family has, when more than are given; the others' p values are then taken to be larger than all of these.
    Raises ValueError for what is no p value.
    """
    if any(not 0 <= each <= 1 for each in values):
        raise ValueError("a p value lies within 0 and 1")
    family = max(tests, len(values))
    adjusted = [0.0] * len(values)
    running = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        running = max(running, min(1.0, (family - rank) * values[place]))
        adjusted[place] = running
    return adjusted
