"""Estimates, from verdicts whose counts are known by hand: what is counted of what, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from porosity import classify, cli, database, estimates, names, parts, plan, study
from porosity.estimating.paths import BadPaths
from porosity.estimating.verdicts import NothingJudged
from porosity.journal import Journal
from porosity.plan import Trial
from porosity.study import Study
from porosity.words import Name
from tests.porosity.studies import AS_OF, observed, resolver, vector

RULES = "red-hand-1"
PATHS = """
paths:
  - {path: provider, share: 0.75, source: a survey, resolver: ours, vectors: [type-a, type-https]}
  - {path: public resolver, share: 0.25, source: another survey, probability: 1.0}
"""


class Said(NamedTuple):
    """A verdict, but for what the trial's number says."""

    state: str
    covered: bool = True
    landing: bool | None = None
    ede: bool | None = None


def judged(of: Study, say: Callable[[Name, str, str, Trial], Said], vantages: tuple[str, ...] = ("local",), rules: str = RULES) -> Study:
    """A study with verdicts by this account of name, vector, resolver and trial."""
    columns: dict[str, list[Any]] = {field: [] for field in classify.SCHEMA.names}
    for vantage in vantages:
        for number in range(of.plan.trials):
            trial = of.plan.trial(number)
            name, vector_id, resolver_id = of.names[trial.name], of.plan.vectors[trial.vector].id, of.plan.resolvers[trial.resolver].id
            said = say(name, vector_id, resolver_id, trial)
            row = (
                number,
                "R99",
                said.state,
                "{}",
                said.landing,
                said.ede,
                str(name.name),
                vector_id,
                resolver_id,
                trial.repeat,
                vantage,
                said.covered,
            )
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    parts.write(of.classification(rules) / parts.name(1), pa.table(columns, classify.SCHEMA), {"plan": of.plan.id, "rules": rules})
    return of


def place(name: Name) -> int:
    """Which of the listed names it is."""
    return int(name.name[0].decode().removeprefix("n"))


