"""Pages counted by order and day: what a kill, a full disk, a successor or a flood of orders leaves of the counts."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.alarms import Alarms
from blocklists.errors import DiskError
from landing import counts
from landing.counts import ALARM, KEPT_DAYS, MOST_DAYS, MOST_ORDERS, OTHER, Counts
from tests.landing.samples import order, put_in_force
from tests.landing.server import Landing
from tests.tools import DEADLINE, memory

DEAF = Alarms(lambda _: True)
DAY = counts.day_of(1_795_000_000)


def noted(state_dir: Path, *references: str, day: int = DAY) -> Counts:
    found = Counts(state_dir, DEAF)
    found.note(references, day)
    return found


def test_processes_one_after_another_add_up(tmp_path: Path) -> None:
    first, second = noted(tmp_path, "XX-1", "XX-2"), noted(tmp_path, "XX-1")
    second.close()
    first.close()
    first.close()
    assert counts.read(tmp_path, DAY) == {"XX-1": 2, "XX-2": 1}
    assert json.loads((tmp_path / "counts" / f"{counts.text_of(DAY)}.json").read_bytes()) == {
        "day": counts.text_of(DAY),
        "pages": {"XX-1": 2, "XX-2": 1},
    }


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.sampled_from("abc"), max_size=3), st.booleans()), max_size=30))
def test_what_is_noted_is_what_is_written_however_often_it_is_flushed(steps: list[tuple[int, list[str], bool]]) -> None:
    with TemporaryDirectory(dir=memory(1 << 26)) as directory:
        _check_written(Path(directory), steps)


def _check_written(state_dir: Path, steps: list[tuple[int, list[str], bool]]) -> None:
    found = Counts(state_dir, DEAF)
    expected: dict[int, dict[str, int]] = {}
    for day, references, flush in steps:
        found.note(references, DAY + day)
        for reference in references:
            expected.setdefault(day, {})[reference] = expected.get(day, {}).get(reference, 0) + 1
        if flush:
            taken = found.take()
            found.give_back(taken)
            found.close()
    found.close()
    assert {day: counts.read(state_dir, DAY + day) for day in expected} == expected


def _count_for_ever(state_dir: Path, told: int) -> None:
    found = Counts(state_dir, DEAF)
    while True:
        found.note(("XX-1",), DAY)
        found.write(found.take())
        os.write(told, b"x")


def test_killed_at_any_moment_the_file_is_whole_and_never_counts_too_much(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=_count_for_ever, args=(tmp_path, theirs))
    process.start()
    os.read(ours, 1)
    seen = 1
    while seen < 20:
        seen += len(os.read(ours, 64))
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    os.close(theirs)
    while rest := os.read(ours, 64):
        seen += len(rest)
    os.close(ours)
    assert counts.read(tmp_path, DAY)["XX-1"] in (seen, seen + 1)
    noted(tmp_path, "XX-1").close()
    assert not list((tmp_path / "counts").glob(".*.new")), "what the killed one left is gone"


def test_a_disk_that_refuses_loses_nothing_and_is_an_alarm(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []

    def hear(message: dict[str, Any]) -> bool:
        told.append(message)
        return True

    (tmp_path / "counts").write_text("a file where the directory should be")
    found = Counts(tmp_path, Alarms(hear))
    found.note(("XX-1",), DAY)
    with pytest.raises(DiskError, match="a file stands where a directory should"):
        found.write({DAY: {"XX-1": 1}})
    asyncio.run(found.flush())
    found.note(("XX-1",), DAY)
    assert told[-1]["alarm"]["name"] == ALARM
    (tmp_path / "counts").unlink()
    asyncio.run(found.flush())
    assert counts.read(tmp_path, DAY) == {"XX-1": 2}
    assert told[-1] == {"clear": ALARM}


def test_memory_and_files_are_bounded(tmp_path: Path) -> None:
    found = Counts(tmp_path, DEAF)
    found.note((f"XX-{number}" for number in range(MOST_ORDERS + 5)), DAY)
    for day in range(1, MOST_DAYS + 3):
        found.note(("XX-1",), DAY + day)
    assert len(found.take()) == MOST_DAYS
    for _ in range(2):
        found.note((f"XX-{number}" for number in range(MOST_ORDERS + 5)), DAY)
        found.close()
    pages = counts.read(tmp_path, DAY)
    assert (len(pages), pages[OTHER], sum(pages.values())) == (MOST_ORDERS + 1, 10, 2 * MOST_ORDERS + 10)


def test_old_days_go_and_a_wrong_clock_takes_none_with_it(tmp_path: Path) -> None:
    directory = tmp_path / "counts"
    directory.mkdir()
    for day in range(DAY - KEPT_DAYS - 3, DAY):
        (directory / f"{counts.text_of(day)}.json").write_text("{}")
    (directory / "notes.txt").write_text("the operator's own")
    noted(tmp_path, "XX-1", day=DAY + 4000).close()
    assert counts.days(tmp_path) == [*range(DAY - KEPT_DAYS + 1, DAY), DAY + 4000]
    assert (directory / "notes.txt").exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"pages": {"XX-1": "9"}}', '{"pages": {"XX-1": -1}}', '{"pages": {"XX-1": true}}', "\xff"])
def test_a_file_that_is_not_sound_is_put_aside(tmp_path: Path, text: str) -> None:
    directory = counts.prepare(tmp_path)
    path = directory / f"{counts.text_of(DAY)}.json"
    path.write_bytes(text.encode("latin-1"))
    assert counts.read(tmp_path, DAY) == {}
    noted(tmp_path, "XX-1").close()
    assert counts.read(tmp_path, DAY) == {"XX-1": 1}
    assert path.with_suffix(".unsound").read_bytes() == text.encode("latin-1")


# In the process -------------------------------------------------------------------------------------------------------------------------------------


def _today(state_dir: Path) -> dict[str, int]:
    return {reference: shown for day in counts.days(state_dir) for reference, shown in counts.read(state_dir, day).items()}


def test_the_page_counts_what_it_shows_and_nothing_else(tmp_path: Path) -> None:
    put_in_force(tmp_path, order("blocked.example"), order("www.blocked.example", id="XX-2026-000200"), own=("own.example",))
    with Landing(tmp_path) as landing:
        landing.wait_for("blocked.example", 451)
        for fields in ("", "Accept: application/problem+json\r\n", "Accept-Language: fr\r\n"):
            landing.ask("blocked.example", fields=fields)
        for dest in ("image", "script", "empty"):
            landing.ask("blocked.example", fields=f"Sec-Fetch-Dest: {dest}\r\n")
        landing.ask("www.blocked.example", "/path?secret=1")
        landing.ask("blocked.example", method="HEAD")
        for host in ("own.example", "unlisted.example", "127.0.0.1"):
            landing.ask(host)
        assert not counts.days(tmp_path), "nothing is on the disk before a minute is over"
    assert landing.process.returncode == 0
    assert _today(tmp_path) == {"XX-2026-000123": 5, "XX-2026-000200": 1}, "written at the end"


async def _kept(found: Counts, state_dir: Path) -> None:
    task = asyncio.create_task(found.keep())
    async with asyncio.timeout(DEADLINE):
        for number in range(1, 4):
            found.note(("XX-1",), DAY)
            while counts.read(state_dir, DAY).get("XX-1") != number:
                await asyncio.sleep(0.002)
    task.cancel()


def test_what_is_new_is_written_each_time_its_minute_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert counts.FLUSH_SECONDS == 60, "what a kill may cost"
    monkeypatch.setattr(counts, "FLUSH_SECONDS", 0.01)
    asyncio.run(_kept(Counts(tmp_path, DEAF), tmp_path))
