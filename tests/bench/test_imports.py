"""The bench of imports: at a thousand lines, what came of them is checked and its record says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_small_file_is_imported_and_its_record_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.imports", "--lines", "1000", "--out", str(tmp_path / "record")]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    found = json.loads((tmp_path / "record" / "result.json").read_text())
    assert (found["database"], found["counts"]) == ("SQLite", {"taken": 950, "joined": 30, "again": 10, "bad": 10})
    assert found["seconds"] >= found["first_tenth"] > 0
    assert (tmp_path / "record" / "table.md").read_text() in run.stdout
