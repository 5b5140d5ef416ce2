"""What a run of the matrix came to: by resolver and vector, from the lab's zones, which alone know the target's data; and what our rules made of it.

A *way* is a vector that some name had something to leak by. It is *open* at a resolver when the target's data came by it for a name that an order
covers, at least once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from porosity import classify, database, observations
from porosity.lab.truth import Deeds, Judge
from porosity.lab.world import World
from porosity.rules.facts import Known, packed
from porosity.rules.ours import VERSION
from porosity.study import Study

SIGNALS = ("upgrade-canary", "upgrade-private-relay", "upgrade-ddr", "dnssec-bogus")
"""Told apart: they say what a client is told to do, and leak nothing themselves."""


@dataclass
class Way:
    """One vector at one resolver."""

    covered: int = 0
    """Trials that asked for covered names, and for something that the zones have."""
    leaks: int = 0
    silent: int = 0
    """Of them, those that nothing came of."""


@dataclass
class Row:
    """One resolver."""

    ways: dict[str, Way] = field(default_factory=dict)
    landing: tuple[int, int] = (0, 0)
    """Blocks that led to the page, of those that could."""
    ede: tuple[int, int] = (0, 0)
    """Blocks that said why and rightly, of those that could."""
    overblocked: list[str] = field(default_factory=list)
    """Names that no order covers, and that were kept back."""
    signals: dict[str, bool] = field(default_factory=dict)
    """By vector, whether the signal came at all."""
    differ: int = 0
    """Trials of listed names that our rules call a leak and the zones do not, or the other way round; not those that they leave open."""

    @property
    def open(self) -> dict[str, Way]:
        """Its open ways."""
        return {vector: way for vector, way in sorted(self.ways.items()) if way.leaks}


def judge(study: Study, world: World, landing: tuple[str, str]) -> dict[str, Row]:
    """Classifies the study by our rules, and tells what was so, for each tested resolver."""
    classify.run(study, Known(landing=packed(landing)))
    judge = Judge(world, study.plan, Deeds([]))
    plan = study.plan
    rows = {each.id: Row() for each in plan.resolvers if each.role == "tested"}
    leaks: set[int] = set()
    looked: set[int] = set()
    (vantage,) = study.vantages()
    for _, cell in observations.cells(study, vantage):
        for truth in judge.cell(cell):
            trial = plan.trial(truth.trial)
            resolver, vector = plan.resolvers[trial.resolver], plan.vectors[trial.vector]
            if resolver.id not in rows or vector.kind != "data" or study.names[trial.name].group != "listed":
                continue
            looked.add(truth.trial)
            if not truth.covered or truth.state == "nothing":
                continue
            way = rows[resolver.id].ways.setdefault(vector.id, Way())
            way.covered += 1
            way.leaks += truth.state == "ok"
            way.silent += truth.state == "down"
            if truth.state == "ok":
                leaks.add(truth.trial)
    with database.connect(study) as sql:
        told = sql.execute(
            "SELECT resolver, trial, vector, state, covered, landing, ede, c.name, origin"
            " FROM classification c JOIN names USING (name) WHERE rules = ?",
            [VERSION],
        ).fetchall()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    over: dict[str, set[str]] = defaultdict(set)
    for resolver, trial, vector, state, covered, led, ede, name, group in told:
        if resolver not in rows:
            continue
        if vector in SIGNALS:
            rows[resolver].signals[vector] = rows[resolver].signals.get(vector, False) or (state == "ok" and (vector != "dnssec-bogus" or covered))
            continue
        if trial in looked:
            rows[resolver].differ += (state == "ok" and covered) != (trial in leaks) and state != "insufficient"
        if state == "blocked" and covered:
            counts[resolver].update({"led": led is True, "could lead": led is not None, "said": ede is True, "could say": ede is not None})
        if state == "blocked" and not covered and group in ("neighbour", "canary") and vector in ("type-a", "type-aaaa", "transport-tcp"):
            over[resolver].add(name)
    for id, row in rows.items():
        row.landing = (counts[id]["led"], counts[id]["could lead"])
        row.ede = (counts[id]["said"], counts[id]["could say"])
        row.overblocked = sorted(over[id])
    return rows


def table(rows: dict[str, Row], titles: dict[str, str]) -> list[str]:
    """Lines of the matrix in Markdown: each way that is open anywhere, at each resolver."""
    vectors = sorted({vector for row in rows.values() for vector in row.open})
    lines = ["| way | " + " | ".join(titles[id] for id in rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for vector in vectors:
        lines.append(f"| {vector} | " + " | ".join(_cell(row.ways.get(vector)) for row in rows.values()) + " |")
    return lines


def summary(rows: dict[str, Row], titles: dict[str, str], versions: dict[str, str]) -> list[str]:
    """Lines of a table in Markdown: what is open, delivered and said at each resolver, in one line each."""
    lines = ["| resolver | version | ways tried | open | leaks, of trials | page reached | said why (EDE) | over-blocked names |", "|---" * 8 + "|"]
    for id, row in rows.items():
        tried, leaks = sum(each.covered for each in row.ways.values()), sum(each.leaks for each in row.ways.values())
        lines.append(
            f"| {titles[id]} | {versions[id]} | {len(row.ways)} | **{len(row.open)}** | {leaks} of {tried} ({_share(leaks, tried)})"
            f" | {_share(*row.landing)} | {_share(*row.ede)} | {len(row.overblocked)} |"
        )
    return lines


def _cell(way: Way | None) -> str:
    if way is None:
        return "-"
    return f"**{way.leaks}/{way.covered}**" if way.leaks else "·"


def _share(some: int, all_: int) -> str:
    return f"{100 * some / all_:.1f} %" if all_ else "-"
