"""A study on disk, read back and asked: what was planned, what was observed, cell by cell and in SQL."""

from __future__ import annotations

import os
import random
from pathlib import Path

import dns.name
import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blocklists.errors import DiskError, StoreError
from porosity import database, names, observations, order, parts, plan, spill, study
from porosity.journal import Journal
from porosity.plan import BadPlan
from porosity.words import Name
from tests.porosity.studies import RESOLVERS, VECTORS, made, observed, planned


def test_a_study_read_back_is_what_was_planned(tmp_path: Path) -> None:
    made_plan, arranged = planned()
    of = study.create(tmp_path / "study", made_plan, arranged)
    assert of.plan == made_plan
    again = study.open(tmp_path / "study")
    assert list(again.names) == arranged == [again.names[number] for number in range(len(again.names))]
    assert again.names[3:5] == arranged[3:5]
    assert again.vantages() == again.classifications() == []
    assert study.create(tmp_path / "study", made_plan, arranged).plan.id == made_plan.id, "the same again is no error"
    with pytest.raises(StoreError, match="holds another study"):
        study.create(tmp_path / "study", *planned(seed=9))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=3))
def test_any_name_that_the_dns_has_is_kept(tmp_path: Path, labels: list[bytes]) -> None:
    """Invariant: octets of labels survive the way to the disk and back, whatever they are."""
    odd = Name(dns.name.Name([*(label.lower() for label in labels), b"test", b""]), "listed")
    made_plan, arranged = plan.make([odd, names.make("ok.example", "canary")], VECTORS, RESOLVERS, seed=random.randrange(1 << 40), as_of=0)
    of = study.create(tmp_path / made_plan.id, made_plan, arranged)
    assert of.names[1] == odd
    assert of.names[1].name.labels == odd.name.labels


def test_what_is_not_the_study_that_was_planned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="redhand porosity plan"):
        study.open(tmp_path)
    of, other = made(tmp_path / "study"), made(tmp_path / "other", listed=21)
    (of.directory / study.NAMES).unlink()
    with pytest.raises(StoreError, match=r"names\.parquet cannot be read"):
        len(study.open(of.directory).names)
    (of.directory / study.NAMES).write_bytes((other.directory / study.NAMES).read_bytes())
    with pytest.raises(StoreError, match="other names than the plan"):
        len(study.open(of.directory).names)
    (of.directory / study.PLAN).write_bytes(b"{}")
    with pytest.raises(BadPlan):
        study.open(of.directory)


