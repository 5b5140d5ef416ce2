"""Rates by list, resolver, vector, vantage and window, each with two intervals, of which the wider is quoted.

A rate is hits over trials. How many trials there were says little of how sure it is, because repeats of a name are no new names, and names of one
domain mostly go together: Wilson's interval is that of as many cases as there are registrable domains, and the bootstrap draws these. Wilson's alone
is too narrow where domains are of unlike size; the bootstrap's alone is one point when nothing, or all, was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porosity.estimating.verdicts import ABOVE, Verdicts
from porosity.statistics import wilson
from porosity.statistics.bootstrap import Resampler, percentiles

_ROWS = 500_000
"""Counts that are taken from the database at a time, at most, unless one resolver has more."""


@dataclass(frozen=True)
class Measure:
    """What is counted of what."""

    id: str
    says: str
    hits: str
    trials: str
    """SQL over the columns of `tally`."""
    population: tuple[str, ...] = ("ordered",)
    kind: str = "data"
    controls: bool = False
    """Whether controls have it too."""


MEASURES = (
    Measure("leak", "Of names in force: the target was reached, where the way worked (reached or blocked).", "ok", "ok + blocked"),
    Measure(
        "bypass", "The same of names that the resolver blocked in the same repeat when asked plainly (type-a): a way round.", "bypassed", "bypassable"
    ),
    Measure(
        "false_negative",
        "Of names in force: the target was reached, among all that is known (reached, blocked or down).",
        "ok",
        "ok + blocked + down",
    ),
    Measure("block", "Of names in force: blocked, among all that is known.", "blocked", "ok + blocked + down"),
    Measure("down", "Of trials on names in force: the resolver or its way did not work.", "down", "ok + blocked + down + insufficient"),
    Measure("insufficient", "Of trials on names in force: we do not know.", "insufficient", "ok + blocked + down + insufficient"),
    Measure("landing", "Of blocked answers that could lead to the page: they did.", "page", "pages"),
    Measure("ede", "Of blocked answers to questions with EDNS: they said why, rightly (RFC 8914).", "said", "sayings"),
    Measure("false_positive", "Of names that no order in force covers: blocked.", "blocked", "ok + blocked", ("neighbour", "lifted")),
    Measure("canary", "Of canaries: answered.", "ok", "ok + blocked + down", ("canary",), controls=True),
    Measure("signal", "Of trials in which a control would show it: the signal was there.", "ok", "ok + blocked", ("ordered", "canary"), "signal"),
)

ANY = "Of names in force: the target was reached by at least one of these vectors, where any of them worked."


class Block(NamedTuple):
    """Which rows are taken together."""

    list: str
    """Empty: all."""
    vantage: str
    """Empty: all."""
    window: int | None
    """Unix seconds at which it begins; None: all the time."""


class Rates:
    """Makes the rows."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._made = verdicts
        self._plan = verdicts.study.plan
        self._resamplers: dict[int, Resampler] = {}

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rates."""
        for block in self.blocks():
            for measure in MEASURES:
                yield from self._measure(block, measure)
            yield from self._any(block)

    def blocks(self) -> list[Block]:
        """All together; and apart by list, by vantage and by window, where there are several."""
        lists, vantages = self._made.lists, list(self._made.vantages)
        some_lists = ["", *(lists if len(lists) > 1 else [])]
        some_vantages = ["", *(vantages if len(vantages) > 1 else [])]
        windows: list[int | None] = [None]
        if self._made.window:
            windows += [each for (each,) in self._made.base.sql("SELECT DISTINCT began FROM tally ORDER BY 1").fetchall()]
        return [Block(*each) for each in ((a, b, c) for a in some_lists for b in some_vantages for c in windows)]

    def resampler(self, clusters: int) -> Resampler:
        """Draws of so many clusters, by the plan's seed."""
        if clusters not in self._resamplers:
            # The last few: measures of one population come one after the other.
            while len(self._resamplers) > 1:
                self._resamplers.pop(next(iter(self._resamplers)))
            self._resamplers[clusters] = Resampler(clusters, self._plan.seed)
        return self._resamplers[clusters]

    def where(self, block: Block) -> str:
        """SQL that keeps a block's rows, of tables with `list`, `vantage` and `began`."""
        kept = ["true"]
        if block.list:
            kept.append(f"list = {self._made.lists.index(block.list)}")
        if block.vantage:
            kept.append(f"vantage = {self._made.vantages.index(block.vantage)}")
        if block.window is not None:
            kept.append(f"began = {block.window}")
        return " AND ".join(kept)

    def shares(self, columns: Sequence[Any], found: dict[str, NDArray[Any]]) -> Iterator[tuple[Any, dict[str, Any]]]:
        """The figures of each column with any trial. `found`: columns `key`, `domain`, `hits`, `trials`, `names`, a row a key and domain."""
        if not found["key"].size:
            return
        domains, rows = np.unique(found["domain"], return_inverse=True)
        ordered = np.argsort(columns)
        column = ordered[np.searchsorted(np.asarray(columns), found["key"], sorter=ordered)]
        shape = (domains.size, len(columns))
        hits, trials, names = (np.zeros(shape) for _ in range(3))
        for into, figure in ((hits, "hits"), (trials, "trials"), (names, "names")):
            into[rows, column] = found[figure]
        there = np.flatnonzero(trials.sum(axis=0))
        all_hits, all_trials, all_names = (each[:, there].sum(axis=0) for each in (hits, trials, names))
        share = all_hits / all_trials
        all_domains = np.count_nonzero(trials[:, there], axis=0)
        low, high = wilson.interval(share, all_domains)
        drawn_low, drawn_high = percentiles(self.resampler(domains.size).shares(hits[:, there], trials[:, there]))
        for place, of in enumerate(there.tolist()):
            yield (
                columns[of],
                {
                    "hits": round(all_hits[place]),
                    "trials": round(all_trials[place]),
                    "names": round(all_names[place]),
                    "domains": int(all_domains[place]),
                    "share": float(share[place]),
                    "wilson_low": float(low[place]),
                    "wilson_high": float(high[place]),
                    "boot_low": float(drawn_low[place]),
                    "boot_high": float(drawn_high[place]),
                    "low": float(min(low[place], drawn_low[place])),
                    "high": float(max(high[place], drawn_high[place])),
                },
            )

    def _measure(self, block: Block, measure: Measure) -> Iterator[dict[str, Any]]:
        vectors = [each for each in self._made.vectors(measure.kind) if measure.id != "false_positive" or self._plan.vectors[each].id not in ABOVE]
        population = ", ".join(f"'{each}'" for each in measure.population)
        resolvers = list(range(self._plan.measured)) if measure.controls else self._made.tested
        width = len(self._plan.vectors)
        at_once = max(1, _ROWS // (width * self._made.domains))
        for first in range(0, len(resolvers), at_once):
            some = resolvers[first : first + at_once]
            found = self._made.base.execute(
                f"""
                SELECT resolver::INTEGER * {width} + vector AS key, domain, sum({measure.hits})::BIGINT AS hits,
                    sum({measure.trials})::BIGINT AS trials, count(DISTINCT name) AS names
                FROM tally WHERE population IN ({population}) AND resolver IN (SELECT unnest(?)) AND vector IN (SELECT unnest(?))
                    AND {measure.trials} > 0 AND {self.where(block)}
                GROUP BY ALL
                """,  # noqa: S608 - the measure's own words
                [some, vectors],
            ).fetchnumpy()
            for key, figures in self.shares([resolver * width + vector for resolver in some for vector in vectors], found):
                resolver, vector = divmod(key, width)
                declared = self._plan.vectors[vector]
                yield self._row(measure.id, "vector", declared.family, declared.id, block, resolver, figures)

    def _any(self, block: Block) -> Iterator[dict[str, Any]]:
        data = self._made.vectors("data")
        families = dict.fromkeys(self._plan.vectors[each].family for each in data)
        scopes: list[tuple[str, str, list[int]]] = [("any", "", data), ("technical", "", self._made.own)]
        scopes += [("family", family, [each for each in data if self._plan.vectors[each].family == family]) for family in families]
        for scope, family, vectors in scopes:
            found = self._made.base.execute(
                f"""
                SELECT resolver AS key, domain, count(*) FILTER (list_has_any(ways, $vectors)) AS hits, count(*) AS trials,
                    count(DISTINCT name) AS names
                FROM occasions WHERE list_has_any(decided, $vectors) AND resolver IN (SELECT unnest($tested)) AND {self.where(block)}
                GROUP BY ALL
                """,  # noqa: S608 - numbers
                {"vectors": vectors, "tested": self._made.tested},
            ).fetchnumpy()
            for resolver, figures in self.shares(self._made.tested, found):
                yield self._row("leak", scope, family, "", block, resolver, figures)

    def _row(self, measure: str, scope: str, family: str, vector: str, block: Block, resolver: int, figures: dict[str, Any]) -> dict[str, Any]:
        return {
            "measure": measure,
            "scope": scope,
            "family": family,
            "vector": vector,
            "list": block.list,
            "resolver": self._plan.resolvers[resolver].id,
            "vantage": block.vantage,
            "since": block.window,
            **figures,
        }
