"""What percentiles are taken from: a lost query is the slowest, a failure parts the probes, and p99 is back when it stays back."""

import json
import math
import random
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import report
from bench.latencies import LatencyResult, Timed, Times, back_after, phases_of_failure, quantile
from bench.prober import Probe
from bench.scaling import Loaded, Pair, Scaling

FACTS: dict[str, str | int] = {"processor": "A <fast> one", "cores": 2, "kernel": "Linux 6", "python": "3.11.2", "revision": "abc"}


def probe(at: float, seconds: float | None = 0.001) -> Probe:
    """A query at a moment, answered after so long or never."""
    return Probe(at, seconds, 0.00002, False)


def timed(number: int, seconds: list[float | None], phase: str = "", back: float | None = None) -> Timed:
    """One load on Red Hand with these answers."""
    phases = {phase: Times.of(probe(float(at), each) for at, each in enumerate(seconds))}
    return Timed("Red Hand", number, 100_000.0, 50_000.0, 0.4, 200_000, 0, True, phases, back=back)


def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed() -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    values = sorted(rng.expovariate(1) for _ in range(rng.randrange(1, 500)))
    for share in (0.001, 0.5, 0.99, 0.999, 1.0):
        found = quantile(values, share)
        assert sum(value <= found for value in values) >= share * len(values), f"seed {seed}"
        assert sum(value < found for value in values) < share * len(values), f"seed {seed}"


def test_a_lost_query_is_the_slowest_and_no_gap() -> None:
    times = Times.of([probe(0.0, 0.001)] * 997 + [probe(0.0, None)] * 3)
    assert times.lost == 3
    assert (times.at(0.5), times.at(0.99), times.at(0.999)) == (0.001, 0.001, math.inf)
    assert times.as_json()["p99.9_ms"] is None
    assert times.as_json()["slowest_ms"] == 1.0


def test_rounds_are_joined_before_percentiles_are_taken() -> None:
    result = LatencyResult("half", "latency", "", [timed(0, [0.001] * 99), timed(1, [0.002] * 901)])
    assert result.times("Red Hand", "").at(0.5) == 0.002
    assert result.as_json()["together"]["Red Hand"][""]["probes"] == 1_000


def test_a_failure_parts_the_probes_and_its_first_victims_are_not_before_it() -> None:
    probes = [probe(9.0), probe(9.99, None), probe(10.0), probe(15.9, None), probe(16.0)]
    phases = phases_of_failure(probes, 10.0, 16.0)
    assert [(phase, len(times.seconds), times.lost) for phase, times in phases.items()] == [("before", 1, 0), ("during", 3, 2), ("after", 1, 0)]


def failing(slow_until: float, relapse: float = 0.0) -> list[Probe]:
    """1,000 probes a second, an upstream that fails from 2 s to 8 s, answers slow until so long after that and once more at the relapse."""
    moments = [number / 1_000 for number in range(11_000)]
    return [probe(at, 0.4 if 2.0 <= at < 2.0 + slow_until or (relapse and relapse <= at < relapse + 0.1) else 0.001) for at in moments]


@pytest.mark.parametrize(("slow_until", "relapse", "back"), [(0.0, 0.0, 0.0), (0.6, 0.0, 0.75), (0.6, 3.0, 1.25), (6.0, 0.0, None)])
def test_p99_is_back_when_it_stays_back_for_a_second(slow_until: float, relapse: float, back: float | None) -> None:
    assert back_after(failing(slow_until, relapse), 2.0, 8.0) == back


def scaled(one_us: float, two_us: float, shares: tuple[float, float]) -> Scaling:
    """One round of two workers with these costs."""
    one, two = Loaded(45_000.0, one_us, (1.0,), 0), Loaded(90_000.0, two_us, shares, 0)
    return Scaling([Pair(0, (one, two), (one, one, two))])


@pytest.mark.parametrize(
    ("one_us", "two_us", "shares", "capacity"),
    [(6.0, 6.0, (0.5, 0.5), 2.0), (6.0, 7.5, (0.5, 0.5), 1.6), (6.0, 6.0, (0.6, 0.4), 2 / 1.2)],
)
def test_workers_that_cost_each_other_time_or_share_unevenly_carry_less(
    one_us: float, two_us: float, shares: tuple[float, float], capacity: float
) -> None:
    found = scaled(one_us, two_us, shares)
    assert found.capacity == pytest.approx(capacity)
    assert found.passed() is (capacity >= 1.7)


def test_two_workers_that_were_not_measured_neither_pass_nor_fail() -> None:
    assert Scaling(failed="no").passed() is None


def test_a_record_of_latencies_says_how_they_were_taken_and_what_was_lost(tmp_path: Path) -> None:
    waits = [
        LatencyResult("half", "latency at half", "the mix", [timed(0, [0.001] * 900 + [0.02] * 100)]),
        LatencyResult("half-failure", "latency while an upstream hangs", "", [timed(0, [0.001, None], "during", 0.75)], {"dnsdist": "it ended"}),
    ]
    outcome = report.Outcome(date(2026, 11, 21), FACTS, {"Red Hand": "0.1.0"}, 1, 2.0, [], None, waits, scaled(6.0, 6.0, (0.6, 0.4)))
    folder = report.write(outcome, tmp_path / "record")
    stored = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    table = (folder / "table.md").read_text(encoding="utf-8")
    words = [element.text for element in ElementTree.parse(folder / "latency.svg").getroot().iter() if element.text]
    assert stored["latency"]["rows"][0]["together"]["Red Hand"][""]["p99_ms"] == 20.0
    assert stored["two_workers"]["passed"] is False
    assert "| Red Hand | 50k/s | 40% | 1 ms | 20 ms | 20 ms | 20 ms | 0 of 1,000 | 0 |" in table
    assert "| during | Red Hand | 50k/s | 40% | 1 ms | lost | lost | 1 ms | 1 of 2 | 0 | 0.75 s |" in table
    assert "| 1.67 | at least 1.7 | MISS |" in table
    assert "late by 20 µs in half of them" in table
    assert "- latency while an upstream hangs, dnsdist: it ended" in table
    assert not (folder / "chart.svg").exists()
    assert {"latency at half", "latency while an upstream hangs: during", "lost", "1 ms"} <= set(words)