def leaky(name: Name, vector_id: str, resolver_id: str, trial: Trial) -> Said:
    """Twelve names of six domains. `ours` keeps back all but: n0 by every type, n1 and n2 by AAAA and HTTPS, n3 to n5 by HTTPS."""
    if name.group == "canary" or resolver_id != "ours":
        return Said("ok", name.group == "listed")
    if vector_id == "upgrade-canary":
        return Said("ok")
    if name.group == "neighbour":
        if vector_id == "type-https" and name.name[0] == b"a":
            return Said("blocked")  # as if what was asked for were ordered
        return Said("blocked" if name.name[0] == b"www" and vector_id == "type-a" else "ok", False)
    if not name.in_force:
        return Said("blocked", landing=True)
    most = {"type-a": 0, "type-aaaa": 2, "type-https": 5}.get(vector_id, -1)
    if vector_id == "name-apex":
        return Said("ok", False)
    if place(name) <= most:
        return Said("ok")
    if place(name) == 11 and vector_id == "type-aaaa":
        return Said("down" if trial.repeat else "insufficient")
    return Said("blocked", landing=vector_id == "type-a", ede=trial.repeat == 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of one list, with lifted names and neighbours, and its estimates."""
    listed = [names.make(f"n{number}.d{number // 2}.test", match="subtree", list="orders", directive=f"FR-{number}") for number in range(12)]
    lifted = [
        replace(each, in_force=False)
        for each in (names.make("n20.old.test", list="orders", match="exact"), names.make("x.n1.d0.test", list="orders", match="exact"))
    ]
    near = [
        names.make(f"{label}.d{number}.test", "neighbour", list="orders", directive=f"FR-{2 * number}") for number in (0, 1) for label in ("www", "a")
    ]
    vectors = [vector("A"), vector("AAAA"), vector("HTTPS")]
    vectors += [replace(vector("A"), id="name-apex", family="name"), replace(vector("A"), id="upgrade-canary", family="upgrade", kind="signal")]
    made_plan = plan.make(
        [names.make("ok.example", "canary"), *listed, *lifted, *near],
        vectors,
        [resolver("ours", "tested"), resolver("one"), resolver("two")],
        seed=7,
        as_of=AS_OF,
        repeats=2,
    )
    directory = tmp_path_factory.mktemp("estimates") / "study"
    of = judged(study.create(directory, *made_plan), leaky)
    (directory / "paths.yaml").write_text(PATHS, encoding="utf-8")
    estimates.make(of, ways=directory / "paths.yaml")
    return of


@pytest.fixture(scope="module")
def rows(made: Study) -> Callable[[str], list[tuple[Any, ...]]]:
    """Answers of the study's database."""
    base = database.connect(made)
    return lambda query: base.sql(query).fetchall()


def test_rates_count_what_they_say(rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    found = {
        (measure, vector_id): (hits, trials, cases)
        for measure, vector_id, hits, trials, cases in rows(
            "SELECT measure, vector, hits, trials, names FROM estimates WHERE scope = 'vector' AND resolver = 'ours'"
        )
    }
    assert found["leak", "type-a"] == (2, 24, 12)
    assert found["leak", "type-aaaa"] == (6, 22, 11), "down and insufficient are neither reached nor kept back"
    assert found["leak", "type-https"] == (12, 24, 12)
    assert found["false_negative", "type-aaaa"] == (6, 23, 12)
    assert found["block", "type-aaaa"] == (16, 23, 12)
    assert (found["down", "type-aaaa"], found["insufficient", "type-aaaa"]) == ((1, 24, 12), (1, 24, 12))
    assert found["bypass", "type-https"] == (10, 22, 11), "n0 was never blocked, so that nothing goes round its block"
    assert found["bypass", "type-a"] == (0, 22, 11)
    assert (found["landing", "type-a"], found["landing", "type-https"]) == ((22, 22, 11), (0, 12, 6))
    assert found["ede", "type-a"] == (11, 22, 11)
    # www.d0.test and www.d1.test at A, and n20.old.test always; x.n1.d0.test is covered by the order above it.
    assert (found["false_positive", "type-a"], found["false_positive", "type-https"]) == ((6, 10, 5), (2, 6, 3))
    assert found["canary", "type-a"] == (2, 2, 1)
    assert found["signal", "upgrade-canary"][2] == 2, "what asks the same for every name has a case a repeat"
    assert ("leak", "name-apex") not in found, "the order's reach is no leak"
    assert ("false_positive", "name-apex") not in found


def test_several_vectors_together_leak_where_any_does(rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    found = rows("SELECT scope, family, hits, trials, names, domains FROM estimates WHERE measure = 'leak' AND vector = '' ORDER BY 1, 2")
    assert found == [
        ("any", "", 12, 24, 12, 6), ("family", "record type", 12, 24, 12, 6), ("technical", "", 12, 24, 12, 6),
    ]  # fmt: skip


def test_intervals_are_the_wider_of_two(rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    for row in rows("SELECT share, wilson_low, wilson_high, boot_low, boot_high, low, high FROM estimates"):
        share, wilson_low, wilson_high, boot_low, boot_high, low, high = row
        assert 0 <= low == min(wilson_low, boot_low) <= share <= max(wilson_high, boot_high) == high <= 1
    ((low, high),) = rows("SELECT round(wilson_low, 4), round(wilson_high, 4) FROM estimates WHERE measure = 'leak' AND vector = 'type-https'")
    assert (low, high) == (0.1876, 0.8124), "3 of 6 domains, not 6 of 12 names, nor 12 of 24 trials"


def test_pairs(rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    found = {row[:2]: row[2:] for row in rows("SELECT against, vector, more, fewer, equal, p, p_holm FROM tests")}
    # Domains 0, 1 and 2 have more by HTTPS than by A: 2 / 2^3; Holm's twice that, of two vectors.
    assert found["plain", "type-https"] == (3, 0, 3, pytest.approx(0.25), pytest.approx(0.5))
    assert found["plain", "type-aaaa"] == (2, 0, 4, pytest.approx(0.5), pytest.approx(0.5))
    assert found["controls", "type-a"] == (0, 6, 0, pytest.approx(2 / 64), pytest.approx(6 / 64))


def test_over_blocking_by_name_and_order(rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    assert rows("SELECT name, population, directive, vectors, blocked, trials FROM overblocked ORDER BY 1") == [
        ("n20.old.test", "lifted", "", ["type-a", "type-aaaa", "type-https"], 6, 6),
        ("www.d0.test", "neighbour", "FR-0", ["type-a"], 2, 6),
        ("www.d1.test", "neighbour", "FR-2", ["type-a"], 2, 6),
    ]
    assert rows("SELECT directive, measured, blocked, share FROM collateral ORDER BY 1") == [("FR-0", 2, 1, 0.5), ("FR-2", 2, 1, 0.5)]


def test_budget_and_reach(made: Study, rows: Callable[[str], list[tuple[Any, ...]]]) -> None:
    found = rows("SELECT vector, leaks, alone, part, step, remains FROM budget WHERE scope = 'technical' ORDER BY step")
    assert [row[0] for row in found] == ["type-https", "type-aaaa", "type-a"]
    assert found[0][1:3] == (0.5, 0.25)
    assert found[0][3] == pytest.approx((3 + 1 + 1 / 3) / 12)
    assert [row[5] for row in found] == [0.25, pytest.approx(1 / 12), 0]
    assert sum(row[3] for row in found) == pytest.approx(0.5)
    ((whole, low, high),) = rows("SELECT reach, low, high FROM reach WHERE path = ''")
    assert whole == pytest.approx(0.75 * 0.5 + 0.25)
    assert 0.25 <= low < whole < high <= 1
    users = rows("SELECT vector, part FROM budget WHERE scope = 'users' ORDER BY 1")
    assert users == [("type-a", pytest.approx(0.75 / 24)), ("type-https", pytest.approx(0.75 * (0.5 - 1 / 24)))]
    said = json.loads((made.estimates / estimates.FILE).read_text(encoding="utf-8"))
    (head,) = said["headline"]
    assert (head["resolver"], head["technical"]["share"], head["plain"]["hits"]) == ("ours", 0.5, 2)
    assert head["leaking"] == ["type-https", "type-aaaa", "type-a"]
    assert head["overblocked"] == {"names": 3, "of": 4, "orders": 2, "of_orders": 2}
    assert (said["seed"], said["plan"], said["trials"]["judged"]) == (7, made.plan.id, made.plan.trials)


def test_the_same_verdicts_give_the_same_files(made: Study) -> None:
    before = {each.name: each.read_bytes() for each in made.estimates.iterdir()}
    for _ in range(3):
        estimates.make(made, ways=made.directory / "paths.yaml")
        assert {each.name: each.read_bytes() for each in made.estimates.iterdir()} == before
    assert set(before) == {estimates.FILE, *(f"{name}.parquet" for name in estimates.TABLES)}


def two_lists(directory: Path) -> Study:
    """Four names of two lists, seen from two vantages, with what was asked."""
    listed = [names.make(f"n{number}.d{number}.test", match="subtree", list="first" if number < 2 else "second") for number in range(4)]
    made_plan = plan.make(
        [names.make("ok.example", "canary"), *listed], [vector("A")], [resolver("ours", "tested"), resolver("one")], seed=7, as_of=AS_OF, repeats=1
    )
    return study.create(directory, *made_plan)


def test_lists_vantages_and_windows_are_told_apart(tmp_path: Path) -> None:
    of = two_lists(tmp_path / "study")
    for vantage in ("here", "there"):
        with Journal(of, vantage) as journal:
            journal.append([row for trial in range(of.plan.trials) for row in observed(of, trial)])
    judged(of, lambda name, vector_id, resolver_id, trial: Said("ok" if name.list == "second" else "blocked"), ("here", "there"))
    estimates.make(of, window=3600)
    with database.connect(of) as base:
        found = base.sql("""
            SELECT list, vantage, epoch(since)::BIGINT, hits, trials, names FROM estimates
            WHERE measure = 'leak' AND scope = 'vector' ORDER BY 1, 2, 3 NULLS FIRST
        """).fetchall()
        assert base.sql("SELECT list, more, fewer, equal FROM tests WHERE against = 'controls' ORDER BY 1").fetchall() == [
            ("", 0, 0, 4), ("first", 0, 0, 2), ("second", 0, 0, 2),
        ]  # fmt: skip
    assert found[:2] == [("", "", None, 4, 8, 4), ("", "", AS_OF, 4, 8, 4)]
    assert ("second", "there", None, 2, 2, 2) in found
    assert len(found) == 3 * 3 * 2


def run(*words: str) -> Any:
    """What the command says."""
    return CliRunner().invoke(cli.app, ["estimate", *words], env={"COLUMNS": "200"})


def test_the_command_says_what_a_person_reads_first(made: Study) -> None:
    found = run(str(made.directory), "--paths", str(made.directory / "paths.yaml"))
    assert found.exit_code == 0, found.output
    assert "50.0 % (" in found.output
    assert "type-https, type-aaaa, type-a" in found.output
    assert "3 of 4" in found.output
    assert "Effective reach, all paths: 62.5 % (" in found.output
    assert json.loads(run(str(made.directory), "--json").output)["reach"] == []


def bad_paths() -> Iterator[Any]:
    """Files of paths that are none, with a word of the message."""
    one = "{path: p, share: 1.0, source: s, "
    yield "[]", "has no paths"
    yield "paths: [" + one + "probability: 2}]", "from 0 to 1"
    yield "paths: [" + one + "probability: true}]", "from 0 to 1"
    yield "paths: [{path: p, share: 0.5, source: s, probability: 1}]", "make 0.5 and not 1"
    yield "paths: [{path: p, share: 1, source: '', probability: 1}]", "say where it is from"
    yield "paths: [" + one + "resolver: nobody}]", "there are ours, one, two"
    yield "paths: [" + one + "resolver: ours, vectors: [none-such]}]", "vectors of the study"
    yield "paths: [" + one + "resolver: ours, probability: 1}]", "not both"
    yield "paths: [" + one + "chance: 1}]", "either resolver"
    yield "paths: [", "cannot be read"


@pytest.mark.parametrize(("text", "word"), list(bad_paths()))
def test_paths_that_are_none_are_refused(made: Study, tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "paths.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadPaths, match=word):
        estimates.make(made, ways=tmp_path / "paths.yaml")


def test_what_is_not_judged_is_not_estimated(made: Study, tmp_path: Path) -> None:
    of = two_lists(tmp_path / "study")
    with pytest.raises(NothingJudged, match="porosity classify"):
        estimates.make(of)
    with pytest.raises(NothingJudged, match=r"by ooni-0\.5"):
        estimates.make(made, "ooni-0.5")
    judged(of, lambda *_: Said("insufficient", False))
    said = estimates.make(of)
    assert said["headline"][0]["technical"] is None, "nothing known is not nothing leaked"
    (made.classification(RULES) / parts.name(1)).rename(made.classification(RULES) / "kept")
    try:
        (made.classification(RULES) / parts.name(1)).write_bytes((of.classification(RULES) / parts.name(1)).read_bytes())
        with pytest.raises(NothingJudged, match="another plan"):
            estimates.make(made)
    finally:
        (made.classification(RULES) / "kept").replace(made.classification(RULES) / parts.name(1))


def test_a_fault_of_a_moment_over_blocks_no_name(tmp_path: Path) -> None:
    given = [names.make("ok.example", "canary"), names.make("n0.d0.test", match="subtree", list="orders")]
    near = [names.make(f"{label}.near.test", "neighbour", list="orders") for label in ("once", "twice")]
    resolvers = [resolver("ours", "tested"), resolver("one")]
    of = study.create(tmp_path / "study", *plan.make([*given, *near], [vector("A")], resolvers, seed=7, as_of=AS_OF, repeats=3))
    blocked = {b"once": 1, b"twice": 2}
    judged(
        of,
        lambda name, _, resolver_id, trial: Said("blocked" if trial.repeat < blocked.get(name.name[0], 0) and resolver_id == "ours" else "ok", False),
    )
    said = estimates.make(of)
    assert said["headline"][0]["overblocked"]["names"] == 1
    with database.connect(of) as base:
        assert base.sql("SELECT name, blocked, trials FROM overblocked").fetchall() == [("twice.near.test", 2, 3)]
        assert base.sql("SELECT hits, trials FROM estimates WHERE measure = 'false_positive'").fetchall() == [(3, 6)], "rates hide nothing"
