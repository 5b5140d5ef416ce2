"""Estimates reckoned once more by other means: from the Parquet files by SQL of its own, scipy and statsmodels; on a lab's study and hostile shapes.

Nothing of porosity's estimating or statistics is used for what is expected.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from porosity import estimates, names, plan, study
from porosity.lab import run
from porosity.lab.scenario import find
from porosity.rules import ours
from porosity.study import Study
from tests.porosity.studies import AS_OF, resolver, vector
from tests.porosity.test_delays import BEGAN, SECOND, watched
from tests.porosity.test_estimates import Said, judged
from tests.porosity.test_estimates_slowly import drawn

OWN = ("record type", "spelling", "name", "edns and flags", "transport", "dnssec")
SEED = 20261122

PATHS = """
paths:
  - {{path: asked plainly, share: 0.5, source: a survey, resolver: {0}, vectors: [type-a]}}
  - {{path: as browsers ask, share: 0.3, source: a survey, resolver: {0}, vectors: [type-a, type-aaaa, type-https]}}
  - {{path: elsewhere, share: 0.2, source: a survey, probability: 0.9}}
"""


def opened(of: Study, rules: str) -> duckdb.DuckDBPyConnection:
    """Trials on names in force that the order covers, as `seen`; `reached`: by name and repeat."""
    base = duckdb.connect()
    document = json.loads((of.directory / "plan.json").read_text())
    rows = [(each["id"], each["family"], each["kind"]) for each in document["vectors"]]
    base.execute("CREATE TABLE vectors (vector VARCHAR, family VARCHAR, kind VARCHAR)")
    base.executemany("INSERT INTO vectors VALUES (?, ?, ?)", rows)
    base.execute(f"""
        CREATE TABLE seen AS
        SELECT c.*, n.list, CASE WHEN n.domain = '' THEN n.name ELSE n.domain END AS domain, v.family
        FROM read_parquet('{of.classification(rules)}/part-*.parquet') AS c
        JOIN read_parquet('{of.directory}/names.parquet') AS n ON n.name = rtrim(c.name, '.')
        JOIN vectors AS v USING (vector)
        WHERE n."group" IN ('listed', 'below') AND n.in_force AND c.covered AND v.kind = 'data' AND v.family <> 'time'
    """)
    return base


def ratios(rows: list[tuple[str, int, int]]) -> tuple[int, int, int, np.ndarray[Any, Any]]:
    """Hits, trials, domains, and 4,000 shares of domains drawn with other numbers than porosity's."""
    random = np.random.default_rng(SEED)
    hits, trials = (np.array([row[place] for row in rows], dtype=float) for place in (1, 2))
    taken = random.integers(0, len(rows), (4000, len(rows)))
    return int(hits.sum()), int(trials.sum()), len(rows), hits[taken].sum(axis=1) / trials[taken].sum(axis=1)


def agrees(row: dict[str, Any], rows: list[tuple[str, int, int]]) -> None:
    """Whether an estimate is what its domains' counts give."""
    hits, trials, domains, shares = ratios(rows)
    assert (row["hits"], row["trials"], row["domains"]) == (hits, trials, domains)
    assert row["share"] == pytest.approx(hits / trials)
    low, high = proportion_confint(hits / trials * domains, domains, method="wilson")
    assert (row["wilson_low"], row["wilson_high"]) == pytest.approx((max(0.0, low), min(1.0, high)), abs=1e-9)
    # Where an end lies among draws of another's: 2.5 % are meant on either side, and 1,000 draws come within 1.5 % of that. Draws may be alike.
    slack = 0.015
    assert np.mean(shares < row["boot_low"] - 1e-9) <= 0.025 + slack
    assert np.mean(shares <= row["boot_low"] + 1e-9) >= 0.025 - slack
    assert np.mean(shares > row["boot_high"] + 1e-9) <= 0.025 + slack
    assert np.mean(shares >= row["boot_high"] - 1e-9) >= 0.025 - slack
    assert (row["low"], row["high"]) == (min(row["wilson_low"], row["boot_low"]), max(row["wilson_high"], row["boot_high"]))


