"""A porosity budget: which way's closing buys how much.

A name that leaks by one way alone is kept once that is closed; one that leaks by three is not, by closing one. So each way has three figures:
*alone*, what closing it and no other buys; its *part*, in which a name that leaks by three ways counts a third for each, so that all parts make the
whole (the Shapley value of the game in which any open way wins: L. S. Shapley, A value for n-person games, 1953); and its place in the *order* in
which closing one way after the other buys most each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One way's line, in shares of all cases (0 to 1)."""

    way: str
    leaks: float
    """Cases that leak by it, among others or not."""
    alone: float
    part: float
    step: int
    """Its place in the order of closing, from 1."""
    left: float
    """What still leaks when it and all before it are closed."""


def lines(found: Mapping[frozenset[str], float], cases: float) -> list[Line]:
    """The budget, in the order of closing. `found`: how many cases leak by exactly these ways; `cases`: how many there are in all, kept ones too.

    Ties are broken by the larger part, then by the way's name. Raises ValueError when more leak than there are.
    """
    leaking = {ways: count for ways, count in found.items() if ways and count}
    if sum(leaking.values()) > cases:
        raise ValueError(f"{sum(leaking.values()):g} of {cases:g} cases cannot leak")
    every = sorted({way for ways in leaking for way in ways})
    leaks = {way: sum(count for ways, count in leaking.items() if way in ways) for way in every}
    part = {way: sum(count / len(ways) for ways, count in leaking.items() if way in ways) for way in every}
    alone = {way: leaking.get(frozenset((way,)), 0.0) for way in every}
    made = []
    left, open_ways = dict(leaking), set(every)
    for step in range(1, len(every) + 1):
        buys = dict.fromkeys(open_ways, 0.0)
        shared = dict.fromkeys(open_ways, 0.0)
        for ways, count in left.items():
            for way in ways:
                shared[way] += count / len(ways)
            if len(ways) == 1:
                buys[next(iter(ways))] += count
        # What buys nothing at once may still bring the most nearer: then the larger part of what is left.
        best = min(open_ways, key=lambda way: (-buys[way], -shared[way], way))
        open_ways.discard(best)
        closed: dict[frozenset[str], float] = {}
        for ways, count in left.items():
            if rest := ways - {best}:
                closed[rest] = closed.get(rest, 0.0) + count
        left = closed
        made.append(Line(best, leaks[best] / cases, alone[best] / cases, part[best] / cases, step, sum(left.values()) / cases))
    return made
