"""The supervisor over real child processes: started, watched, restarted with growing patience, stopped in time, never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from blocklists.errors import Busy
from redhand import status
from redhand.children import Child, Keeper, Patience
from redhand.supervisor import KILL_AFTER, Plan, Supervisor
from tests.tools import DEADLINE, wait_for

HERE = Path(__file__).parent
SCRIPT = (sys.executable, str(HERE / "child.py"))
BUILT = {"ok": True, "serial": 1, "names": 3, "seconds": 0.1, "alarms": [], "skipped": 0, "first_skipped": [], "pinned": None}


def child(name: str, directory: Path, fds: tuple[int, ...] = (), **job: Any) -> Child:
    """A child whose lives are logged in `directory/name`."""
    return Child(name, SCRIPT, {"log": str(directory / name), **job}, fds)


def lives(directory: Path, name: str) -> list[int]:
    """Pids of the child's lives so far."""
    file = directory / name
    return [int(line) for line in file.read_text().split()] if file.exists() else []


class Run:
    """One supervisor and what it said."""

    def __init__(self, directory: Path, children: list[Child], **plan: Any) -> None:
        self.said: list[str] = []
        self.shown: list[str] = []
        self.edited = False
        facts = {"version": "0", "settings": "test", "dns": ["127.0.0.1:5300"], "landing": ["127.0.0.1:8080"], "upstreams": [], "warnings": []}
        given: dict[str, Any] = {"builder": None, "edited": self._edited, "has_list": True, "facts": facts, **plan}
        self.supervisor = Supervisor(Plan(status.MAIN, directory, children, **given), self.said.append, self.shown.append)

    def _edited(self, _: float) -> bool:
        now, self.edited = self.edited, False
        return now

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait in the loop until the condition is true."""
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, f"not within {DEADLINE:g} s: {what}; said: {self.said}"
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(run: Run) -> AsyncIterator[asyncio.Task[int]]:
    """The supervisor as a task, stopped at the end."""
    task = asyncio.create_task(run.supervisor.run())
    try:
        yield task
    finally:
        run.supervisor.stop.set()
        await task


def test_patience_doubles_to_ten_seconds_and_health_forgives() -> None:
    patience = Patience()
    assert [patience.ended(29.9) for _ in range(9)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])
    assert patience.ended(30) == pytest.approx(0.1)
    assert patience.ended(0) == pytest.approx(0.2)


def test_first_screen_when_all_are_ready_and_a_clean_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        run = Run(tmp_path, [child("worker-0", tmp_path), child("landing", tmp_path, noise=["hello"])])
        async with running(run) as task:
            await run.until(run.supervisor.serving.is_set, "serving")
            assert len(run.shown) == 1
            assert "dig @127.0.0.1 -p 5300 example.com" in run.shown[0]
            assert "http://127.0.0.1:8080/" in run.shown[0]
            assert run.said == ["landing: hello"]
            report = status.read(tmp_path, status.MAIN)
            assert report is not None
            assert report["state"] == "serving"
            assert [(each["name"], each["state"], each["pid"]) for each in report["children"]] == [
                ("worker-0", "ready", *lives(tmp_path, "worker-0")),
                ("landing", "ready", *lives(tmp_path, "landing")),
            ]
        assert task.result() == 0
        assert not any(psutil.pid_exists(pid) for name in ("worker-0", "landing") for pid in lives(tmp_path, name))
        assert status.read(tmp_path, status.MAIN) is None

    asyncio.run(scenario())


def test_a_child_that_dies_is_restarted_and_its_queue_is_inherited(tmp_path: Path) -> None:
    async def scenario() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            served.bind(("127.0.0.1", 0))
            client.connect(served.getsockname())
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            fd = served.fileno()
            run = Run(tmp_path, [child("worker-0", tmp_path, (fd,), socket=fd)])
            async with running(run):
                await run.until(run.supervisor.serving.is_set, "serving")
                (first,) = lives(tmp_path, "worker-0")
                os.kill(first, signal.SIGSTOP)
                client.send(b"asked before the crash")
                os.kill(first, signal.SIGKILL)
                answer = await asyncio.wait_for(loop.sock_recv(client, 64), DEADLINE)
                second = lives(tmp_path, "worker-0")[1]
                assert answer == f"{second} asked before the crash".encode()
                assert run.said == ["worker-0 ended (killed by SIGKILL); starting it again in 0.1 s"]
                await run.until(lambda: run.supervisor.keepers[0].state == "ready", "ready again")
                assert run.supervisor.keepers[0].report() == {
                    "name": "worker-0",
                    "state": "ready",
                    "pid": second,
                    "restarts": 1,
                    "last_end": "killed by SIGKILL",
                }

    asyncio.run(scenario())


def test_a_child_that_keeps_failing_waits_longer_each_time_and_stops_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        run = Run(tmp_path, [child("worker-0", tmp_path), child("landing", tmp_path, end=3)])
        async with running(run):
            await run.until(lambda: len(lives(tmp_path, "landing")) >= 4, "four lives")
            assert run.said[:3] == [f"landing ended (exit code 3); starting it again in {delay} s" for delay in ("0.1", "0.2", "0.4")]
            assert not run.supervisor.serving.is_set()
            assert run.supervisor.keepers[0].state == "ready"
            assert len(lives(tmp_path, "worker-0")) == 1

    asyncio.run(scenario())


def test_a_program_that_cannot_be_started_is_said_and_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        run = Run(tmp_path, [Child("worker-0", ("/nonexistent/program",), {})])
        async with running(run):
            await run.until(lambda: len(run.said) >= 2, "two attempts")
        assert any("worker-0 ended (exit code 1)" in line for line in run.said)

    asyncio.run(scenario())


def test_a_child_deaf_to_term_is_killed_within_five_seconds(tmp_path: Path) -> None:
    async def scenario() -> None:
        run = Run(tmp_path, [child("worker-0", tmp_path), child("landing", tmp_path, ignore_term=True)])
        async with running(run) as task:
            await run.until(run.supervisor.serving.is_set, "serving")
            began = time.monotonic()
            run.supervisor.stop.set()
            await task
            assert KILL_AFTER <= time.monotonic() - began < 5
        assert run.said == ["killed: landing (not ended within 4 s)", "stopped"]
        assert not psutil.pid_exists(lives(tmp_path, "landing")[0])

    asyncio.run(scenario())


@pytest.mark.parametrize(("number", "what"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C (SIGINT)")])
def test_a_signal_that_stops_it_is_named_in_its_log(number: signal.Signals, what: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        run = Run(tmp_path, [child("worker-0", tmp_path)])
        async with running(run) as task:
            await run.until(run.supervisor.serving.is_set, "serving")
            os.kill(os.getpid(), number)
            assert await asyncio.wait_for(task, DEADLINE) == 0
        assert run.said == [f"stopping, as {what} asks", "stopped"]

    asyncio.run(scenario())


def test_stopping_while_a_child_waits_to_be_restarted_is_quick(tmp_path: Path) -> None:
    async def scenario() -> None:
        keeper = Keeper(child("worker-0", tmp_path, end=1), lambda _: None)
        keeper.patience.ends = 20
        task = asyncio.create_task(keeper.keep())
        while keeper.state != "waiting":
            await asyncio.sleep(0.01)
        keeper.stop()
        await asyncio.wait_for(task, 1)
        assert keeper.state == "stopped"

    asyncio.run(scenario())


def test_children_never_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import asyncio, json, sys
        from pathlib import Path
        from tests.redhand.test_supervisor import Run, child
        directory = Path(sys.argv[1])
        asyncio.run(Run(directory, [child("worker-0", directory, ignore_term=True), child("landing", directory)]).supervisor.run())
    """)
    root = str(HERE.parent.parent)
    supervisor = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=root, env={**os.environ, "PYTHONPATH": root})
    try:
        wait_for(lambda: (status.read(tmp_path, status.MAIN) or {}).get("state") == "serving", "serving")
        pids = [pid for name in ("worker-0", "landing") for pid in lives(tmp_path, name)]
        assert len(pids) == 2
        assert all(psutil.pid_exists(pid) for pid in pids)
        supervisor.kill()
        supervisor.wait()
        wait_for(lambda: not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids), "children gone")
        assert status.read(tmp_path, status.MAIN) is None
    finally:
        if supervisor.poll() is None:
            supervisor.kill()
            supervisor.wait()


