"""The docket's figures: measured on a small log, judged and written down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_small_log_is_folded_and_its_record_says_so(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench.docket", "--orders", "100", "--names", "3", "--out", str(tmp_path / "record")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = json.loads((tmp_path / "record" / "result.json").read_text())
    assert (found["orders"], found["names"], found["stand"]) == (100, 3, 100)
    assert 0 < found["floor_seconds"] < found["fold_seconds"]
    assert run.returncode == (0 if found["kept"] else 1), run.stderr
    assert (tmp_path / "record" / "table.md").read_text() in run.stdout
