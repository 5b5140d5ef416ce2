"""Two studies that asked the same names: what each name did in the one and in the other, and what the difference is worth.

Names are their own controls then: one that is always reached, or never, says nothing of a change. Everything is of the names that both know, each
with one vote however often it was asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from porosity.estimating import verdicts
from porosity.estimating.verdicts import NothingJudged, Verdicts
from porosity.report.found import Found, Row
from porosity.statistics import differences, mcnemar, wilson
from porosity.statistics.bootstrap import Resampler, percentiles
from porosity.statistics.differences import Ends

Shares = Mapping[str, tuple[str, float]]
"""Of names: the registrable domain, and how often they were reached, 0 to 1."""

_VECTOR = """
    SELECT n.text, n.domain_text, avg((j.state = 'ok')::INTEGER)
    FROM judged AS j JOIN (SELECT DISTINCT name, text, domain_text FROM spelt) AS n USING (name)
    WHERE j.population = 'ordered' AND j.covered AND j.state IN ('ok', 'blocked') AND j.resolver = ? AND j.vector = ?
    GROUP BY ALL
"""
_SCOPE = """
    SELECT n.text, n.domain_text, avg(list_has_any(o.ways, $vectors)::INTEGER)
    FROM occasions AS o JOIN (SELECT DISTINCT name, text, domain_text FROM spelt) AS n USING (name)
    WHERE o.resolver = $resolver AND list_has_any(o.decided, $vectors)
    GROUP BY ALL
"""
_SPELT = """
    CREATE TEMP TABLE spelt AS
    SELECT d.name, d.text, coalesce(nullif(n.domain, ''), n.name) AS domain_text FROM named AS d JOIN names AS n USING (number)
"""


@dataclass(frozen=True)
class Pair:
    """One rate in both studies, of the names that both know."""

    first: Row
    second: Row
    difference: float
    low: float
    high: float
    p: float


class Pairs:
    """Opened for both; close it when done. Raises NothingJudged when verdicts are not there any more, or none that were estimated."""

    def __init__(self, first: Found, second: Found) -> None:
        self._seed = first.study.plan.seed
        self._held = ExitStack()
        try:
            self._both = [self._open(each) for each in (first, second)]
        except BaseException:
            self._held.close()
            raise

    def close(self) -> None:
        """Lets both go."""
        self._held.close()

    def _open(self, found: Found) -> Verdicts:
        made = verdicts.load(found.study, found.said["rules"])
        self._held.enter_context(made.base)
        made.base.execute(_SPELT)
        return made

    def vector(self, resolvers: tuple[str, str], vector: str) -> Pair | None:
        """Of one vector; None where no name is in both."""
        return self._pair([_of_vector(made, resolver, vector) for made, resolver in zip(self._both, resolvers, strict=True)])

    def scope(self, resolvers: tuple[str, str], scope: str) -> Pair | None:
        """Of several together: `technical` or `any`."""
        return self._pair([_of_scope(made, resolver, scope) for made, resolver in zip(self._both, resolvers, strict=True)])

    def _pair(self, found: Sequence[Shares]) -> Pair | None:
        first, second = found
        shared = sorted(first.keys() & second.keys())
        if not shared:
            return None
        x, y = (np.array([each[name][1] for name in shared]) for each in (first, second))
        domains, cluster = np.unique([first[name][0] for name in shared], return_inverse=True)
        one, other = _row(x, domains.size), _row(y, domains.size)
        alike = differences.correlation(x, y)
        gap, low, high = differences.interval(_ends(one), _ends(other), alike)
        drawn_low, drawn_high = self._drawn(y - x, cluster, domains.size)
        sums = [np.bincount(cluster, weights=each, minlength=domains.size).round(9) for each in (y, x)]
        return Pair(one, other, gap, min(low, drawn_low), max(high, drawn_high), mcnemar.paired(*sums).p)

    def _drawn(self, gaps: NDArray[np.float64], cluster: NDArray[np.int64], clusters: int) -> tuple[float, float]:
        """By draws of registrable domains: names of one go together."""
        sums = np.bincount(cluster, weights=gaps, minlength=clusters)
        cases = np.bincount(cluster, minlength=clusters)
        low, high = percentiles(Resampler(clusters, self._seed).shares(sums[:, None], cases[:, None]))
        return float(low[0]), float(high[0])


def opened(first: Found, second: Found) -> Pairs | None:
    """Both, if their verdicts are there still."""
    try:
        return Pairs(first, second)
    except NothingJudged:
        return None


def _of_vector(made: Verdicts, resolver: str, vector: str) -> Shares:
    places = {each.id: place for place, each in enumerate(made.study.plan.vectors)}
    return dict(_shares(made, _VECTOR, [_place(made, resolver), places[vector]]))


def _of_scope(made: Verdicts, resolver: str, scope: str) -> Shares:
    vectors = made.own if scope == "technical" else made.vectors("data")
    return dict(_shares(made, _SCOPE, {"vectors": vectors, "resolver": _place(made, resolver)}))


def _shares(made: Verdicts, query: str, bound: object) -> Iterator[tuple[str, tuple[str, float]]]:
    for name, domain, share in made.base.execute(query, bound).fetchall():
        yield name, (domain, float(share))


def _place(made: Verdicts, resolver: str) -> int:
    return [each.id for each in made.study.plan.resolvers].index(resolver)


def _row(shares: NDArray[np.float64], domains: int) -> Row:
    """As many cases as there are registrable domains: as the estimates have it."""
    share = float(shares.mean())
    low, high = wilson.interval(share, domains)
    return {"share": share, "low": float(low), "high": float(high), "names": shares.size, "domains": domains}


def _ends(row: Row) -> Ends:
    return Ends(row["share"], row["low"], row["high"])
