"""A study whose files were damaged, or put together by a stranger: read as it was written, or refused with the file and the remedy."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from blocklists.errors import RedHandError, StoreError
from porosity import classify, estimates, observations, parts, segments, study
from porosity.cli import app
from porosity.journal import Journal
from porosity.rules.facts import Known, packed
from porosity.study import Study
from tests.porosity.test_classify import kept

SEED = 20261122


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with all its stages, and a vantage whose observations are not sealed."""
    of = kept(tmp_path_factory.mktemp("whole") / "study")
    with Journal(of, "open") as journal:
        journal.append(rows(of, "local"))
    classify.run(of, Known(packed(["192.0.2.80"])))
    estimates.make(of)
    return of


@pytest.fixture
def of(whole: Study, tmp_path: Path) -> Study:
    shutil.copytree(whole.directory, tmp_path / "study")
    return study.open(tmp_path / "study")


def rows(of: Study, vantage: str) -> list[Any]:
    return sorted(observations.rows(observations.scan(of, [vantage]).to_table()), key=lambda row: (row.trial, row.ask))


def part(of: Study, stage: Path) -> Path:
    return stage / parts.name(1)


def said(*words: object) -> str:
    """What a command refuses with; empty when it does not."""
    error = CliRunner().invoke(app, [str(word) for word in words]).exception
    assert error is None or isinstance(error, RedHandError | SystemExit), error
    return str(error or "")


def test_a_flipped_bit_is_never_an_answer(of: Study) -> None:
    """Wherever in the data of a part it is, it is seen: an answer that nobody gave would be a leak that is none."""
    file = part(of, of.observations("local"))
    data, before = file.read_bytes(), rows(of, "local")
    chance = random.Random(SEED)
    footer = int.from_bytes(data[-8:-4], "little")
    refused = 0
    for _ in range(60):
        at = chance.randrange(4, len(data) - 8 - footer)
        file.write_bytes(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
        try:
            assert rows(of, "local") == before
            assert [each for _, found in observations.cells(of, "local") for each in found] == before
        except (StoreError, OSError, pa.ArrowException):
            refused += 1
    assert refused > 30


@pytest.mark.parametrize("command", [["classify"], ["sql", "SELECT max(trial) FROM observations"], ["export", "ooni", "out"]])
def test_every_stage_says_which_file_is_damaged(of: Study, tmp_path: Path, command: list[str]) -> None:
    file = part(of, of.observations("local"))
    data = file.read_bytes()
    name, *more = command
    more = [str(tmp_path / word) if word == "out" else word for word in more] + (["--vantage", "local"] if name == "export" else [])
    for damaged in (b"", data[:-9], data[: len(data) // 2] + bytes(60) + data[len(data) // 2 + 60 :], b"PAR1" + bytes(200) + b"PAR1"):
        file.write_bytes(damaged)
        assert "not as it was written" in said(name, of.directory, *more)


def test_estimates_that_are_damaged_are_made_anew(of: Study) -> None:
    (of.estimates / "budget.parquet").write_bytes(b"PAR1")
    assert "not as it was written" in said("sql", of.directory, "SELECT 1")
    assert not said("estimate", of.directory)
    assert not said("sql", of.directory, "SELECT count(*) FROM budget")


def test_verdicts_have_their_columns_and_their_plan(of: Study) -> None:
    folder = of.classification(classify.Ours.version)
    table = pq.read_table(part(of, folder))
    for wrong, about in ((table.drop_columns(["vantage"]), of.plan.id), (table, "0" * 64)):
        parts.write(part(of, folder), wrong, {"plan": about})
        with pytest.raises(StoreError, match=r"its columns are|of another plan"):
            list(classify.read(of, classify.Ours.version, "local"))


def test_a_frame_with_a_right_checksum_may_still_be_a_stranger_s(of: Study) -> None:
    """Offsets that lead out of the frame would be read as whatever stands there in memory."""
    file = segments.path(of.observations("open") / segments.FOLDER, 1)
    (payload,) = segments.read(file).frames
    chance = random.Random(SEED)
    for _ in range(200):
        hostile = bytearray(payload)
        for _ in range(chance.randrange(1, 6)):
            hostile[chance.randrange(len(hostile))] ^= 1 << chance.randrange(8)
        file.write_bytes(segments.frame(of.plan.id.encode()) + segments.frame(bytes(hostile)))
        try:
            for _, found in observations.cells(of, "open"):
                assert found
            observations.done(of, "open")
        except (RedHandError, UnicodeDecodeError):
            continue


def test_a_trial_that_is_not_in_the_plan_is_refused(of: Study) -> None:
    stray = [replace(each, trial=number) for each in rows(of, "local")[:1] for number in (-1, of.plan.trials, 1 << 60)]
    for each in stray:
        parts.write(part(of, of.observations("local")), pa.Table.from_batches([observations.batch([each], "local")]), {"plan": of.plan.id})
        with pytest.raises(StoreError, match="is not in the plan"):
            observations.done(of, "local")
        assert "is not in the plan" in said("classify", of.directory)


LINES = ("[]", "null", "7", '{"seconds": "long"}', '{"began": 1e300}', '{"trials": []}', "[" * 100_000, "{")


def test_a_note_of_a_run_is_told_or_left_out(of: Study) -> None:
    """It is for people, and no stage rests on it."""
    sound = json.dumps({"vantage": "local", "trials": 4711, "began": 1_800_000_000})
    (of.observations("local") / "runs.jsonl").write_text("\n".join((*LINES, sound, "")))
    (of.classification(classify.Ours.version) / classify.ABOUT).write_text("[]")
    assert not said("report", of.directory)
    assert (of.report / "index.html").read_text(encoding="utf-8").count("4,711") == 1
