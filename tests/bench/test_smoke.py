"""One tiny row from end to end, against a peer that is installed: real servers, real load."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench import data, latency, machine, million, rows, scaling, servers

PEER = next((kind for kind in servers.PEERS if kind.installed and kind.name in {"dnsdist", "Unbound"}), None)
TOOLS = all(machine.find_program(tool) for tool in ("dnsperf", "nsd"))
CORES = {machine.SERVER_CORE, machine.GENERATOR_CORE} <= os.sched_getaffinity(0)

pytestmark = pytest.mark.skipif(PEER is None or not TOOLS or not CORES, reason="needs two cores, dnsperf, nsd, and dnsdist or unbound")


@pytest.fixture
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists and zone small enough for a second."""
    for name, value in (("LISTED", 200), ("MILLION", 2_000), ("SMALL", 100), ("ZIPF_NAMES", 100)):
        monkeypatch.setattr(data, name, value)
    monkeypatch.setattr(rows, "CEILING_QPS", 20_000)
    monkeypatch.setattr(rows, "FORWARDED_CEILING_QPS", 20_000)
    monkeypatch.setattr(million, "TOUCHES", 200)
    monkeypatch.setattr(servers, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(million, "QUIET_SECONDS", 1)
    monkeypatch.setattr(million, "AFTER_SECONDS", 1)
    for name, value in (("PROBE_QPS", 200), ("SWAP_EVERY", 0.5), ("BEFORE", 1.0), ("DOWN", 2.0), ("AFTER", 1.0), ("LEAD", 0.5), ("OUTSTANDING", 500)):
        monkeypatch.setattr(latency, name, value)
    for name, value in (("HALF_TIMES", 1), ("SWAP_TIMES", 1)):
        monkeypatch.setattr(latency, name, value)


@pytest.mark.usefixtures("small_data")
@pytest.mark.parametrize("key", ["cookie", "mix"])
def test_a_row_gives_figures_and_right_answers(tmp_path: Path, key: str) -> None:
    assert PEER is not None
    row = next(row for row in rows.ROWS if row.key == key)
    said: list[str] = []
    result = rows.measure(row, [PEER], rows.Run(tmp_path, 1, 1, said.append))
    assert result.failed == {}
    (figure,) = result.figures
    assert figure.cpu_us > 0
    assert figure.completed > 1_000
    assert figure.wrong == 0
    assert len(said) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small_data")
def test_a_swap_is_seen_to_come_into_force(tmp_path: Path) -> None:
    assert PEER is not None
    result = million.measure([PEER], rows.Run(tmp_path, 1, 1, lambda _: None), memory=True, swap=True)
    assert result.failed == {}
    assert result.memories[0].pss > 0
    assert result.swaps[0].in_force_seconds > 0
    assert result.swaps[0].wrong == 0


@pytest.mark.usefixtures("small_data")
@pytest.mark.parametrize(("key", "phases"), [("half", {""}), ("half-swap", {""}), ("half-failure", {"before", "during", "after"})])
def test_a_row_of_latency_gives_times_for_every_phase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, phases: set[str]) -> None:
    assert PEER is not None
    monkeypatch.setattr(latency, "SHARE", 0.05)
    (result,) = latency.measure([key], [PEER], rows.Run(tmp_path, 1, 1, lambda _: None), None)
    assert result.failed == {}
    (figure,) = result.figures
    assert set(figure.phases) == phases
    for times in figure.phases.values():
        assert len(times.seconds) > 20  # of 200; a prober that other programs keep from its core sends fewer (33, seen once)
        assert times.wrong == 0
        assert 0 < times.at(0.5) < 1
    assert bool(figure.swaps) == (key == "half-swap")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small_data")
def test_two_workers_both_work_and_their_shares_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "LISTED", 200)
    monkeypatch.setattr(scaling, "PACE", 0.1)
    monkeypatch.setattr(scaling, "KEPT", 0.0)
    result = scaling.measure(rows.Run(tmp_path, 1, 1, lambda _: None))
    assert result.failed == ""
    (pair,) = result.pairs
    assert [len(loaded.shares) for loaded in pair.paced] == [1, 1, 2]
    assert min(pair.full[1].shares) > 0.1
    assert result.capacity is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small_data")
def test_a_server_that_blocks_nothing_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PEER is not None
    monkeypatch.setattr(servers, "START_LIMIT", 2.0)
    unfit = replace(PEER, form=lambda _names, serial: PEER.form(["other.example"], serial))
    result = rows.measure(rows.ROWS[0], [unfit], rows.Run(tmp_path, 1, 1, lambda _: None))
    assert result.figures == []
    assert "did not block" in result.failed[PEER.name]
