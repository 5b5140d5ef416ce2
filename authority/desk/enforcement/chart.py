"""Two small drawings for the fleet's page, as numbers that a template writes as SVG: no script, no style, no picture from elsewhere. Pure.

Each says nothing that the table beside it does not say in words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH = 480
LEFT = 110
"""Of the first drawing: where the names end."""
LINE = 30
TICKS = (1, 10, 60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400)
"""Seconds."""
HIGH = 140


class Tick(NamedTuple):
    """A vertical line of the first drawing."""

    x: float
    seconds: int


class Bar(NamedTuple):
    """One operator: from the median (a dot) to the time of nineteen in twenty (a line), and the longest (a stroke)."""

    label: str
    y: float
    median: float
    most: float
    worst: float


class Times(NamedTuple):
    """The first drawing: how long each operator takes, on a logarithmic axis."""

    height: float
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]


class Column(NamedTuple):
    """One week: how many were done in time, and how many not, one upon the other."""

    x: float
    width: float
    good_y: float
    good_height: float
    bad_y: float
    bad_height: float
    week: int


def times(found: Sequence[tuple[str, int, int, int]]) -> Times:
    """Of operators: label, median, nineteen in twenty, longest; seconds."""
    longest = max((each[3] for each in found), default=0)
    shown = [tick for number, tick in enumerate(TICKS) if number < 3 or TICKS[number - 1] < longest]
    end = math.log10(max(longest, shown[-1], 10))

    def x(seconds: int) -> float:
        return round(LEFT + (WIDTH - LEFT - 30) * math.log10(max(1, seconds)) / end, 1)

    bars = tuple(Bar(label, 20 + LINE * number, x(median), x(most), x(worst)) for number, (label, median, most, worst) in enumerate(found))
    return Times(20 + LINE * len(found) + 20, tuple(Tick(x(each), each) for each in shown), bars)


def columns(found: Sequence[tuple[int, int, int]]) -> tuple[Column, ...]:
    """Of weeks: number, in time, not in time."""
    most = max((good + bad for _, good, bad in found), default=0) or 1
    step = WIDTH / max(1, len(found))
    made = []
    for number, (week, good, bad) in enumerate(found):
        high, low = round(HIGH * good / most, 1), round(HIGH * bad / most, 1)
        made.append(Column(round(step * number + 2, 1), round(step - 4, 1), round(HIGH - high, 1), high, round(HIGH - high - low, 1), low, week))
    return tuple(made)
