"""The feed's measurement itself works, small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_small_feed_is_measured_checked_and_recorded(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.sync", "--orders", "300", "--out", str(tmp_path / "record")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "record" / "result.json").read_text())
    assert result["orders"] == 300
    assert [look["title"] for look in result["looks"]] == ["first look", "started again, nothing new"]
    assert result["looks"][0]["octets"] > 300 * 1000 > result["looks"][1]["octets"] > 0
    assert all(result["kept"].values())
    assert "| first look |" in (tmp_path / "record" / "table.md").read_text()
