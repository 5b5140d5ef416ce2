"""What serves comes to a new version at once, and reads of it only what is new."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blocklists import readers, store
from blocklists.alarms import Alarms
from blocklists.follower import Follower
from blocklists.inotify import Arrivals
from blocklists.orders import OrderLines
from resolver import following
from resolver.following import Following
from tests.blocklists.lists import House, blocked
from tests.blocklists.test_orders import KEEP, Log
from tests.tools import wait_for

LARGE = 60_000


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A list that is read in many pieces."""
    house = House(tmp_path, keep_versions=KEEP)
    house.source("own", "domains")
    house.write("own", "".join(f"n{number}.example\n" for number in range(LARGE)))
    house.build()
    return house


def test_a_follower_reads_of_a_version_only_what_the_last_one_had_not(house: House) -> None:
    pieces = 0

    def rest() -> None:
        nonlocal pieces
        pieces += 1

    follower = Follower(house.state)
    first = follower.load(rest)
    of_all, pieces = pieces, 0
    log = Log()
    log.block("XX-1", "a.example")
    lines = OrderLines(house.state, KEEP)
    lines.put_in_force(log.facts, log)
    second = follower.load(rest)
    assert second.index.base.trie is first.index.base.trie
    assert pieces <= 6 < of_all, "one of each file that is not the same"
    assert blocked(second, "a.example", "n7.example") == ["a.example", "n7.example"]
    assert blocked(first, "a.example", "n7.example") == ["n7.example"], "who still has the other one has it whole"
    # The file on disk is another one by now: what is in memory is not.
    path = second.directory / store.TRIE
    path.unlink()
    path.write_bytes(b"\0" * first.manifest["files"][store.TRIE]["size"])
    third = follower.load()
    assert blocked(third, "a.example", "n7.example") == ["a.example", "n7.example"]
    with pytest.raises(store.StoreError, match="is not what was written"):
        store.open_version(house.state, second.serial)


def test_what_is_linked_from_a_damaged_file_is_not_put_in_force(house: House) -> None:
    """A process that keeps a version open sees, before anybody is sent there, that the file it links is no more what it mapped."""
    log = Log()
    log.block("XX-1", "a.example")
    lines = OrderLines(house.state, KEEP)
    serial = lines.put_in_force(log.facts, log).serial
    path = house.state / f"versions/{serial}" / store.VALUES
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + bytes((content[-1] ^ 1,)))
    log.block("XX-2", "b.example")
    with pytest.raises(store.StoreError, match="is not what was written"):
        lines.put_in_force(log.facts, log)
    assert store.read_current(house.state)[0] == serial
    built = lines.put_in_force(log.facts, log)
    assert "version 1 stands in" in built.alarms[0]
    assert blocked(store.open_current(house.state), "a.example", "b.example", "n7.example") == ["a.example", "b.example", "n7.example"]


def test_a_new_version_is_heard_of_and_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LOOK_SECONDS", 60.0)
    log = Log()
    lines = OrderLines(house.state, KEEP)

    async def run() -> list[int]:
        follower = Follower(house.state)
        come: list[int] = []
        arrived = asyncio.Event()

        def switch(version: store.Version) -> None:
            come.append(version.serial)
            arrived.set()

        async def beside(work: Callable[..., Any], *arguments: object) -> Any:
            return await asyncio.to_thread(work, *arguments)

        follows = Following(follower, "worker-0", follower.load(), switch, beside, Alarms(lambda _: None))
        task = asyncio.create_task(follows.follow())
        await follows.first_look(20)
        for number in range(3):
            log.block(f"XX-{number}", "a.example")
            arrived.clear()
            built = await asyncio.to_thread(lines.put_in_force, log.facts, log)
            await asyncio.wait_for(arrived.wait(), 20)
            assert come[-1] == built.serial
            found = await asyncio.to_thread(readers.wait_for_readers, house.state, built.serial, 20.0)
            assert found == {"worker-0": built.serial}
        before = len(os.listdir("/proc/self/fd"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(os.listdir("/proc/self/fd")) == before - 1, "nothing is listened to any more"
        return come

    assert asyncio.run(run()) == [2, 3, 4]


def test_arrivals_are_named_and_others_are_none(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path)
    assert arrivals.descriptor >= 0
    assert arrivals.names() == set()
    (tmp_path / "written").write_text("x")
    assert arrivals.names() == set()
    for name in ("current", "n" * 255, "é"):
        (tmp_path / "written").write_text("x")
        (tmp_path / "written").rename(tmp_path / name)
    assert arrivals.names() == {"current", "n" * 255, "é"}
    assert arrivals.names() == set()
    arrivals.close()
    nothing = Arrivals(tmp_path / "nowhere")
    assert nothing.descriptor == -1


def test_who_waits_for_readers_waits_for_all_of_them_and_not_for_ever(tmp_path: Path) -> None:
    assert readers.wait_for_readers(tmp_path, 7, 5.0) == {}
    readers.publish(tmp_path, "worker-0", 7)
    code = (
        "import sys, time; from pathlib import Path; from blocklists import readers; state = Path(sys.argv[1]);"
        "readers.publish(state, 'worker-1', 6); sys.stdin.readline(); readers.publish(state, 'worker-1', 8); sys.stdin.readline()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        wait_for(lambda: "worker-1" in readers.live(tmp_path), "the other reader")
        begun = time.monotonic()
        assert readers.wait_for_readers(tmp_path, 7, 0.1) == {"worker-0": 7, "worker-1": 6}
        assert time.monotonic() - begun >= 0.1
        threading.Timer(0.2, lambda: (other.stdin.write("\n"), other.stdin.flush())).start()
        assert readers.wait_for_readers(tmp_path, 7, 20.0) == {"worker-0": 7, "worker-1": 8}
        other.stdin.write("\n")
        other.stdin.flush()
        other.wait(20)
    assert readers.wait_for_readers(tmp_path, 8, 0.0) == {"worker-0": 7}