def test_a_second_supervisor_of_one_state_directory_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        run = Run(tmp_path, [child("worker-0", tmp_path)])
        async with running(run):
            await run.until(run.supervisor.serving.is_set, "serving")
            with pytest.raises(
                Busy, match=f"is in use by another Red Hand .process {os.getpid()}.; stop it, or give this one a state_dir of its own"
            ):
                await Run(tmp_path, []).supervisor.run()

    asyncio.run(scenario())


class Builds:
    """A builder whose answers the test writes."""

    def __init__(self, directory: Path, answer: dict[str, Any] | None) -> None:
        self.log, self.answer = directory / "builds", directory / "answer"
        self.say(answer)

    def say(self, answer: dict[str, Any] | None) -> None:
        """What the next build answers; None: it ends without a word."""
        temporary = self.answer.with_suffix(".new")
        temporary.write_text(json.dumps(answer), encoding="utf-8")
        temporary.replace(self.answer)

    def __call__(self) -> Child:
        return Child("builder", (sys.executable, str(HERE / "builder_child.py")), {"log": str(self.log), "answer": str(self.answer)})

    @property
    def count(self) -> int:
        """Builds so far."""
        return len(self.log.read_text().split()) if self.log.exists() else 0


def test_without_a_list_the_first_build_comes_before_any_worker(tmp_path: Path) -> None:
    async def scenario() -> None:
        builds = Builds(tmp_path, {**BUILT, **REFUSED, "skipped": 30, "first_skipped": [_skipped(1)]})
        run = Run(tmp_path, [child("worker-0", tmp_path)], builder=builds, has_list=False)
        async with running(run):
            await run.until(run.supervisor.serving.is_set, "serving")
            assert builds.count == 1
            assert "3 names, version 1" in run.shown[0]
            assert run.said == [
                "block list: 3 names, version 1, built in 0.1 s",
                "block list: own: list.txt:1: 'a..b' is skipped: empty label",
                "block list: and 29 more skipped; all stand in the version's own file",
                "ALARM source own (supervisor): source own is refused: it is empty; mend the file, or its permissions; it is read again as soon as "
                "it changes",
            ]

    asyncio.run(scenario())


