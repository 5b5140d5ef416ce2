"""What `redhand lab up` prints is what a researcher types next: those very lines make a study of the lab."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from porosity.lab.internet import Internet
from porosity.lab.scenario import find

ROOT = Path(__file__).resolve().parents[3]


def typed(words: list[str], place: Path) -> str:
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(place), "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    command = [sys.executable, "-P", "-m", "redhand", *words]
    done = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_lines_that_are_printed_measure_the_lab(tmp_path: Path) -> None:
    said = typed(["lab", "up", "small"], tmp_path)
    try:
        lines = [shlex.split(line)[1:] for line in said.splitlines() if line.startswith("  redhand porosity ")]
        assert [line[1] for line in lines] == ["plan", "probe", "classify"]
        plan, probe, classify = lines
        made = json.loads(typed([*plan, "--vectors", "type-https", "--vectors", "name-cname", "--repeats", "1", "--json"], tmp_path))
        assert made["left_out"] == {}
        typed(probe, tmp_path)
        typed(classify, tmp_path)
        told = json.loads(typed(["porosity", "estimate", "study", "--json"], tmp_path))
        leaking = {each["resolver"]: each["leaking"] for each in told["headline"]}
        assert leaking == {"provider": ["name-cname", "type-https"], "tight": []}
    finally:
        typed(["lab", "down", "small"], tmp_path)


def test_a_study_may_be_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NSD and nginx read their configurations from directories of their own."""
    monkeypatch.chdir(tmp_path)
    lab = Internet(find("provider"), 1, Path("study/lab"))
    assert (lab.directory, lab.setting.directory) == (tmp_path / "study/lab",) * 2
    assert [each for each in vars(lab).values() if isinstance(each, Path) and not each.is_absolute()] == []
    assert lab.facts()["list"] == str(tmp_path / "study/lab/orders.yaml")
