"""The log's figures: measured on a small one, judged and written down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_small_log_is_measured_and_its_record_says_so(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench.log", "--leaves", "10000", "--out", str(tmp_path / "record")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = json.loads((tmp_path / "record" / "result.json").read_text())
    assert found["leaves"] == 10_000
    judged = {figure["title"]: (figure["most"], figure["met"]) for figure in found["figures"] if figure["most"] is not None}
    assert {title: most for title, (most, _) in judged.items()} == {
        "inclusion proof": 5,
        "consistency proof": 5,
        "verify inclusion": 1,
        "verify consistency": 1,
        "append 1,000 entries": 1_000,
    }
    assert run.returncode == (0 if all(met for _, met in judged.values()) else 1), run.stderr
    assert (tmp_path / "record" / "table.md").read_text() in run.stdout
