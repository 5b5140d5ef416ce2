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
        assert await replacing
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
