"""The measurement from signed to enforced itself works, small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_few_orders_are_measured_checked_and_recorded(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.enforce", "--names", "1000", "--orders", "2", "--out", str(tmp_path / "record")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    result = json.loads((tmp_path / "record" / "result.json").read_text())
    assert done.returncode == (0 if result["kept"] else 1), done.stdout + done.stderr  # how fast it is, a busy machine says nothing of
    assert (result["names"], result["rounds"]) == (1000, 2)
    for kind in ("order", "withdrawal"):
        assert 0 < result[kind]["p50_ms"] <= result[kind]["max_ms"]
        assert len(result[kind]["slowest_ms"]) == 2
        assert 1_000 < result[kind]["octets_median"] <= 20_000
    assert 0 < result["octets_a_look_without_news"] <= 1_000
    assert "signed until enforced" in (tmp_path / "record" / "table.md").read_text()
