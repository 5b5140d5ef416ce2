"""The verdicts of one set of rules as small tables to be counted: in DuckDB, names and resolvers as numbers, and nothing decided anew.

Tables made: `named` (what each name is), `judged` (a row a trial), `tally` (a row a name, vector, resolver, vantage and window) and `occasions` (a
row a name, repeat, resolver and vantage: by which vectors it was reached then). What a name's own order does not cover, and watches over time, are in
neither of the last two: the one is the order's reach, the other has curves of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb

from blocklists.errors import RedHandError
from porosity import database, parts
from porosity.study import Study
from porosity.words import Family

MEMORY = "160MB"
"""What the database may hold; 3,600,000 verdicts are estimated in 450 MB in all, a third of it programs and numbers drawn."""
PLAIN = "type-a"
"""The vector that stubs use when nobody goes round anything."""

OWN: tuple[Family, ...] = ("record type", "spelling", "name", "edns and flags", "transport", "dnssec")
"""Families of vectors that the resolver itself can close: what leaks by them is technical. The rest goes round it, or is of time."""

ABOVE = ("name-apex", "name-parent")
"""Vectors that ask for what stands above a name: what is blocked there is not that name."""


class NothingJudged(RedHandError):
    """There are no verdicts to estimate from."""


@dataclass(frozen=True)
class Verdicts:
    """The tables, and what their numbers mean."""

    study: Study
    rules: str
    base: duckdb.DuckDBPyConnection
    vantages: Sequence[str]
    lists: Sequence[str]
    """Ids of the lists that have names in the study; `list` in the tables is a place among them, -1 for none."""
    window: int
    """Seconds of a window; 0: none."""

    @cached_property
    def domains(self) -> int:
        """How many registrable domains there are."""
        return int(self.base.sql("SELECT count(DISTINCT domain) FROM named").fetchall()[0][0])

    @property
    def tested(self) -> list[int]:
        """Places of tested resolvers."""
        return [place for place, each in enumerate(self.study.plan.resolvers) if each.role == "tested"]

    def vectors(self, kind: str) -> list[int]:
        """Places of vectors of this kind, watches over time apart."""
        return [place for place, each in enumerate(self.study.plan.vectors) if each.kind == kind and each.family != "time"]

    @property
    def own(self) -> list[int]:
        """Places of vectors that a resolver can close."""
        return [place for place in self.vectors("data") if self.study.plan.vectors[place].family in OWN]


def newest(study: Study) -> str:
    """Our rules that the study was last classified by, unless it has only others. Raises NothingJudged."""
    found = [each for each in study.classifications() if parts.numbers(study.classification(each))]
    if not found:
        raise NothingJudged(f"{study.directory} has no verdicts; make some first: redhand porosity classify {study.directory}")
    ours = [each for each in found if each.startswith("red-hand-")]
    return max(ours, key=lambda each: (len(each), each)) if ours else found[0]


def load(study: Study, rules: str, window: int = 0) -> Verdicts:
    """Makes the tables. `window`: seconds, aligned to UTC; 0 for none. Close `base` when done. Raises NothingJudged, StoreError."""
    folder = study.classification(rules)
    numbers = parts.numbers(folder)
    if not numbers:
        raise NothingJudged(f"{study.directory} has no verdicts by {rules}; make them: redhand porosity classify {study.directory} --rules {rules}")
    for number in numbers:
        if parts.about(folder / parts.name(number)).get("plan") != study.plan.id:
            raise NothingJudged(f"{folder} was judged for another plan; classify again: redhand porosity classify {study.directory}")
    base = database.connect(study, memory=MEMORY, estimates=False)
    try:
        vantages = [each for (each,) in base.execute("SELECT DISTINCT vantage FROM classification WHERE rules = ? ORDER BY 1", [rules]).fetchall()]
        lists = [each for (each,) in base.sql("SELECT DISTINCT list FROM names WHERE list <> '' ORDER BY 1").fetchall()]
        made = Verdicts(study, rules, base, vantages, lists, window)
        _named(made)
        _judged(made)
        _tally(made)
        return made
    except BaseException:
        base.close()
        raise


def _named(made: Verdicts) -> None:
    # A canary stands under several numbers, and is one name all the same. A name without a registrable domain is a cluster of its own.
    made.base.execute(
        """
        CREATE TEMP TABLE named AS
        SELECT number::INTEGER AS number, (min(number) OVER (PARTITION BY name))::INTEGER AS name, name AS text,
            (dense_rank() OVER (ORDER BY coalesce(nullif(domain, ''), name)) - 1)::INTEGER AS domain,
            (coalesce(list_position(?::VARCHAR[], list), 0) - 1)::SMALLINT AS list, directive,
            CASE WHEN origin IN ('canary', 'neighbour') THEN origin WHEN in_force THEN 'ordered' WHEN number IN (SELECT unnest(?)) THEN 'covered'
            ELSE 'lifted' END::ENUM ('canary', 'neighbour', 'ordered', 'lifted', 'covered') AS population
        FROM names
        """,
        [list(made.lists), _covered(made.base)],
    )


def _covered(base: duckdb.DuckDBPyConnection) -> list[int]:
    """Numbers of names whose own order is not in force, while that of a name above them is: to block those is no mistake."""
    lifted = base.sql("SELECT number, name FROM names WHERE NOT in_force AND origin IN ('listed', 'below')").fetchall()
    if not lifted:
        return []
    above = {name for (name,) in base.sql("SELECT name FROM names WHERE in_force AND match = 'subtree'").fetchall()}
    return [number for number, name in lifted if any(name[at + 1 :] in above for at, each in enumerate(name) if each == ".")]


def _judged(made: Verdicts) -> None:
    plan = made.study.plan
    # These ask the same whatever the name: they have as many cases as there are repeats.
    alike = [place for place, each in enumerate(plan.vectors) if each.family == "upgrade"]
    begins = "NULL::BIGINT"
    source = "classification AS c"
    if made.window:
        source += " JOIN (SELECT vantage, trial, sent_at FROM observations WHERE ask = 0) AS o USING (vantage, trial)"
        begins = f"(o.sent_at // {made.window * 1_000_000} * {made.window})::BIGINT"
    made.base.execute(
        f"""
        CREATE TEMP TABLE judged AS
        WITH numbered AS (
            SELECT (list_position(?::VARCHAR[], c.vantage) - 1)::SMALLINT AS vantage, {begins} AS began, c.state, c.covered, c.landing, c.ede,
                (trial // {plan.cells * plan.measured})::SMALLINT AS repeat, trial // {len(plan.vectors) * plan.measured} % {plan.names} AS number,
                (trial // {plan.measured} % {len(plan.vectors)})::SMALLINT AS vector, (trial % {plan.measured})::SMALLINT AS resolver
            FROM {source} WHERE c.rules = ?
        )
        SELECT vantage, began, repeat, vector, resolver, n.list, n.population, covered, landing, ede,
            state::ENUM ('ok', 'blocked', 'down', 'insufficient') AS state,
            CASE WHEN list_contains(?::SMALLINT[], vector) THEN -1 - repeat ELSE n.name END AS name,
            CASE WHEN list_contains(?::SMALLINT[], vector) THEN -1 - repeat ELSE n.domain END AS domain
        FROM numbered JOIN named AS n USING (number)
        """,  # noqa: S608 - numbers of the plan
        [list(made.vantages), made.rules, alike, alike],
    )


def _tally(made: Verdicts) -> None:
    plan = made.study.plan
    plain = next((place for place, each in enumerate(plan.vectors) if each.id == PLAIN), -1)
    base = made.base
    base.execute(
        """
        CREATE TEMP TABLE occasions AS
        SELECT vantage, min(began) AS began, resolver, repeat, name, domain, list,
            coalesce(list(vector ORDER BY vector) FILTER (state = 'ok'), []) AS ways,
            list(vector ORDER BY vector) FILTER (state IN ('ok', 'blocked')) AS decided,
            any_value(state) FILTER (vector = $plain) AS plain
        FROM judged WHERE population = 'ordered' AND covered AND vector IN (SELECT unnest($data))
        GROUP BY vantage, resolver, repeat, name, domain, list
        """,
        {"plain": plain, "data": made.vectors("data")},
    )
    base.execute(
        """
        CREATE TEMP TABLE tally AS
        SELECT vantage, began, resolver, vector, name, domain, list, population,
            count(*) FILTER (state = 'ok') AS ok, count(*) FILTER (state = 'blocked') AS blocked, count(*) FILTER (state = 'down') AS down,
            count(*) FILTER (state = 'insufficient') AS insufficient,
            count(*) FILTER (landing) AS page, count(landing) AS pages, count(*) FILTER (ede) AS said, count(ede) AS sayings,
            count(*) FILTER (state = 'ok' AND plain = 'blocked') AS bypassed,
            count(*) FILTER (state IN ('ok', 'blocked') AND plain = 'blocked') AS bypassable
        FROM (
            SELECT * FROM judged WHERE vector IN (SELECT unnest($all))
                AND CASE population WHEN 'ordered' THEN covered WHEN 'lifted' THEN true ELSE NOT covered END
        ) AS j
        LEFT JOIN (SELECT vantage, resolver, repeat, name, plain FROM occasions) AS p USING (vantage, resolver, repeat, name)
        GROUP BY vantage, began, resolver, vector, name, domain, list, population
        """,
        {"all": made.vectors("data") + made.vectors("signal")},
    )
