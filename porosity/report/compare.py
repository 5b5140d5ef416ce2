"""Two studies beside one another: what leaks more in the second, and what less. Only what both measured alike is compared, and the rest is told.

The interval of a difference is R. G. Newcombe's (Statistics in Medicine 17, 1998, pages 873 to 890, method 10), from the two intervals that the
estimates quote. It takes the studies as independent, which is too careful when they have the same names. p is that of the same width as a standard
error, corrected by Holm among the vectors of a resolver.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

from blocklists.errors import RedHandError
from porosity.report.found import Found, Row
from porosity.statistics import holm

SURE = 0.05
WHOLE = {"technical": "own ways", "any": "any way"}


class NotAlike(RedHandError):
    """Two studies have nothing in common that could be compared."""


@dataclass(frozen=True)
class Change:
    """One rate in both."""

    resolver: str
    """In the first; in the second too, unless each tested but one."""
    what: str
    """A vector, or several together."""
    first: Row
    second: Row
    difference: float
    """Second less first, -1 to 1."""
    low: float
    high: float
    p: float
    p_holm: float

    @property
    def says(self) -> str:
        """More, less, or not told apart."""
        if self.p_holm >= SURE:
            return "not told apart"
        return "leaks more" if self.difference > 0 else "leaks less"


@dataclass(frozen=True)
class Comparison:
    """What came of it."""

    changes: list[Change]
    notes: list[str]


def compare(first: Found, second: Found) -> Comparison:
    """Compares leaks, resolver by resolver. Raises NotAlike when no resolver, or no vector, is in both."""
    pairs = _resolvers(first, second)
    vectors, notes = _vectors(first, second)
    changes: list[Change] = []
    for one, other in pairs:
        for scope, what in WHOLE.items():
            changes += _changes([(what, first.rate("leak", one, scope), second.rate("leak", other, scope))], one)
        changes += _changes([(each, first.rate("leak", one, vector=each), second.rate("leak", other, vector=each)) for each in vectors], one)
    if not changes:
        raise NotAlike("nothing was measured in both; compare studies that share vectors, and whose estimates are not empty")
    return Comparison(changes, [*notes, *_notes(first, second, pairs)])


def difference(one: Row, other: Row) -> tuple[float, float, float]:
    """Other less one, and its interval, of rates with `share`, `low` and `high`."""
    gap = other["share"] - one["share"]
    low = gap - math.hypot(other["share"] - other["low"], one["high"] - one["share"])
    high = gap + math.hypot(other["high"] - other["share"], one["share"] - one["low"])
    return gap, max(-1.0, low), min(1.0, high)


def _changes(rates: list[tuple[str, Row | None, Row | None]], resolver: str) -> Iterator[Change]:
    both = [(what, one, other, *difference(one, other)) for what, one, other in rates if one and other]
    normal = NormalDist()
    tests = []
    for *_, gap, low, high in both:
        width = gap - low if gap > 0 else high - gap
        tests.append(1.0 if not gap else 2 * normal.cdf(-abs(gap) / (width / normal.inv_cdf(0.975))) if width else 0.0)
    for (what, one, other, gap, low, high), p, p_holm in zip(both, tests, holm.adjust(tests), strict=True):
        yield Change(resolver, what, one, other, gap, low, high, p, float(p_holm))


def _resolvers(first: Found, second: Found) -> list[tuple[str, str]]:
    shared = [(each, each) for each in first.tested if each in second.tested]
    if shared:
        return shared
    if len(first.tested) == len(second.tested) == 1:
        return [(first.tested[0], second.tested[0])]
    raise NotAlike(
        f"no tested resolver is in both ({', '.join(first.tested)}; {', '.join(second.tested)}); "
        "plan them with the same ids, or with one resolver each"
    )


def _vectors(first: Found, second: Found) -> tuple[list[str], list[str]]:
    mine = {each.id: each.sha256 for each in first.study.plan.vectors}
    theirs = {each.id: each.sha256 for each in second.study.plan.vectors}
    alike = [each for each in mine if mine[each] == theirs.get(each)]
    notes = []
    other = [each for each in mine if each in theirs and each not in alike]
    if other:
        notes.append(f"vectors that send something else in the second, and are not compared: {', '.join(other)}")
    if lone := [each for each in (*mine, *theirs) if each not in mine or each not in theirs]:
        notes.append(f"vectors of one study only, which count in own ways and any way all the same: {', '.join(lone)}")
    return alike, notes


def _notes(first: Found, second: Found, pairs: list[tuple[str, str]]) -> Iterator[str]:
    one, other = first.study.plan, second.study.plan
    if first.said["rules"] != second.said["rules"]:
        yield f"judged by different rules ({first.said['rules']}; {second.said['rules']}): estimate both by the same"
    if one.names_sha256 != other.names_sha256:
        yield "the names are not the same: a difference may be theirs"
    if one.repeats != other.repeats:
        yield f"{one.repeats} repeats and {other.repeats}"
    if first.said["vantages"] != second.said["vantages"]:
        yield f"other vantages: {', '.join(first.said['vantages'])}; {', '.join(second.said['vantages'])}"
    if pairs[0][0] != pairs[0][1]:
        yield f"{pairs[0][0]} is compared with {pairs[0][1]}, since each study tested but one"