REFUSED = {"alarms": ["source own is refused: it is empty"], "refused": [{"source": "own", "reason": "it is empty", "held": False}]}


def _skipped(line: int) -> dict[str, Any]:
    return {"source": "own", "where": "list.txt", "line": line, "value": "a..b", "reason": "empty label"}


@pytest.mark.parametrize(
    ("answer", "reason"), [(None, "without a result .exit code 1."), ({"ok": False, "error": "the disk is full"}, "the disk is full")]
)
def test_without_any_list_a_failed_build_ends_the_run(answer: dict[str, Any] | None, reason: str, tmp_path: Path) -> None:
    run = Run(tmp_path, [child("worker-0", tmp_path)], builder=Builds(tmp_path, answer), has_list=False)
    assert asyncio.run(run.supervisor.run()) == 1
    assert lives(tmp_path, "worker-0") == []
    assert run.said[0].startswith("block list not built: ")
    assert any("no list to serve yet" in line for line in run.said)


def test_with_an_earlier_list_workers_start_at_once_and_a_failed_build_is_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        builds = Builds(tmp_path, {"ok": False, "error": "the disk is full"})
        run = Run(tmp_path, [child("worker-0", tmp_path)], builder=builds)
        async with running(run):
            await run.until(run.supervisor.serving.is_set, "serving")
            await run.until(lambda: run.supervisor.failed, "the failed build")
            builds.say(BUILT)
            await run.until(lambda: run.supervisor.listed, "the build after it")
            assert not run.supervisor.failed
            assert len(lives(tmp_path, "worker-0")) == 1

    asyncio.run(scenario())


def test_an_edited_source_or_a_hint_has_the_list_built_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        builds = Builds(tmp_path, BUILT)
        run = Run(tmp_path, [child("worker-0", tmp_path)], builder=builds, has_list=False)
        async with running(run):
            await run.until(run.supervisor.serving.is_set, "serving")
            builds.say({**BUILT, "serial": 2})
            run.edited = True
            await run.until(lambda: (run.supervisor.listed or {}).get("serial") == 2, "version 2")
            builds.say({**BUILT, "serial": 3})
            os.kill(os.getpid(), signal.SIGHUP)
            await run.until(lambda: (run.supervisor.listed or {}).get("serial") == 3, "version 3")
            assert builds.count == 3
            builds.say({**BUILT, "serial": 3, "pinned": 1})
            os.kill(os.getpid(), signal.SIGHUP)
            await run.until(lambda: builds.count == 4 and len(run.said) >= 7, "the fourth build's result")
            assert run.said[-3:] == [
                "building the block list again, as SIGHUP asks",
                "block list: 3 names, version 3, as before",
                "block list: pinned to version 1; what changes in the sources waits for: redhand blocklist unpin",
            ]

    asyncio.run(scenario())


def test_a_stop_during_the_first_build_ends_the_builder(tmp_path: Path) -> None:
    async def scenario() -> None:
        builder = child("builder", tmp_path, ignore_term=True)
        run = Run(tmp_path, [child("worker-0", tmp_path)], builder=lambda: builder, has_list=False)
        async with running(run) as task:
            await run.until(lambda: lives(tmp_path, "builder"), "the builder")
            run.supervisor.stop.set()
            assert await asyncio.wait_for(task, 5) == 0
        assert not psutil.pid_exists(lives(tmp_path, "builder")[0])
        assert lives(tmp_path, "worker-0") == []

    asyncio.run(scenario())


def test_a_fault_of_its_own_stops_the_supervisor_and_every_child(tmp_path: Path) -> None:
    def broken(_: float) -> bool:
        raise RuntimeError("planted")

    async def scenario() -> None:
        run = Run(tmp_path, [child("worker-0", tmp_path)], builder=Builds(tmp_path, BUILT), edited=broken)
        with pytest.raises(RuntimeError, match="planted"):
            await asyncio.wait_for(run.supervisor.run(), DEADLINE)
        assert any("stopping because of a fault in the supervisor" in line for line in run.said)
        assert not any(psutil.pid_exists(pid) for pid in lives(tmp_path, "worker-0"))

    asyncio.run(scenario())
