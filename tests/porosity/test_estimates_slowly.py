"""Estimates against a slow, obvious account of the same verdicts, drawn by a seed: every count of every list and vantage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from porosity import classify, database, estimates, names, parts, plan, study
from porosity.study import Study
from tests.porosity.studies import AS_OF, resolver, vector

LISTS, VANTAGES = ("first", "second"), ("here", "there")


def drawn(directory: Path, seed: int) -> tuple[Study, list[dict[str, Any]]]:
    """A study of two lists at two vantages, whose verdicts say anything at all; some are missing, as where a run was stopped."""
    random = Random(seed)
    listed = [names.make(f"n{number}.d{number // 3}.test", match="subtree", list=random.choice(LISTS)) for number in range(14)]
    near = [names.make(f"near{number}.test", "neighbour", list=random.choice(LISTS)) for number in range(4)]
    resolvers = [resolver("ours", "tested"), resolver("theirs", "tested"), resolver("one"), resolver("two")]
    made = plan.make(
        [names.make("ok.example", "canary"), *listed, *near], [vector(type) for type in ("A", "AAAA", "HTTPS")], resolvers, seed=seed, as_of=AS_OF,
        repeats=2,
    )  # fmt: skip
    of = study.create(directory, *made)
    rows = []
    for vantage in VANTAGES:
        for number in range(of.plan.trials):
            trial = of.plan.trial(number)
            name = of.names[trial.name]
            state = random.choice(("ok", "ok", "blocked", "blocked", "down", "insufficient"))
            flags = [random.choice((True, False, None)) if state == "blocked" else None for _ in range(2)]
            covered = name.group == "listed" and random.random() < 0.9
            row = {
                "trial": number, "rule": "R99", "state": state, "evidence": "{}", "landing": flags[0], "ede": flags[1], "name": str(name.name),
                "vector": of.plan.vectors[trial.vector].id, "resolver": of.plan.resolvers[trial.resolver].id, "repeat": trial.repeat,
                "vantage": vantage, "covered": covered,
            }  # fmt: skip
            if random.random() < 0.95:
                rows.append({**row, "group": name.group, "list": name.list, "domain": name.domain})
    table = pa.Table.from_pylist([{field: row[field] for field in classify.SCHEMA.names} for row in rows], classify.SCHEMA)
    parts.write(of.classification("red-hand-1") / parts.name(1), table, {"plan": of.plan.id})
    return of, rows


def blocks(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """The rows of each list and vantage, and of all."""
    for listed in ("", *LISTS):
        for vantage in ("", *VANTAGES):
            yield listed, vantage, [row for row in rows if listed in ("", row["list"]) and vantage in ("", row["vantage"])]


def slowly(rows: list[dict[str, Any]]) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """Hits, trials and names of each rate."""
    hits: Counter[tuple[str, ...]] = Counter()
    trials: Counter[tuple[str, ...]] = Counter()
    cases: dict[tuple[str, ...], set[str]] = defaultdict(set)

    def count(key: tuple[str, ...], row: dict[str, Any], hit: bool) -> None:
        hits[key] += hit
        trials[key] += 1
        cases[key].add(row["name"])

    for listed, vantage, some in blocks(rows):
        plain = {
            (row["resolver"], row["vantage"], row["repeat"], row["name"]): row["state"]
            for row in some
            if row["vector"] == "type-a" and row["covered"]
        }
        occasions: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
        for row in some:
            state, where = row["state"], ("vector", row["vector"], listed, vantage, row["resolver"])
            if row["group"] == "canary" and state != "insufficient":
                count(("canary", *where), row, state == "ok")
            if row["resolver"] not in ("ours", "theirs"):
                continue
            if row["group"] == "neighbour" and state in ("ok", "blocked"):
                count(("false_positive", *where), row, state == "blocked")
            if row["group"] != "listed" or not row["covered"]:
                continue
            count(("down", *where), row, state == "down")
            count(("insufficient", *where), row, state == "insufficient")
            if state != "insufficient":
                count(("false_negative", *where), row, state == "ok")
                count(("block", *where), row, state == "blocked")
            if row["landing"] is not None:
                count(("landing", *where), row, row["landing"])
            if row["ede"] is not None:
                count(("ede", *where), row, row["ede"])
            if state in ("ok", "blocked"):
                occasion = (row["resolver"], row["vantage"], row["repeat"], row["name"])
                count(("leak", *where), row, state == "ok")
                occasions[occasion].append(row)
                if plain.get(occasion) == "blocked":
                    count(("bypass", *where), row, state == "ok")
        for some_rows in occasions.values():
            for scope in ("technical", "any", "family"):
                count(("leak", scope, "", listed, vantage, some_rows[0]["resolver"]), some_rows[0], any(row["state"] == "ok" for row in some_rows))
    return {key: (hits[key], trials[key], len(cases[key])) for key in trials}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_rate_is_what_a_slow_account_says(tmp_path: Path, seed: int) -> None:
    of, rows = drawn(tmp_path / "study", seed)
    estimates.make(of)
    with database.connect(of) as base:
        found = base.sql("SELECT measure, scope, vector, list, vantage, resolver, hits, trials, names, domains FROM estimates").fetchall()
        tests = base.sql("SELECT resolver, vector, more, fewer, equal FROM tests WHERE against = 'controls' AND list = ''").fetchall()
        leaking = base.sql("SELECT resolver, sum(part) FROM budget WHERE scope = 'technical' AND list = '' GROUP BY ALL").fetchall()
        whole = base.sql("SELECT resolver, share FROM estimates WHERE scope = 'technical' AND list = '' AND vantage = ''").fetchall()
    assert {row[:6]: row[6:9] for row in found} == slowly(rows)
    assert dict(leaking) == pytest.approx(dict(whole)), "the parts of a budget make what leaks by any"
    assert sorted(tests) == sorted(paired(rows))


def paired(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, int, int, int]]:
    """Domains in which a resolver was reached more often than a control by the same question, less often, and as often."""
    decided = [row for row in rows if row["group"] == "listed" and row["covered"] and row["state"] in ("ok", "blocked")]
    controls: dict[tuple[Any, ...], bool] = defaultdict(bool)
    for row in decided:
        if row["resolver"] in ("one", "two"):
            controls[row["vantage"], row["repeat"], row["name"], row["vector"]] |= row["state"] == "ok"
    for tested in ("ours", "theirs"):
        for vector_id in ("type-a", "type-aaaa", "type-https"):
            differences: Counter[str] = Counter()
            for row in decided:
                key = (row["vantage"], row["repeat"], row["name"], row["vector"])
                if row["resolver"] == tested and row["vector"] == vector_id and key in controls:
                    differences[row["domain"]] += (row["state"] == "ok") - controls[key]
            signs = [(each > 0) - (each < 0) for each in differences.values()]
            yield tested, vector_id, signs.count(1), signs.count(-1), signs.count(0)
