"""Paired tests: does a vector reach what its pair does not? Each on the same names in the same repeats, by McNemar's test over registrable domains.

Against the *plain* question at the same resolver: is this vector a way round? Against the *controls* with the same question: does the resolver keep
anything back by this vector at all? Among the vectors of one resolver and list, p is corrected by Holm's procedure, for each of the two questions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porosity.estimating.rates import Block, Rates
from porosity.estimating.verdicts import PLAIN, Verdicts
from porosity.statistics import holm, mcnemar

_PLAIN = """
    SELECT j.vector, j.domain, count(*) FILTER (j.state = 'ok') AS first, count(*) FILTER (o.plain = 'ok') AS second
    FROM kept AS j JOIN occasions AS o USING (vantage, resolver, repeat, name)
    WHERE j.resolver = $resolver AND j.vector <> $plain AND o.plain IN ('ok', 'blocked')
    GROUP BY ALL ORDER BY ALL
"""
_CONTROLS = """
    WITH controls AS (
        SELECT vantage, repeat, name, vector, bool_or(state = 'ok') AS reached FROM kept WHERE resolver IN (SELECT unnest($controls)) GROUP BY ALL
    )
    SELECT j.vector, j.domain, count(*) FILTER (j.state = 'ok') AS first, count(*) FILTER (c.reached) AS second
    FROM kept AS j JOIN controls AS c USING (vantage, repeat, name, vector)
    WHERE j.resolver = $resolver
    GROUP BY ALL ORDER BY ALL
"""


def rows(verdicts: Verdicts, rates: Rates) -> Iterator[dict[str, Any]]:
    """The tests: for all lists together, and for each where there are several; all vantages and all the time."""
    plan = verdicts.study.plan
    plain = next((place for place, each in enumerate(plan.vectors) if each.id == PLAIN), -1)
    controls = [place for place, each in enumerate(plan.resolvers) if each.role == "control"]
    for block in rates.blocks():
        if block.vantage or block.window is not None:
            continue
        verdicts.base.execute(
            f"""
            CREATE OR REPLACE TEMP VIEW kept AS
            SELECT * FROM judged WHERE population = 'ordered' AND covered AND state IN ('ok', 'blocked')
                AND vector IN ({", ".join(map(str, verdicts.vectors("data"))) or "NULL"}) AND {rates.where(block)}
            """  # noqa: S608 - numbers
        )
        for resolver in verdicts.tested:
            yield from _tests(verdicts, block, resolver, "plain", _PLAIN, {"plain": plain})
            yield from _tests(verdicts, block, resolver, "controls", _CONTROLS, {"controls": controls})


def _tests(verdicts: Verdicts, block: Block, resolver: int, against: str, query: str, bound: dict[str, Any]) -> Iterator[dict[str, Any]]:
    plan = verdicts.study.plan
    found = verdicts.base.execute(query, {"resolver": resolver, **bound}).fetchnumpy()
    tests = {int(vector): mcnemar.paired(found["first"][at], found["second"][at]) for vector, at in _runs(found["vector"])}
    adjusted = holm.adjust([each.p for each in tests.values()])
    for (vector, test), p_holm in zip(tests.items(), adjusted, strict=True):
        yield {
            "against": against,
            "list": block.list,
            "resolver": plan.resolvers[resolver].id,
            "vector": plan.vectors[vector].id,
            "more": test.more,
            "fewer": test.fewer,
            "equal": test.equal,
            "p": test.p,
            "p_holm": p_holm,
        }


def _runs(sorted_values: NDArray[Any]) -> Iterator[tuple[Any, slice]]:
    """Each value, with where it stands."""
    values, first = np.unique(sorted_values, return_index=True)
    for value, (start, end) in zip(values, pairwise([*first.tolist(), sorted_values.size]), strict=True):
        yield value, slice(start, end)
