"""`redhand counts`: what may be shown of pages by order and day, and that nothing smaller can be read or reckoned from it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from landing import counts
from redhand.cli import app
from redhand.counted import SETTLED_SECONDS, table
from redhand.discreet import FEW, LEAST

TODAY = counts.day_of(int(time.time()) - SETTLED_SECONDS)


def written(state_dir: Path, days: dict[int, dict[str, int]]) -> Path:
    """A state directory with these counts, by how many days ago."""
    directory = counts.prepare(state_dir)
    for ago, pages in days.items():
        text = counts.text_of(TODAY - ago)
        (directory / f"{text}.json").write_text(json.dumps({"day": text, "pages": pages}))
    return state_dir


def shown(state_dir: Path, *words: str) -> str:
    config = state_dir / "config.yaml"
    config.write_text(json.dumps({"state_dir": str(state_dir)}))
    done = CliRunner().invoke(app, ["counts", *words, "--config", str(config)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_it_shows_whole_days_and_no_small_number(tmp_path: Path) -> None:
    written(tmp_path, {0: {"XX-1": 500}, 1: {"XX-1": 10, "XX-2": 9}, 2: {"XX-1": 3, "XX-3": 1234}, 8: {"XX-1": 77}})
    text = shown(tmp_path)
    assert [line.split() for line in text.splitlines()[2:4]] == [
        ["XX-1", *[FEW] * 6, "10"],
        ["XX-3", *[FEW] * 5, "1234", FEW],
    ]
    assert text.splitlines()[-1] == "Every other order: <10 on each of these days."
    found: dict[str, Any] = json.loads(shown(tmp_path, "--days", "2", "--json"))
    assert found["days"] == [counts.text_of(TODAY - 2), counts.text_of(TODAY - 1)]
    assert (found["orders"]["XX-1"], found["others"]) == ({found["days"][0]: FEW, found["days"][1]: 10}, FEW)
    assert "500" not in text, "today is not over"


def test_without_counts_it_does_not_even_say_whether_there_was_nobody(tmp_path: Path) -> None:
    none = shown(tmp_path)
    assert none.startswith("Pages shown, by order and day (UTC).\nEvery order: <10 on each of these days")
    assert shown(written(tmp_path, {1: {"XX-1": 9}, 3: {"XX-2": 1}})) == none


@given(st.dictionaries(st.integers(1, 5), st.dictionaries(st.sampled_from(["XX-1", "XX-2", "XX-3"]), st.integers(1, 30)), max_size=5))
def test_small_counts_make_no_difference(tmp_path_factory: pytest.TempPathFactory, days: dict[int, dict[str, int]]) -> None:
    """What is shown is the same whatever the counts below LEAST are: so nothing of them can be reckoned from it."""
    without = {ago: {reference: count for reference, count in pages.items() if count >= LEAST} for ago, pages in days.items()}
    looked_at = list(range(TODAY - 5, TODAY))
    first, second = (table(written(tmp_path_factory.mktemp("state"), each), looked_at) for each in (days, without))
    assert first == second
