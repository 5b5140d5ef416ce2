"""The clock is set a year forward, an hour back, to and fro: no order begins or ends by that, nothing is lost, all is well when it is right again.

Real processes; libfaketime moves CLOCK_REALTIME alone, as setting the clock does: what runs on the monotonic clocks is not touched.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blocklists.agreed import Timekeeper, keep
from tests.blocklists.lists import order, withdrawal
from tests.faults.rig import ELSEWHERE, LANDING, SITE, Installation, Load, verdict
from tests.tools import require, wait_for

YEAR, HOUR = 365 * 86400, 3600
EXPECTED = {
    "listed.example": "NXDOMAIN",
    "ends.example": LANDING,
    "begun.example": LANDING,
    "later.example": ELSEWHERE,
    "ended.example": ELSEWHERE,
    "free.example": ELSEWHERE,
}


class Clock:
    """The clock that Red Hand's processes see, in seconds from the right one."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.set(0)
        require("faketime")
        shown = subprocess.run(["faketime", "-f", "+0", "printenv", "LD_PRELOAD"], check=True, capture_output=True, text=True).stdout
        self.environment = {
            "PYTHONPATH": SITE,
            "LD_PRELOAD": shown.strip(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, seconds: int) -> None:
        """From now on."""
        temporary = self._file.with_suffix(".new")
        temporary.write_text(f"{seconds:+d}\n")
        temporary.rename(self._file)


def times(starts: timedelta, ends: timedelta, text: str) -> str:
    """The order with other terms, from now."""
    now = datetime.now(UTC)
    shown = [f"{now + each:%Y-%m-%dT%H:%M:%SZ}" for each in (starts, ends)]
    return text.replace("2026-01-03T00:00:00Z", shown[0]).replace("2098-06-01T00:00:00Z", shown[1])


@pytest.fixture
def house(tmp_path: Path) -> Installation:
    """Orders that a clock wrong by a year, or an hour, would begin or end."""
    house = Installation(tmp_path)
    minutes, days = timedelta(minutes=1), timedelta(days=1)
    house.order("a", times(-30 * days, 180 * days, order("FR-ENDS", "ends.example")))
    house.order("b", times(30 * days, 900 * days, order("FR-LATER", "later.example")))
    house.order("c", times(-30 * minutes, 180 * days, order("FR-BEGUN", "begun.example")))
    house.order("d", times(-30 * days, -30 * minutes, order("FR-ENDED", "ended.example")))
    house.order("e", order("FR-LIFTED", "lifted.example"))
    return house


@pytest.mark.parametrize("jump", [YEAR, -HOUR], ids=["a year forward", "an hour back"])
def test_a_clock_that_is_set_wrong_begins_and_ends_nothing(jump: int, house: Installation, tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    with house.running(**clock.environment) as process:
        house.until("begun.example", LANDING)
        load = Load(house.dns, EXPECTED)
        asked = time.monotonic()
        kept = house.ask("kept.example")
        clock.set(jump)
        named = max(house.alarm("clock"), house.alarm("clock", "worker-0"), house.alarm("clock", "worker-1"))
        # A new list is built by the agreed time, and what is withdrawn is lifted.
        house.order("f", withdrawal("FR-LIFTED"))
        house.write_list("listed.example", "new.example")
        house.until("new.example", "NXDOMAIN")
        house.until("lifted.example", ELSEWHERE)
        # What is kept ages by the seconds that pass.
        again = house.ask("kept.example")
        wait_for(lambda: len(load.sent) > 1000, "a few seconds of load")
        passed = time.monotonic() - asked
        assert 0 <= kept.answer[0].ttl - again.answer[0].ttl <= passed + 1
        load_words = load.finish()
        # One started meanwhile does not believe the clock either.
        before = house.worker_pids(process.pid)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not set(house.worker_pids(process.pid)) & set(before), "two other workers")
        for name, expected in EXPECTED.items():
            house.until(name, expected)
        clock.set(0)
        right = time.monotonic()
        for source in ("supervisor", "worker-0", "worker-1"):
            house.over("clock", source)
        recovered = time.monotonic() - right
        for name, expected in EXPECTED.items():
            assert verdict(house.ask(name)) == expected
        print(f"clock set by {jump} s: alarm after {named:.1f} s, {load_words}, over {recovered:.1f} s after it was right")


def test_a_clock_that_steps_to_and_fro_is_one_alarm(house: Installation, tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    stop = threading.Event()

    def step() -> None:
        seconds = 0
        while not stop.wait(1):
            seconds = 600 - seconds
            clock.set(seconds)
        clock.set(0)

    with house.running(**clock.environment):
        house.until("begun.example", LANDING)
        load = Load(house.dns, EXPECTED)
        thread = threading.Thread(target=step)
        thread.start()
        try:
            house.alarm("clock")
            house.write_list("listed.example", "new.example")
            house.until("new.example", "NXDOMAIN")
            assert not stop.wait(3)
        finally:
            stop.set()
            thread.join()
        house.over("clock")
        words = load.finish()
        assert house.log.count("ALARM clock (supervisor):") == 1
        print(f"clock stepping by 600 s every second: {words}")


def test_a_start_with_a_clock_before_what_is_known_to_have_passed(house: Installation, tmp_path: Path) -> None:
    """The floor that the last run left: time has come that far, whatever the clock says now."""
    clock = Clock(tmp_path)
    with house.running(**clock.environment):
        house.until("begun.example", LANDING)
    floor = (house.state / "trust" / "floor").read_text()
    assert abs(int(floor) - time.time()) < 60
    clock.set(-86400)
    with house.running(**clock.environment):
        house.alarm("clock")
        for name, expected in EXPECTED.items():
            house.until(name, expected)
        clock.set(0)
        house.over("clock")


def test_agreed_time_passes_from_process_to_process_and_the_floor_from_run_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = time.time()
    first = Timekeeper(tmp_path)
    assert abs(first.now() - wall) < 2
    keep(tmp_path, first.record())
    monkeypatch.setattr("blocklists.agreed.time.time", lambda: wall + YEAR)
    second = Timekeeper(tmp_path)
    assert abs(second.now() - wall) < 3
    assert second.jumped
    assert first.now() == second.now()
    keep(tmp_path, first.record(final=True))
    after = Timekeeper(tmp_path)
    assert abs(after.now() - wall - YEAR) < 2
    assert not after.jumped, "a person started it with this clock"
    monkeypatch.setattr("blocklists.agreed.time.time", lambda: wall - YEAR)
    early = Timekeeper(tmp_path)
    assert abs(early.now() - wall) < 3
    assert early.jumped


@pytest.mark.parametrize("content", [b"", b"x", b"123", b"123 4.5\n", b"99999999999999\n", b"\xff\n", b"1800000000 1.0 not-a-boot\n"])
def test_a_floor_that_is_not_what_was_written_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trust" / "floor"
    path.parent.mkdir()
    path.write_bytes(content)
    found = Timekeeper(tmp_path)
    assert abs(found.now() - time.time()) < 2
    assert not found.jumped


def test_the_agreement_of_another_boot_is_a_floor_only(tmp_path: Path) -> None:
    path = tmp_path / "trust" / "floor"
    path.parent.mkdir()
    path.write_text(f"{int(time.time()) - YEAR} 1.000000 {'0' * 8}-0000-0000-0000-{'0' * 12}\n")
    found = Timekeeper(tmp_path)
    assert abs(found.now() - time.time()) < 2
    assert not found.jumped
