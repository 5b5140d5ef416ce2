"""Two studies beside one another: what leaks more in the second, and what less. Only what both measured alike is compared, and the rest is told.

Where both asked the same names, each name is its own control (`pairing`): p is McNemar's, over registrable domains, and the interval that of paired
shares. Otherwise the studies are taken as independent: the interval is R. G. Newcombe's (`statistics.differences`), from the two that the estimates
quote, and p is that of the same width as a standard error. Either is corrected by Holm among the vectors of a resolver.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

from blocklists.errors import RedHandError
from porosity.report import pairing
from porosity.report.found import Found, Row
from porosity.report.pairing import Pair
from porosity.statistics import differences, holm
from porosity.statistics.differences import Ends

SURE = 0.05
WHOLE = {"technical": "own ways", "any": "any way"}

_Rate = tuple[str, Row | None, Row | None, Pair | None]
"""What it is of; in the first; in the second; and both of the same names, where there are such."""


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
    paired: bool
    """Whether of the same names: `first` and `second` are then of those alone."""

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
    """Compares leaks, resolver by resolver. Raises NotAlike when no resolver, or no vector, is in both; StoreError."""
    resolvers = _resolvers(first, second)
    vectors, notes = _vectors(first, second)
    changes: list[Change] = []
    same = _names(first) & _names(second)
    pairs = pairing.opened(first, second) if same else None
    try:
        for both in resolvers:
            for scope, what in WHOLE.items():
                one, other = first.rate("leak", both[0], scope), second.rate("leak", both[1], scope)
                changes += _changes([(what, one, other, pairs.scope(both, scope) if pairs else None)], both[0])
            some: list[_Rate] = []
            for each in vectors:
                one, other = first.rate("leak", both[0], vector=each), second.rate("leak", both[1], vector=each)
                some.append((each, one, other, pairs.vector(both, each) if pairs and one and other else None))
            changes += _changes(some, both[0])
    finally:
        if pairs is not None:
            pairs.close()
    if not changes:
        raise NotAlike("nothing was measured in both; compare studies that share vectors, and whose estimates are not empty")
    if same and pairs is None:
        notes.append("the verdicts of one are not there any more: names that both asked are compared as if they were others, which is less sure")
    return Comparison(changes, [*notes, *_notes(first, second, resolvers, len(same))])


def difference(one: Row, other: Row) -> tuple[float, float, float]:
    """Other less one, and its interval, of rates with `share`, `low` and `high`, of other cases."""
    first, second = (Ends(each["share"], each["low"], each["high"]) for each in (one, other))
    return differences.interval(first, second)


def _changes(rates: list[_Rate], resolver: str) -> Iterator[Change]:
    both = [_alone(one, other) if pair is None else pair for _, one, other, pair in rates if one and other]
    named = [(what, pair is not None) for what, one, other, pair in rates if one and other]
    for (what, paired), each, p_holm in zip(named, both, holm.adjust([each.p for each in both]), strict=True):
        yield Change(resolver, what, each.first, each.second, each.difference, each.low, each.high, each.p, float(p_holm), paired)


def _alone(one: Row, other: Row) -> Pair:
    """Two rates of other names."""
    gap, low, high = difference(one, other)
    normal, width = NormalDist(), gap - low if gap > 0 else high - gap
    p = 1.0 if not gap else 2 * normal.cdf(-abs(gap) / (width / normal.inv_cdf(0.975))) if width else 0.0
    return Pair(one, other, gap, low, high, p)


def _names(found: Found) -> set[str]:
    """Those that are measured for leaks."""
    return {name for name, group, *_ in found.study.names.rows() if group in ("listed", "below")}


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


def _notes(first: Found, second: Found, resolvers: list[tuple[str, str]], same: int) -> Iterator[str]:
    one, other = first.study.plan, second.study.plan
    if first.said["rules"] != second.said["rules"]:
        yield f"judged by different rules ({first.said['rules']}; {second.said['rules']}): estimate both by the same"
    counts = [len(_names(each)) for each in (first, second)]
    if not same:
        yield "the names are not the same: a difference may be theirs"
    elif same < max(counts):
        yield f"{same:,} names are in both ({counts[0]:,}; {counts[1]:,}), and only those are compared"
    if one.repeats != other.repeats:
        yield f"{one.repeats} repeats and {other.repeats}"
    if first.said["vantages"] != second.said["vantages"]:
        yield f"other vantages: {', '.join(first.said['vantages'])}; {', '.join(second.said['vantages'])}"
    if resolvers[0][0] != resolvers[0][1]:
        yield f"{resolvers[0][0]} is compared with {resolvers[0][1]}, since each study tested but one"
