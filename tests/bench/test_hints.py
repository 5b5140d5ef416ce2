"""The measurement of hints: it measures, in small."""

from __future__ import annotations

from pathlib import Path

from bench.hints import measure


def test_a_few_subscribers(tmp_path: Path) -> None:
    found = measure(tmp_path, 10, 2)
    assert (found.subscribers, found.rounds) == (10, 2)
    assert 0 < found.first_median <= found.last_median <= found.last_slowest
    assert found.server_octets > 1_000_000