@pytest.mark.parametrize("octets", [1 << 30, 1 << 15, 1 << 12], ids=["in memory", "in ranges", "in many ranges"])
def test_cells_come_in_order_and_whole_however_they_were_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, octets: int) -> None:
    """The simple way is the oracle: all rows, sorted in memory."""
    monkeypatch.setattr(observations, "RANGE_OCTETS", octets)
    of = made(tmp_path / "study", listed=60)
    expected: dict[int, list[tuple[int, int]]] = {}
    trials = list(order.trials(of.plan))
    measured = [trial for place, trial in enumerate(trials) if place % 7]  # some are missing, as in a run that was stopped
    with Journal(of, "here", segment_rows=150) as journal:
        for at in range(0, len(measured), 20):
            journal.append([row for trial in measured[at : at + 20] for row in observed(of, trial, asks=1 + trial % 3)])
    with Journal(of, "there") as other:
        other.append(observed(of, trials[0]))
    for trial in sorted(measured):
        expected.setdefault(trial // of.plan.measured, []).extend((trial, ask) for ask in range(1 + trial % 3))
    found = [(cell, [(row.trial, row.ask) for row in rows]) for cell, rows in observations.cells(of, "here")]
    assert found == list(expected.items())
    assert [row for _, rows in observations.cells(of, "there") for row in rows] == observed(of, trials[0])
    assert list(observations.cells(of, "nowhere")) == []
    assert not list(of.directory.glob(f"{spill.PREFIX}*"))


def test_a_study_is_asked_in_sql_at_every_stage(tmp_path: Path) -> None:
    of = made(tmp_path / "study")
    with database.connect(of) as asked:
        assert asked.sql("SELECT count(*) FROM names").fetchall() == [(21,)]
        assert asked.sql("SELECT count(*) FROM observations").fetchall() == [(0,)]
        assert asked.sql("SELECT vector, place FROM vectors ORDER BY place").fetchall()[2] == ("type-https", 2)
        assert asked.sql("SELECT role, count(*) FROM resolvers GROUP BY ALL ORDER BY ALL").fetchall() == [("control", 2), ("tested", 1)]
        with pytest.raises(duckdb.Error, match="classification"):
            asked.sql("SELECT * FROM classification")
    with Journal(of, "here") as journal:
        journal.append(observed(of, 1, asks=2))
        journal.seal()
        journal.append(observed(of, 2, asks=3))
    with Journal(of, "there") as journal:
        journal.append(observed(of, 1))
    for rules, states in (("red-hand-1", ["blocked", "ok"]), ("ooni-0.5", ["ok"])):
        for number, state in enumerate(states, 1):
            table = pa.table({"trial": [number], "state": [state]})
            parts.write(of.classification(rules) / parts.name(number), table, {"plan": of.plan.id})
    parts.write(of.estimates / "survival.parquet", pa.table({"p50": [1.5]}), {"plan": of.plan.id})
    with database.connect(of) as asked:
        assert asked.sql("SELECT vantage, count(*) FROM observations GROUP BY ALL ORDER BY ALL").fetchall() == [("here", 5), ("there", 1)]
        assert asked.sql("SELECT rules, state FROM classification ORDER BY ALL").fetchall() == [
            ("ooni-0.5", "ok"), ("red-hand-1", "blocked"), ("red-hand-1", "ok"),
        ]  # fmt: skip
        assert asked.sql("SELECT p50 FROM survival").fetchall() == [(1.5,)]
        # A trial's number says what was asked, in SQL as in Python.
        joined = "SELECT n.name FROM observations o, names n WHERE n.number = o.trial // (3 * 3) % 21 AND n.name <> o.name"
        assert asked.sql(joined).fetchall() == []
    with database.connect(of, ["there"]) as asked:
        assert asked.sql("SELECT count(*) FROM observations").fetchall() == [(1,)]
    assert (of.classifications(), of.vantages()) == (["ooni-0.5", "red-hand-1"], ["here", "there"])


def test_a_query_larger_than_its_memory_spills_beside_the_study_and_leaves_nothing(tmp_path: Path) -> None:
    of = made(tmp_path / "study")
    held = database.connect(of, memory="16MB")
    rooms = list(of.directory.glob(f"{spill.PREFIX}*"))
    assert len(rooms) == 1
    found = held.sql("SELECT count(*) FROM (SELECT md5(i::VARCHAR) AS m, i FROM range(300_000) t(i) ORDER BY m LIMIT 290_000)").fetchall()
    assert found == [(290_000,)]
    (of.directory / f"{spill.PREFIX}left-by-one-that-was-killed").mkdir()
    with spill.spilling(of.directory) as room:
        assert sorted(of.directory.glob(f"{spill.PREFIX}*")) == sorted([*rooms, room]), "only what nobody holds is swept"
    held.close()
    del held, found
    assert not list(of.directory.glob(f"{spill.PREFIX}*"))


def test_a_part_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "folder" / parts.name(1)
    parts.write(file, pa.table({"a": [1]}), {"plan": "x"})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="could not be written: No space left on device"):
        parts.write(file, pa.table({"a": [2]}), {"plan": "y"})
    assert parts.about(file) == {"plan": "x"}
    assert os.listdir(file.parent) == [file.name]
    assert (parts.numbers(file.parent), parts.numbers(tmp_path / "none")) == ([1], [])
