"""What is blocked that no order in force covers: name by name, and how much of it each order has beside it.

A name counts once any question for it was blocked in at least half of the repeats that a vantage knows of: a fault of a moment is no block. Questions
for what an order covers, or for what stands above it, do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from porosity.estimating.verdicts import ABOVE, Verdicts
from porosity.statistics import wilson


def names(verdicts: Verdicts) -> Iterator[dict[str, Any]]:
    """Each over-blocked name at each tested resolver, all vantages together."""
    plan = verdicts.study.plan
    _count(verdicts)
    found = verdicts.base.sql("""
        SELECT o.resolver, n.text, n.list, n.directive, n.population::VARCHAR, o.vectors, o.blocked, o.decided
        FROM outside AS o JOIN named AS n ON n.number = o.name WHERE o.blocked > 0 ORDER BY ALL
    """).fetchall()
    for resolver, text, listed, directive, population, vectors, blocked, decided in found:
        yield {
            "resolver": plan.resolvers[resolver].id,
            "name": text,
            "population": population,
            "list": verdicts.lists[listed] if listed >= 0 else "",
            "directive": directive,
            "vectors": [plan.vectors[each].id for each in vectors],
            "blocked": blocked,
            "trials": decided,
        }


def orders(verdicts: Verdicts) -> Iterator[dict[str, Any]]:
    """Each order at each tested resolver: how many names close to it were measured, and how many of them were blocked with it.

    Names of a list without orders' ids are taken together.
    """
    plan = verdicts.study.plan
    _count(verdicts)
    found = verdicts.base.sql("""
        SELECT o.resolver, n.list, n.directive, count(*) AS measured, count(*) FILTER (o.blocked > 0) AS blocked
        FROM outside AS o JOIN named AS n ON n.number = o.name WHERE n.population = 'neighbour' GROUP BY ALL ORDER BY ALL
    """).fetchall()
    for resolver, listed, directive, measured, blocked in found:
        low, high = wilson.interval(blocked / measured, measured)
        yield {
            "resolver": plan.resolvers[resolver].id,
            "list": verdicts.lists[listed] if listed >= 0 else "",
            "directive": directive,
            "measured": measured,
            "blocked": blocked,
            "share": blocked / measured,
            "low": float(low),
            "high": float(high),
        }


def _count(verdicts: Verdicts) -> None:
    vectors = [each for each in verdicts.vectors("data") if verdicts.study.plan.vectors[each].id not in ABOVE]
    verdicts.base.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW outside AS
        WITH asked AS (
            SELECT resolver, name, vantage, vector, sum(blocked)::BIGINT AS blocked, sum(ok + blocked)::BIGINT AS decided
            FROM tally WHERE population IN ('neighbour', 'lifted') AND resolver IN ({", ".join(map(str, verdicts.tested))})
                AND vector IN ({", ".join(map(str, vectors)) or "NULL"})
            GROUP BY ALL HAVING sum(ok + blocked) > 0
        )
        SELECT resolver, name, list(DISTINCT vector ORDER BY vector) FILTER (2 * blocked >= decided) AS vectors,
            coalesce(sum(blocked) FILTER (2 * blocked >= decided), 0)::BIGINT AS blocked, sum(decided)::BIGINT AS decided
        FROM asked GROUP BY resolver, name
        """  # noqa: S608 - numbers
    )
