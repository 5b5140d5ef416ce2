"""A worker that lives and does nothing is noticed and replaced; one that beats, or a supervisor that stood still itself, is no reason to kill."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil

from redhand.hangs import HANGS_SECONDS, LATE_SECONDS, LOOK_SECONDS, Hangs
from tests.faults.rig import SITE
from tests.redhand.house import RIGHT, house
from tests.resolver.servers import Scripted, ask, data, says
from tests.tools import DEADLINE, wait_for


def looks(hangs: Hangs[str], begin: float, seconds: float, *beats: tuple[str, int]) -> list[tuple[float, list[str]]]:
    """Looks at the usual pace: those at which somebody hung, and when."""
    times = [begin + LOOK_SECONDS * number for number in range(1 + int(seconds / LOOK_SECONDS))]
    return [(at, found) for at in times if (found := hangs.look(at, beats))]


def test_a_beat_that_stands_still_for_five_seconds_hangs() -> None:
    hangs: Hangs[str] = Hangs()
    assert looks(hangs, 0, HANGS_SECONDS - LOOK_SECONDS, ("a", 7), ("b", 9)) == []
    assert hangs.look(HANGS_SECONDS, [("a", 8), ("b", 9)]) == ["b"]
    assert looks(hangs, HANGS_SECONDS + LOOK_SECONDS, HANGS_SECONDS - 2 * LOOK_SECONDS, ("a", 8)) == []


def test_before_its_first_beat_and_as_another_process_none_hangs() -> None:
    hangs: Hangs[str] = Hangs()
    assert looks(hangs, 0, 3 * HANGS_SECONDS, ("starting", 0)) == []
    assert looks(hangs, 20, HANGS_SECONDS - LOOK_SECONDS, ("first", 3)) == []
    assert looks(hangs, 20 + HANGS_SECONDS, HANGS_SECONDS - LOOK_SECONDS, ("second", 3)) == []


def test_time_in_which_nobody_looked_counts_against_nobody() -> None:
    hangs: Hangs[str] = Hangs()
    assert [found for number in range(20) if (found := hangs.look(number * LATE_SECONDS, [("a", 7)]))] == []
    assert hangs.look(1000, [("a", 7)]) == []


def test_a_worker_stopped_as_soon_as_it_is_ready_is_replaced_and_the_alarm_says_so(tmp_path: Path) -> None:
    only_the_first = tmp_path / "served"
    how = {"environment": {"PYTHONPATH": SITE, "STOPS_WHEN_READY": str(only_the_first)}}
    with Scripted(says(f"A {RIGHT}")) as upstream, house(tmp_path, upstream, workers=1, how=how) as running:
        at = time.monotonic()
        only_the_first.touch()
        stopped = running.pid("worker-0")
        wait_for(lambda: psutil.Process(stopped).status() == psutil.STATUS_STOPPED, "it to be stopped")
        alarm = wait_for(lambda: running.report()["alarms"], "the alarm", HANGS_SECONDS + DEADLINE)[0]
        wait_for(lambda: running.pid("worker-0") not in (0, stopped), "a successor")
        assert data(ask(running.port, "open.example")) == [f"A {RIGHT}"]
        print(f"a stopped worker's successor answered after {time.monotonic() - at:.1f} s")
        assert (alarm["name"], alarm["source"]) == ("worker-0 hangs", "supervisor")
        assert running.child("worker-0")["last_end"] == "killed by SIGKILL"


def test_a_machine_that_stood_still_kills_no_worker(tmp_path: Path) -> None:
    with Scripted(says(f"A {RIGHT}")) as upstream, house(tmp_path, upstream) as running:
        wait_for(running.standby, "the standby")
        before = [running.pid(f"worker-{number}") for number in range(2)]
        everyone = [running.process.pid, *before]
        for process in everyone:
            os.kill(process, signal.SIGSTOP)
        time.sleep(HANGS_SECONDS + 2 * LATE_SECONDS)  # nothing of it runs that could be waited for
        for process in everyone:  # the supervisor first: it looks before any worker has beaten
            os.kill(process, signal.SIGCONT)
        seen = running.report()
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "nothing changed" in running.said(), "the supervisor to be awake")
        wait_for(lambda: data(ask(running.port, "open.example")) == [f"A {RIGHT}"], "an answer")
        assert [running.pid(f"worker-{number}") for number in range(2)] == before
        assert seen["alarms"] == running.report()["alarms"] == []
