"""Figures become ratios, ratios become verdicts, within one round and against one peer."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import report
from bench.million import Memory, Million, Swap
from bench.rows import ROWS, Figure, Result
from bench.servers import PEERS

HIT = next(row for row in ROWS if row.key == "hit")


def figure(server: str, number: int, cpu_us: float) -> Figure:
    """One load with a cost of our choosing."""
    return Figure(server, number, cpu_us, 100_000.0, 0.9, 0.05, 400_000, 399_990, 10, 0, 1.0, 9.0)


def result(ours: list[float], peers: list[float]) -> Result:
    """A row with these costs, a round each."""
    figures = [figure("Red Hand", number, cost) for number, cost in enumerate(ours)]
    return Result(HIT, figures + [figure("dnsdist", number, cost) for number, cost in enumerate(peers)], {})


def million(lost: int = 0, more: int = 9_000_000) -> Million:
    """Two rounds with a million names; queries are lost in the second swap."""
    memories = [Memory("Red Hand", number, 5.0, 0.15, 0.1, 70_000_000 + more, 70_000_000) for number in range(2)]
    swaps = [Swap("Red Hand", number, 20_000, lost * number, 0, 4.0 + number, 3.0, 6.0) for number in range(2)]
    return Million(memories, swaps)


def test_a_ratio_is_taken_within_a_round() -> None:
    assert result([4.0, 8.0, 6.0], [4.0, 8.0, 5.0]).ratios() == [1.0, 1.0, 1.2]


def test_a_round_without_the_peer_gives_no_ratio() -> None:
    assert result([4.0, 8.0], [4.0]).ratios() == [1.0]


@pytest.mark.parametrize(("ours", "passed"), [([4.0, 5.4, 9.0], True), ([4.0, 5.5, 5.6], False)])
def test_the_median_ratio_is_held_against_the_target(ours: list[float], passed: bool) -> None:
    assert result(ours, [4.0, 4.0, 4.0]).passed() is passed


def test_what_was_not_measured_neither_passes_nor_fails() -> None:
    assert result([], [4.0]).passed() is None
    assert report.verdict(None) == "not measured"


def test_one_lost_query_in_any_swap_fails_the_promise() -> None:
    assert million().verdicts()["swap_lost"] == (0, 0, True)
    assert million(lost=1).verdicts()["swap_lost"] == (1, 0, False)


def test_the_slowest_answer_of_any_swap_counts() -> None:
    assert million().verdicts()["swap_slowest_ms"] == (5.0, 10.0, True)


def test_memory_is_the_difference_to_the_small_list() -> None:
    assert million().verdicts()["more_memory_bytes"] == (9_000_000, 30e6, True)
    assert not million(more=31_000_000).verdicts()["more_memory_bytes"][2]


def test_every_row_is_held_against_a_peer_that_exists() -> None:
    assert {row.against for row in ROWS} <= {kind.name for kind in PEERS}


def test_a_record_holds_every_figure_and_a_drawing(tmp_path: Path) -> None:
    facts: dict[str, str | int] = {"processor": "A <fast> one", "cores": 2, "kernel": "Linux 6", "python": "3.11.2", "revision": "abc"}
    versions = {"Red Hand": "0.1.0", "dnsdist": "1.7.3", "NSD": "4.6.1", "dnsperf": "2.10.0"}
    outcome = report.Outcome(date(2026, 11, 21), facts, versions, 2, 4.0, [result([5.0, 6.0], [4.0, 4.0])], million())
    folder = report.write(outcome, tmp_path / "record")
    stored = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    table = (folder / "table.md").read_text(encoding="utf-8")
    drawing = ElementTree.parse(folder / "chart.svg").getroot()
    words = [element.text for element in drawing.iter() if element.text]
    assert [entry["cpu_us"] for entry in stored["rows"][0]["figures"]] == [5.0, 6.0, 4.0, 4.0]
    assert (stored["rows"][0]["ratios"], stored["rows"][0]["passed"]) == ([1.25, 1.5], False)
    assert stored["million"]["verdicts"]["build_seconds"]["passed"] is True
    assert f"| hit, 1,000 names | 1.38 (1.25 to 1.50) | at most 1.35 {report.TIMES} dnsdist | MISS |" in table
    assert "hit, 1,000 names" in words
    assert any("A <fast> one" in word for word in words)


def test_a_record_says_when_other_programs_were_at_work() -> None:
    quiet = result([4.0, 4.0], [4.0, 4.0])
    loud = Result(HIT, [replace(figure, others=1.1) if figure.round else figure for figure in quiet.figures], {})
    outcome = report.Outcome(date(2026, 11, 21), {}, {}, 2, 4.0, [quiet], None)
    assert report.noise(outcome) == ""
    assert "in 2 of 4 loads" in report.noise(replace(outcome, results=[loud]))
    assert "at worst 110%" in report.noise(replace(outcome, results=[loud]))


def test_records_of_one_day_stand_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RECORD", tmp_path)
    outcome = report.Outcome(date(2026, 11, 21), {"processor": "", "cores": 2, "kernel": "", "python": "", "revision": ""}, {}, 1, 1.0, [], None)
    assert [report.write(outcome, None).name for _ in range(3)] == ["2026-11-21", "2026-11-21-2", "2026-11-21-3"]