def again(of: Study, rules: str) -> int:
    """Reckons a study's leaks, tests and reach once more; says how many figures it held."""
    tested = next(each.id for each in of.plan.resolvers if each.role == "tested")
    known = {each.id for each in of.plan.vectors}
    ways = of.directory / "paths.yaml"
    if {"type-a", "type-aaaa", "type-https"} <= known:
        ways.write_text(PATHS.format(tested), encoding="utf-8")
    said = estimates.make(of, rules=rules, ways=ways if ways.exists() else None)
    held = 0
    with opened(of, rules) as base:
        table = base.execute(f"SELECT * FROM read_parquet('{of.estimates}/estimates.parquet') WHERE list = '' AND vantage = ''").fetchall()
        columns = [each[0] for each in base.description or ()]
        found = {
            (row["measure"], row["scope"], row["family"], row["vector"], row["resolver"]): row
            for row in (dict(zip(columns, each, strict=True)) for each in table)
        }
        wanted: dict[tuple[str, ...], list[tuple[str, int, int]]] = {}
        for each in (each.id for each in of.plan.resolvers if each.role == "tested"):
            for id in sorted(known):
                wanted["leak", "vector", "", id, each] = base.execute(
                    "SELECT domain, count(*) FILTER (state = 'ok'), count(*) FROM seen WHERE resolver = ? AND vector = ?"
                    " AND state IN ('ok', 'blocked') GROUP BY ALL ORDER BY 1",
                    [each, id],
                ).fetchall()
            for scope, families in (("technical", OWN), ("any", tuple({each.family for each in of.plan.vectors}))):
                wanted["leak", scope, "", "", each] = base.execute(
                    "WITH reached AS (SELECT vantage, repeat, name, domain, bool_or(state = 'ok') AS hit FROM seen WHERE resolver = ?"
                    " AND list_contains(?, family) AND state IN ('ok', 'blocked') GROUP BY ALL)"
                    " SELECT domain, count(*) FILTER (hit), count(*) FROM reached GROUP BY ALL ORDER BY 1",
                    [each, list(families)],
                ).fetchall()
        for (measure, scope, _, id, each), rows in wanted.items():
            keys = [key for key in found if (key[0], key[1], key[3], key[4]) == (measure, scope, id, each)]
            assert len(keys) == bool(rows), (scope, id, each)
            if rows:
                agrees(found[keys[0]], rows)
                held += 1
        for headline in said["headline"]:
            rows = wanted["leak", "technical", "", "", headline["resolver"]]
            assert (headline["technical"] is None) == (not rows)
            if rows:
                assert headline["technical"]["share"] == pytest.approx(sum(row[1] for row in rows) / sum(row[2] for row in rows))
        held += _tests(base, of)
        held += _reach(base, of, tested, said)
    return held


def _tests(base: duckdb.DuckDBPyConnection, of: Study) -> int:
    """McNemar's test of each vector beside the plain question, and Holm's correction among a resolver's."""
    told = base.execute(
        f"SELECT resolver, vector, more, fewer, equal, p, p_holm FROM read_parquet('{of.estimates}/tests.parquet')"
        " WHERE against = 'plain' AND list = '' ORDER BY ALL"
    ).fetchall()
    wanted = base.execute("""
        WITH pairs AS (
            SELECT a.resolver, a.vector, a.domain, sum((a.state = 'ok')::INT - (b.state = 'ok')::INT) AS gap
            FROM seen AS a JOIN seen AS b USING (resolver, vantage, repeat, name)
            WHERE a.vector <> 'type-a' AND b.vector = 'type-a' AND a.state IN ('ok', 'blocked') AND b.state IN ('ok', 'blocked') GROUP BY ALL
        )
        SELECT resolver, vector, count(*) FILTER (gap > 0), count(*) FILTER (gap < 0), count(*) FILTER (gap = 0) FROM pairs
        GROUP BY ALL ORDER BY ALL
    """).fetchall()
    tested = {each.id for each in of.plan.resolvers if each.role == "tested"}
    wanted = [row for row in wanted if row[0] in tested]
    assert [row[:5] for row in told] == wanted
    for each in tested:
        some = [row for row in told if row[0] == each]
        p = [binomtest(row[2], row[2] + row[3]).pvalue if row[2] + row[3] else 1.0 for row in some]
        assert [row[5] for row in some] == pytest.approx(p)
        if p:
            assert [row[6] for row in some] == pytest.approx(multipletests(p, method="holm")[1])
    return len(wanted)


def _reach(base: duckdb.DuckDBPyConnection, of: Study, tested: str, said: dict[str, Any]) -> int:
    whole = [each for each in said["reach"] if not each["path"] and not each["list"] and not each["vantage"]]
    if not whole:
        return 0
    total = 0.2 * 0.9
    for share, ids in ((0.5, ["type-a"]), (0.3, ["type-a", "type-aaaa", "type-https"])):
        ((hit,),) = base.execute(
            "SELECT avg(hit::INT) FROM (SELECT bool_or(state = 'ok') AS hit FROM seen WHERE resolver = ? AND list_contains(?, vector)"
            " AND state IN ('ok', 'blocked') GROUP BY vantage, repeat, name)",
            [tested, ids],
        ).fetchall()
        total += share * hit
    assert whole[0]["probability"] == pytest.approx(total)
    # As if all erred to one side, at least: also where all names were reached, or none.
    paths = [each for each in said["reach"] if each["path"] and not each["list"] and not each["vantage"]]
    for end, pick in (("low", min), ("high", max)):
        worst = sum(each["share"] * each[end] for each in paths)
        assert pick(whole[0][end], worst) == pytest.approx(whole[0][end])
        measured = [each for each in paths if each["resolver"]]
        assert all(each["low"] < each["high"] for each in measured)
    return 1


