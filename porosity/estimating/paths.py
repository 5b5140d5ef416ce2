"""Effective reach: what share of a name's users still reach it, by the paths that people take. Shares are an input, each with its source.

They stand in a YAML file of the researcher's:

    paths:
      - path: the provider's resolver, as browsers ask it
        share: 0.717
        source: where the figure is from
        resolver: provider
        vectors: [type-a, type-aaaa, type-https]
      - path: a public resolver, which does not block
        share: 0.283
        source: where the figure is from
        probability: 1.0

A path with a resolver has the probability measured there, that a name in force is reached by at least one of its vectors (`type-a`, if none is
named). The shares of all paths make one whole: what is not known is a path too, with the probability that one supposes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from blocklists.errors import RedHandError
from porosity.estimating.rates import Block, Rates
from porosity.estimating.verdicts import PLAIN, Verdicts
from porosity.plan import Plan
from porosity.statistics import reach, wilson
from porosity.statistics.bootstrap import percentiles

_KEYS = {"path", "share", "source", "resolver", "vectors", "probability"}


class BadPaths(RedHandError, ValueError):
    """A file of paths that is none: the message says which path, what and how to write it."""


@dataclass(frozen=True)
class Way:
    """One path that users take."""

    path: str
    share: float
    """Of users, 0 to 1."""
    source: str
    resolver: str = ""
    """Empty: `probability` is given."""
    vectors: tuple[str, ...] = ()
    probability: float | None = None


def read(file: Path, plan: Plan) -> list[Way]:
    """The paths in a file, for a study. Raises BadPaths."""
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadPaths(f"{file} cannot be read as paths: {error}") from None
    given = found.get("paths") if isinstance(found, dict) else None
    if not isinstance(given, list) or not given:
        raise BadPaths(f"{file} has no paths; write paths: and a list of them, each with path, share and source")
    ways = [_way(each, f"{file}, path {number}", plan) for number, each in enumerate(given, 1)]
    try:
        reach.check([each.share for each in ways])
    except ValueError as error:
        raise BadPaths(f"{file}: {error}") from None
    return ways


def _way(given: Any, where: str, plan: Plan) -> Way:
    if not isinstance(given, dict) or not {"path", "share", "source"} <= given.keys() or not given.keys() <= _KEYS:
        raise BadPaths(f"{where}: write path, share and source, and either resolver (and vectors) or probability")
    share, probability, vectors = given["share"], given.get("probability"), given.get("vectors", [PLAIN])
    for key, value in (("share", share), ("probability", 0 if probability is None else probability)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise BadPaths(f"{where}, {key}: {value!r}; write a number from 0 to 1")
    if not str(given["source"] or "").strip():
        raise BadPaths(f"{where}: a share without a source is a guess; say where it is from")
    if ("resolver" in given) == (probability is not None):
        raise BadPaths(f"{where}: give a resolver, whose probability is measured, or a probability, and not both")
    if probability is not None:
        return Way(str(given["path"]), float(share), str(given["source"]), probability=float(probability))
    measured = [each.id for each in plan.resolvers[: plan.measured]]
    if given["resolver"] not in measured:
        raise BadPaths(f"{where}: no resolver {given['resolver']!r} was measured; there are {', '.join(measured)}")
    known = [each.id for each in plan.vectors if each.kind == "data" and each.family != "time"]
    if not isinstance(vectors, list) or not vectors or not set(vectors) <= set(known):
        raise BadPaths(f"{where}, vectors: {vectors!r}; write vectors of the study, such as [{', '.join(known[:3])}]")
    return Way(str(given["path"]), float(share), str(given["source"]), given["resolver"], tuple(vectors))


class Reach:
    """Reckons it."""

    def __init__(self, verdicts: Verdicts, rates: Rates, ways: Sequence[Way]) -> None:
        self._made, self._rates, self._ways = verdicts, rates, ways
        self._plan = verdicts.study.plan

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each path, and last all together (`path` empty), of all lists and of each; none where some path was never decided."""
        if not self._ways:
            return
        for block in self._rates.blocks():
            if block.window is None and (counts := self._counts(block)) is not None:
                yield from self._block(block, *counts)

    def weights(self) -> dict[frozenset[str], float]:
        """How much of all users' attempts are by paths open through exactly these ways, `resolver: vector`; of all lists together."""
        found: dict[frozenset[str], float] = {}
        for way in self._ways:
            if way.probability is not None:
                continue
            rows = self._made.base.execute(
                """
                SELECT list_sort(list_intersect(ways, $vectors)) AS open, count(*) FROM occasions
                WHERE resolver = $resolver AND list_has_any(decided, $vectors) GROUP BY ALL ORDER BY ALL
                """,
                self._bound(way),
            ).fetchall()
            cases = sum(count for _, count in rows)
            for places, count in rows:
                key = frozenset(f"{way.resolver}: {self._plan.vectors[each].id}" for each in places)
                found[key] = found.get(key, 0.0) + way.share * count / cases
        return found

    def _counts(self, block: Block) -> tuple[Any, Any] | None:
        """Hits and trials, a row a domain and a column a path; None when some path has none at all in this block."""
        found: list[dict[int, tuple[int, int]]] = []
        for way in self._ways:
            if way.probability is not None:
                found.append({})
                continue
            rows = self._made.base.execute(
                f"""
                SELECT domain, count(*) FILTER (list_has_any(ways, $vectors)), count(*) FROM occasions
                WHERE resolver = $resolver AND list_has_any(decided, $vectors) AND {self._rates.where(block)} GROUP BY ALL
                """,  # noqa: S608 - numbers
                self._bound(way),
            ).fetchall()
            if not rows:
                return None
            found.append({domain: (hits, trials) for domain, hits, trials in rows})
        domains = sorted({domain for each in found for domain in each})
        if not domains:
            return np.zeros((1, len(found))), np.zeros((1, len(found)))
        both = np.array([[each.get(domain, (0, 0)) for each in found] for domain in domains], dtype=np.float64)
        return both[:, :, 0], both[:, :, 1]

    def _bound(self, way: Way) -> dict[str, Any]:
        ids = [each.id for each in self._plan.vectors]
        resolvers = [each.id for each in self._plan.resolvers]
        return {"resolver": resolvers.index(way.resolver), "vectors": [ids.index(each) for each in way.vectors]}

    def _block(self, block: Block, hits: Any, trials: Any) -> Iterator[dict[str, Any]]:
        shares = [each.share for each in self._ways]
        drawn = self._rates.resampler(len(hits)).shares(hits, trials)
        for place, way in enumerate(self._ways):
            if way.probability is not None:
                drawn[:, place] = way.probability
        probabilities = [
            way.probability if way.probability is not None else float(hits[:, place].sum() / trials[:, place].sum())
            for place, way in enumerate(self._ways)
        ]
        lows, highs = self._ends(probabilities, trials, drawn)
        where = {"list": block.list, "vantage": block.vantage}
        for place, way in enumerate(self._ways):
            yield {
                **where,
                "path": way.path,
                "share": way.share,
                "source": way.source,
                "resolver": way.resolver,
                "vectors": list(way.vectors),
                "probability": probabilities[place],
                "low": lows[place],
                "high": highs[place],
                "reach": way.share * probabilities[place],
            }
        low, high = reach.interval(shares, drawn, lows, highs)
        whole = reach.effective(shares, probabilities)
        yield {
            **where, "path": "", "share": 1.0, "source": "", "resolver": "", "vectors": [], "probability": whole, "low": low, "high": high,
            "reach": whole,
        }  # fmt: skip

    def _ends(self, probabilities: list[float], trials: Any, drawn: Any) -> tuple[list[float], list[float]]:
        """Of each path's probability, as of any rate; those that are given are taken as they are."""
        domains = np.count_nonzero(trials, axis=0)
        ends = wilson.interval(probabilities, domains)
        lows, highs = (pick(*each) for pick, each in zip((np.minimum, np.maximum), zip(ends, percentiles(drawn), strict=True), strict=True))
        given = [way.probability for way in self._ways]
        return (
            [float(low) if one is None else one for low, one in zip(lows, given, strict=True)],
            [float(high) if one is None else one for high, one in zip(highs, given, strict=True)],
        )
