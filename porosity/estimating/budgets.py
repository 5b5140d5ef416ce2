"""The porosity budget of each tested resolver: which vector's closing keeps how many names, by `porosity.statistics.budget`.

Three scopes: `technical`, of the vectors that the resolver can close itself; `any`, of all; and `users`, of the paths that users take, in shares of
users rather than of names, where a way is `resolver: vector`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from porosity.estimating.paths import Reach
from porosity.estimating.rates import Rates
from porosity.estimating.verdicts import Verdicts
from porosity.statistics import budget
from porosity.statistics.bootstrap import percentiles


def rows(verdicts: Verdicts, rates: Rates, reach: Reach) -> Iterator[dict[str, Any]]:
    """All lines, in the order of closing: of all lists together, and of each where there are several."""
    for block in rates.blocks():
        if block.vantage or block.window is not None:
            continue
        for resolver in verdicts.tested:
            for scope, vectors in (("technical", verdicts.own), ("any", verdicts.vectors("data"))):
                yield from _lines(verdicts, rates, rates.where(block), block.list, resolver, scope, vectors)
    for line in budget.lines(reach.weights(), 1.0):
        resolver_id, _, vector = line.way.partition(": ")
        figures = {"leaks": line.leaks, "alone": line.alone, "part": line.part, "step": line.step, "remains": line.left}
        yield {"scope": "users", "list": "", "resolver": resolver_id, "vector": vector, **figures, "part_low": None, "part_high": None}


def _lines(verdicts: Verdicts, rates: Rates, where: str, listed: str, resolver: int, scope: str, vectors: list[int]) -> Iterator[dict[str, Any]]:
    plan = verdicts.study.plan
    bound = {"resolver": resolver, "vectors": vectors}
    verdicts.base.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE open_ways AS
        SELECT domain, list_sort(list_intersect(ways, $vectors)) AS open FROM occasions
        WHERE resolver = $resolver AND list_has_any(decided, $vectors) AND {where}
        """,  # noqa: S608 - numbers
        bound,
    )
    patterns = verdicts.base.sql("SELECT open, count(*) FROM open_ways GROUP BY ALL ORDER BY ALL").fetchall()
    found = {frozenset(plan.vectors[each].id for each in places): float(count) for places, count in patterns}
    cases = sum(found.values())
    lines = budget.lines(found, cases) if cases else []
    if not lines:
        return
    ends = _ends(verdicts, rates)
    for line in lines:
        low, high = ends[line.way]
        yield {
            "scope": scope,
            "list": listed,
            "resolver": plan.resolvers[resolver].id,
            "vector": line.way,
            "leaks": line.leaks,
            "alone": line.alone,
            "part": line.part,
            "step": line.step,
            "remains": line.left,
            "part_low": low,
            "part_high": high,
        }


def _ends(verdicts: Verdicts, rates: Rates) -> dict[str, tuple[float, float]]:
    """Between which ends each vector's part lies, by draws of domains."""
    cases = verdicts.base.sql("SELECT domain, count(*) AS cases FROM open_ways GROUP BY ALL ORDER BY 1").fetchnumpy()
    # Whole numbers from the database, in order: sums of fractions depend on the order that they are added in.
    leaks = verdicts.base.sql("""
        SELECT domain, way, shared, count(*) AS cases FROM (SELECT domain, unnest(open) AS way, len(open) AS shared FROM open_ways)
        GROUP BY ALL ORDER BY ALL
    """).fetchnumpy()
    domains, ways = cases["domain"], np.unique(leaks["way"])
    hits = np.zeros((domains.size, ways.size))
    np.add.at(hits, (np.searchsorted(domains, leaks["domain"]), np.searchsorted(ways, leaks["way"])), leaks["cases"] / leaks["shared"])
    trials = np.repeat(cases["cases"][:, None], ways.size, axis=1)
    low, high = percentiles(rates.resampler(domains.size).shares(hits, trials))
    names = [verdicts.study.plan.vectors[each].id for each in ways]
    return {name: (float(low[place]), float(high[place])) for place, name in enumerate(names)}