def test_a_lab_s_study_comes_out_the_same(tmp_path: Path) -> None:
    scenario = find("small")
    made = run.measure(scenario, 5, tmp_path / "study")
    run.judge(scenario, made)
    for rules in (ours.VERSION, "ooni-0.5"):
        assert again(made, rules) > 5
    # OONI's rules and ours are of the same trials.
    with duckdb.connect() as base:
        counts = base.execute(f"""
            SELECT trial, vantage, count(DISTINCT covered) AS told FROM read_parquet('{made.directory}/classification/*/part-*.parquet')
            GROUP BY ALL HAVING told > 1
        """).fetchall()
    assert counts == []


def test_drawn_verdicts_come_out_the_same(tmp_path: Path) -> None:
    assert again(drawn(tmp_path / "study", 4)[0], "red-hand-1") > 10


SHAPES: dict[str, tuple[int, Callable[[int], str], Callable[[int], str]]] = {
    "one domain": (9, lambda number: f"n{number}.one.test", lambda number: "ok" if number % 3 else "blocked"),
    "one name": (1, lambda number: f"n{number}.one.test", lambda number: "blocked"),
    "all leak": (6, lambda number: f"n{number}.d{number}.test", lambda number: "ok"),
    "none leaks": (6, lambda number: f"n{number}.d{number}.test", lambda number: "blocked"),
    "nothing is known": (4, lambda number: f"n{number}.d{number}.test", lambda number: "insufficient"),
    "all is down": (4, lambda number: f"n{number}.d{number}.test", lambda number: "down"),
    "one is known": (5, lambda number: f"n{number}.d{number}.test", lambda number: "ok" if number == 2 else "insufficient"),
    "one domain has all": (12, lambda number: f"n{number}.d{number if number < 2 else 2}.test", lambda number: "ok" if number > 2 else "blocked"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_hostile_shapes_come_out_the_same(tmp_path: Path, shape: str) -> None:
    count, called, state = SHAPES[shape]
    listed = [names.make(called(number), match="subtree", list="orders") for number in range(count)]
    vectors = [vector("A"), vector("AAAA"), vector("HTTPS")]
    resolvers = [resolver("ours", "tested"), resolver("one"), resolver("two")]
    made = study.create(
        tmp_path / "study", *plan.make([names.make("ok.example", "canary"), *listed], vectors, resolvers, seed=3, as_of=AS_OF, repeats=2)
    )
    number = {each.name: place for place, each in enumerate(listed)}
    judged(made, lambda name, vector_id, resolver_id, trial: Said(state(number[name.name]), True) if name.group == "listed" else Said("ok", False))
    held = again(made, "red-hand-1")
    assert (held > 0) == (state(2) in ("ok", "blocked"))


def test_waits_come_out_the_same(tmp_path: Path) -> None:
    """Of each watch by hand: seconds from the order to the first ask of those blocked to the end. One ask at the end shows nothing lasting."""
    seed = SEED
    print("seed", seed)
    random = np.random.default_rng(seed)
    asks = ["o" * (place := int(random.integers(2, 40))) + "b" * (40 - place) for _ in range(60)]
    of = watched(tmp_path / "study", asks)
    (of.directory / "clock.json").write_text(json.dumps({"events": [{"what": "enforced", "at": BEGAN + SECOND}]}))
    (row,) = estimates.make(of)["delays"]
    ends = [each.find("b") for each in asks]
    ended = [0 < end < 39 for end in ends]
    theirs = SurvfuncRight([float(end - 1 if over else 38) for end, over in zip(ends, ended, strict=True)], [int(over) for over in ended])
    with duckdb.connect() as base:
        steps = base.execute(
            f"SELECT seconds, at_risk, ended, survival FROM read_parquet('{of.estimates}/survival.parquet') WHERE ended > 0 ORDER BY seconds"
        ).fetchall()
    assert [step[0] for step in steps] == theirs.surv_times.tolist()
    assert [step[1] for step in steps] == theirs.n_risk.tolist()
    assert [step[3] for step in steps] == pytest.approx(theirs.surv_prob.tolist())
    assert row["p50"] == theirs.quantile(0.5)
