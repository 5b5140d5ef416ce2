"""Children at the edges: a successor that dies at once, a spare process that takes no job, no descriptor left. No process is left behind."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from pathlib import Path
from signal import SIGKILL
from typing import Any

import psutil
import pytest

from redhand.children import LEAVE_WITHIN, Child, Keeper, start
from redhand.control import pass_on
from redhand.launch import Started
from redhand.processes import Life
from redhand.reload import Change, Reloader
from tests.redhand.test_supervisor import child, lives
from tests.tools import DEADLINE

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


async def until(condition: Any, seconds: float = DEADLINE) -> None:
    """Waits in the loop until the condition is true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_successor_that_dies_while_the_one_before_delivers_is_replaced_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        keeper = Keeper(child("worker-0", tmp_path, ignore_term=True), lambda _: None)
        task = asyncio.create_task(keeper.keep())
        await until(lambda: keeper.state == "ready")
        replacing = asyncio.create_task(keeper.replace(child("worker-0", tmp_path, other=True)))
        await until(lambda: len(lives(tmp_path, "worker-0")) == 2 and keeper.life and keeper.life.pid == lives(tmp_path, "worker-0")[1])
        begun = time.monotonic()
        os.kill(lives(tmp_path, "worker-0")[1], SIGKILL)
        await until(lambda: len(lives(tmp_path, "worker-0")) == 3 and keeper.state == "ready", LEAVE_WITHIN - 1)
        assert not replacing.done(), "the first still delivers what it owes"
        assert time.monotonic() - begun < LEAVE_WITHIN - 1
        assert await replacing == ""
        assert keeper.restarts == 1
        keeper.stop()
        await task

    asyncio.run(scenario())


def test_a_spare_process_that_takes_no_job_is_ended_and_another_started() -> None:
    async def scenario() -> None:
        def nobody(*_: Any) -> None:
            pass

        spare = Life("standby", Started.waiting(SLEEP), nobody, nobody)
        while spare.tell({"do": "prepare"}):
            pass
        life = start(Child("worker-0", SLEEP, {"sockets": []}, by_channel=True), nobody, nobody, spare)
        assert life is not spare
        await asyncio.wait_for(spare.ended.wait(), DEADLINE)
        life.signal(SIGKILL)
        await life.ended.wait()

    asyncio.run(scenario())


def test_without_a_descriptor_to_watch_a_process_by_it_is_ended() -> None:
    async def scenario() -> None:
        started = Started.waiting(SLEEP)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                Life("worker-0", started, print, lambda *_: None)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert not psutil.pid_exists(started.process.pid)

    asyncio.run(scenario())


def test_fifty_deaths_leave_no_descriptor_and_no_process(tmp_path: Path) -> None:
    async def scenario() -> None:
        keeper = Keeper(child("worker-0", tmp_path), lambda _: None)
        task = asyncio.create_task(keeper.keep())
        await until(lambda: keeper.state == "ready")
        us = psutil.Process()
        found = []
        for number in range(50):
            keeper.patience.forgive()
            os.kill(lives(tmp_path, "worker-0")[-1], SIGKILL)
            keeper._wake.set()
            await until(lambda number=number: len(lives(tmp_path, "worker-0")) == number + 2 and keeper.state == "ready")  # type: ignore[misc]
            found.append((us.num_fds(), len(us.children())))
        assert found[-1] == found[0]
        keeper.stop()
        await task

    asyncio.run(scenario())


def test_a_stop_in_the_midst_of_a_reload_is_no_fault_of_the_settings(tmp_path: Path) -> None:
    async def scenario() -> None:
        said: list[str] = []
        keeper = Keeper(child("worker-0", tmp_path), said.append)
        task = asyncio.create_task(keeper.keep())
        await until(lambda: keeper.state == "ready")

        class Arranged:
            children = (child("worker-0", tmp_path, noise=["soon"], end=1),)

        reloader = Reloader(lambda: Change(Arranged, [], [], lambda: None), [keeper], lambda _: None, said.append, keeper.alarms)  # type: ignore[arg-type]
        reloading = asyncio.create_task(reloader.reload())
        await until(lambda: len(keeper.lives) == 2)
        keeper.stop()
        assert (await reloading).refused == "Red Hand is stopping"
        assert keeper.alarms._raised == {}
        await task

    asyncio.run(scenario())


def test_a_client_that_reads_no_dump_is_asked_for_no_second_one() -> None:
    async def scenario() -> None:
        async def send(_: bytes) -> None:
            raise TimeoutError

        reader, writer = os.pipe()
        os.write(writer, b"{}\n")
        with pytest.raises(TimeoutError):
            await pass_on(reader, send, DEADLINE)
        os.close(writer)

    asyncio.run(scenario())


@pytest.mark.parametrize("fails_again", [False, True])
def test_one_that_does_not_start_with_its_new_job_leaves_all_with_their_old(fails_again: bool, tmp_path: Path) -> None:
    """`fails_again`: the one before cannot be started with its old job either; then it serves on with the new, and that is said."""

    async def scenario() -> None:
        said: list[str] = []
        old = [child(name, tmp_path) for name in ("worker-0", "worker-1", "landing")]
        new = [
            child("worker-0", tmp_path, noise=["new"]),
            child("worker-1", tmp_path, noise=["out of memory"], end=3),
            child("landing", tmp_path, other=1),
        ]
        keepers = [Keeper(each, said.append) for each in old]
        tasks = [asyncio.create_task(keeper.keep()) for keeper in keepers]
        await until(lambda: all(keeper.state == "ready" for keeper in keepers))
        pids = [keeper.report()["pid"] for keeper in keepers]

        class Arranged:
            children = new

        def refuse(_: Any) -> None:
            raise AssertionError("what was not applied is not gone by")

        def broken(line: str) -> None:
            said.append(line)
            if fails_again and line.endswith("it serves on as before"):
                old[0].job["end"] = 4

        for keeper in keepers:
            keeper.say = broken
        reloader = Reloader(lambda: Change(Arranged, ["all"], [], lambda: refuse(0)), keepers, refuse, said.append, keepers[0].alarms)  # type: ignore[arg-type]
        refused = (await reloader.reload()).refused
        assert refused.startswith("worker-1 did not become ready with them (ended with exit code 3); see what it logged")
        assert said[-1] == f"settings not applied, those before stay in force: {refused}; mend that and reload again"
        assert "worker-1: out of memory" in said
        kept = "; worker-0 could not be given its old ones back (ended with exit code 4) and serves with the new"
        assert refused.endswith(kept) is fails_again
        assert (keepers[0].child == new[0]) is fails_again
        assert [keeper.child for keeper in keepers[1:]] == old[1:]
        assert [keeper.state for keeper in keepers] == ["ready"] * 3
        assert [keeper.restarts for keeper in keepers] == [0] * 3
        assert [keeper.report()["pid"] for keeper in keepers[1:]] == pids[1:], "nobody who did not change was touched"
        assert len(lives(tmp_path, "landing")) == 1
        for keeper in keepers:
            keeper.stop()
        await asyncio.gather(*tasks)

    asyncio.run(scenario())
