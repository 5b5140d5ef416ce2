"""Many times in few numbers: a histogram whose classes grow by nine in a hundred; a median read from it is at most that much too high. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

EXACT = 16
"""Times below this, in seconds, have a class of their own."""
CLASSES = 8
"""In each doubling above."""


def bucket(seconds: int) -> int:
    """The class of a time; one below zero, of clocks apart, counts as zero."""
    if seconds < EXACT:
        return max(0, seconds)
    return EXACT + math.floor(CLASSES * math.log2(seconds / EXACT))


def upper(number: int) -> int:
    """The longest time of a class, in whole seconds."""
    if number < EXACT:
        return number
    return max(EXACT, math.ceil(EXACT * 2 ** ((number - EXACT + 1) / CLASSES)) - 1)


def added(histograms: Iterable[Mapping[str, int]]) -> dict[int, int]:
    """One of many, as JSON keeps them (keys are texts)."""
    found: dict[str, int] = {}
    for each in histograms:
        for name, count in each.items():
            found[name] = found.get(name, 0) + count
    return {int(name): count for name, count in found.items()}


def quantile(histogram: Mapping[int, int], share: float) -> int | None:
    """The time, in seconds, within which that share of all lies; None when there are none."""
    wanted = share * sum(histogram.values())
    count = 0
    for number in sorted(histogram):
        count += histogram[number]
        if count and count >= wanted:
            return upper(number)
    return None
