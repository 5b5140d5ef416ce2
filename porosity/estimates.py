"""Estimates of a study, from the verdicts of one set of rules: tables in Parquet, and what a person reads first as JSON.

The same verdicts give the same files on the same machine: what is drawn is drawn by the plan's seed, and no clock is read. All tables are written
each time, empty ones too, so that none stays from another run.

    estimates.json      headline, reach, budget, delays; seeds, counts and methods
    estimates.parquet   rates; the other tables stand in TABLES
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from porosity import parts, spill
from porosity.estimating import budgets, delays, overblocking, pairs, paths, verdicts
from porosity.estimating.rates import ANY, MEASURES, Rates
from porosity.estimating.verdicts import OWN, PLAIN, Verdicts
from porosity.statistics import wilson
from porosity.statistics.bootstrap import DRAWS
from porosity.study import Study

FILE = "estimates.json"
FORMAT = 2

_TEXT, _COUNT, _SHARE, _TEXTS = pa.string(), pa.int64(), pa.float64(), pa.list_(pa.string())


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([("rules", _TEXT), *columns.items()])


TABLES: dict[str, pa.Schema] = {
    "estimates": _schema(
        measure=_TEXT, scope=_TEXT, family=_TEXT, vector=_TEXT, list=_TEXT, resolver=_TEXT, vantage=_TEXT, since=pa.timestamp("s", "UTC"),
        hits=_COUNT, trials=_COUNT, names=_COUNT, domains=_COUNT, share=_SHARE, wilson_low=_SHARE, wilson_high=_SHARE, boot_low=_SHARE,
        boot_high=_SHARE, low=_SHARE, high=_SHARE,
    ),
    "tests": _schema(
        against=_TEXT, list=_TEXT, resolver=_TEXT, vector=_TEXT, more=_COUNT, fewer=_COUNT, equal=_COUNT, p=_SHARE, p_holm=_SHARE,
    ),
    "collateral": _schema(resolver=_TEXT, list=_TEXT, directive=_TEXT, measured=_COUNT, blocked=_COUNT, share=_SHARE, low=_SHARE, high=_SHARE),
    "overblocked": _schema(
        resolver=_TEXT, name=_TEXT, population=_TEXT, list=_TEXT, directive=_TEXT, vectors=_TEXTS, blocked=_COUNT, trials=_COUNT,
    ),
    "survival": _schema(
        resolver=_TEXT, vector=_TEXT, what=_TEXT, seconds=_SHARE, at_risk=_COUNT, ended=_COUNT, survival=_SHARE, low=_SHARE, high=_SHARE,
    ),
    "delays": _schema(
        resolver=_TEXT, vector=_TEXT, what=_TEXT, waits=_COUNT, ended=_COUNT, unseen=_COUNT, watched=_SHARE,
        **{f"p{each}{end}": _SHARE for each in (50, 95, 99) for end in ("", "_low", "_high")},
    ),
    "reach": _schema(
        list=_TEXT, vantage=_TEXT, path=_TEXT, share=_SHARE, source=_TEXT, resolver=_TEXT, vectors=_TEXTS, probability=_SHARE, low=_SHARE,
        high=_SHARE, reach=_SHARE,
    ),
    "budget": _schema(
        scope=_TEXT, list=_TEXT, resolver=_TEXT, vector=_TEXT, leaks=_SHARE, alone=_SHARE, part=_SHARE, part_low=_SHARE, part_high=_SHARE,
        step=_COUNT, remains=_SHARE,
    ),
}  # fmt: skip
"""Columns of each table; those of shares lie within 0 and 1, but for seconds and percentiles, which are seconds."""

METHODS = {
    "interval": "low and high are the wider of two 95 % intervals: Wilson's, of as many cases as there are registrable domains, since names of one "
    f"domain mostly go together, and repeats of a name are no new names; and that between percentiles of {DRAWS} draws of domains.",
    "leak of several": ANY,
    "technical": f"Vectors that the resolver can close itself: {', '.join(OWN)}.",
    "plain": f"Asked plainly: {PLAIN}.",
    "covered": "Questions for names that an order does not cover are its reach, and no leak. Watches over time have curves of their own.",
    "tests": "McNemar's exact test, a registrable domain a case, two-sided; p_holm is corrected by Holm among the vectors of a resolver and list.",
    "survival": "Kaplan and Meier; pointwise 95 % intervals on the scale of log(-log S). A wait is at most one pause of the watch too long.",
    "budget": "part: a name that leaks by k vectors counts 1/k for each (Shapley); alone: kept by closing this and no other; step and remains: "
    "closing one after the other what buys most.",
    "reach": "The sum over paths of users' share times the probability that a name in force is reached; shares are given, with their sources.",
    **{each.id: each.says for each in MEASURES},
}


def make(study: Study, rules: str = "", window: int = 0, ways: Path | None = None) -> dict[str, Any]:
    """Estimates from the verdicts that stand; returns what is in estimates.json.

    `rules`: of which set; empty for the newest of ours. `window`: seconds of a window of time; 0 for none. `ways`: a file of paths that users take.
    Raises NothingJudged, BadPaths, StoreError and DiskError; estimates that stood are then as they were.
    """
    chosen = rules or verdicts.newest(study)
    found_ways = paths.read(ways, study.plan) if ways else []
    made = verdicts.load(study, chosen, window)
    with made.base:
        rates = Rates(made)
        reach = paths.Reach(made, rates, found_ways)
        waits = delays.estimate(made)
        tables = {
            "estimates": _table(made, "estimates", rates.rows()),
            "tests": _table(made, "tests", pairs.rows(made, rates)),
            "collateral": _table(made, "collateral", overblocking.orders(made)),
            "overblocked": _table(made, "overblocked", overblocking.names(made)),
            "survival": _table(made, "survival", waits.curves),
            "delays": _table(made, "delays", waits.percentiles),
            "reach": _table(made, "reach", reach.rows()),
            "budget": _table(made, "budget", budgets.rows(made, rates, reach)),
        }
        said = _said(made, tables)
    with spill.spilling(study.directory) as room:
        folder = room / study.estimates.name
        for name, table in tables.items():
            parts.write(folder / f"{name}.parquet", table, {"plan": study.plan.id, "rules": chosen})
        parts.replace(folder / FILE, json.dumps(said, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        # All tables of one run or all of another: never some of each, whatever is killed.
        parts.stand(folder, study.estimates)
    return said


def _table(made: Verdicts, name: str, rows: Iterable[dict[str, Any]]) -> pa.Table:
    schema = TABLES[name]
    columns: dict[str, list[Any]] = {each: [] for each in schema.names}
    for row in rows:
        for key, values in columns.items():
            values.append(made.rules if key == "rules" else row[key])
    return pa.Table.from_arrays([pa.array(columns[each.name], each.type) for each in schema], schema=schema)


def _said(made: Verdicts, tables: dict[str, pa.Table]) -> dict[str, Any]:
    plan = made.study.plan
    states = made.base.sql("SELECT state::VARCHAR, count(*) FROM judged GROUP BY ALL ORDER BY 1").fetchall()
    overall = [each for each in tables["estimates"].to_pylist() if not each["list"] and not each["vantage"] and each["since"] is None]
    return {
        "format": FORMAT,
        "plan": plan.id,
        "rules": made.rules,
        "confidence": wilson.CONFIDENCE,
        "seed": plan.seed,
        "draws": DRAWS,
        "window": made.window,
        "vantages": list(made.vantages),
        "lists": list(made.lists),
        "trials": {"planned": plan.trials * max(1, len(made.vantages)), "judged": sum(count for _, count in states), **dict(states)},
        "left_out": dict(plan.left_out),
        "headline": [_headline(resolver.id, overall, tables) for resolver in plan.resolvers if resolver.role == "tested"],
        "reach": [_without(each, "rules") for each in tables["reach"].to_pylist()],
        "budget": [_without(each, "rules") for each in tables["budget"].to_pylist()],
        "delays": [_without(each, "rules") for each in tables["delays"].to_pylist()],
        "methods": METHODS,
    }


def _headline(resolver: str, overall: list[dict[str, Any]], tables: dict[str, pa.Table]) -> dict[str, Any]:
    """What is first said of a resolver; null for what was not measured."""

    def rate(measure: str, scope: str = "vector", vector: str = "") -> dict[str, Any] | None:
        for each in overall:
            if (each["measure"], each["scope"], each["vector"], each["resolver"]) == (measure, scope, vector, resolver):
                return {key: each[key] for key in ("hits", "trials", "names", "domains", "share", "low", "high")}
        return None

    leaking = [each for each in overall if (each["measure"], each["scope"], each["resolver"]) == ("leak", "vector", resolver) and each["hits"]]
    over = [each for each in tables["overblocked"].to_pylist() if each["resolver"] == resolver]
    orders = [each for each in tables["collateral"].to_pylist() if each["resolver"] == resolver]
    return {
        "resolver": resolver,
        "technical": rate("leak", "technical"),
        "any": rate("leak", "any"),
        "plain": rate("leak", vector=PLAIN),
        "leaking": [each["vector"] for each in sorted(leaking, key=lambda each: (-each["share"], each["vector"]))],
        "overblocked": {
            "names": len(over),
            "of": sum(each["measured"] for each in orders),
            "orders": sum(each["blocked"] > 0 for each in orders),
            "of_orders": len(orders),
        },
    }


def _without(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {each: value for each, value in row.items() if each != key}
