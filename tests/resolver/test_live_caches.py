"""A real worker that flushes and dumps while told to: what it answers upward, and that it leaves no cycle to a collector that never runs."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.resolver.servers import HOST, Lists, Resolver, Scripted, ask, domains, resolver, says
from tests.tools import wait_for


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return domains(tmp_path_factory.mktemp("lists"), "blocked.example")


def dumped(worker: Resolver) -> list[dict[str, object]]:
    """A dump, read to its end."""
    ours, theirs = os.pipe()
    assert worker.tell({"do": "dump"}, [theirs])
    os.close(theirs)
    with open(ours, "rb") as pipe:
        return [json.loads(line) for line in pipe]


def flushed(worker: Resolver, name: str, number: int) -> int:
    """Entries that went."""
    assert worker.tell({"do": "flush", "name": name, "id": number})
    done = wait_for(lambda: next((said for said in worker.heard if said.get("id") == number), None), "the flush")
    assert done is not None
    return int(done["entries"])


def test_flushes_and_dumps_leave_nothing_behind(lists: Lists, tmp_path: Path) -> None:
    program = (sys.executable, "-P", str(Path(__file__).with_name("watched_worker.py")))
    with Scripted(says("A 192.0.2.1")) as upstream, resolver(tmp_path, lists, upstream, program=program) as worker:

        def cycles() -> dict[str, int]:
            before = worker.said().count("CYCLES")
            worker.process.send_signal(signal.SIGUSR1)
            wait_for(lambda: worker.said().count("CYCLES") > before and worker.said().endswith("\n"), "the collector's findings")
            found: dict[str, int] = json.loads(worker.said().rpartition("CYCLES ")[2].splitlines()[0])
            return found

        def round_of(number: int) -> None:
            for kind in range(3):
                ask(worker.port, f"n{number}.flushed.example", to=HOST, edns=kind > 0)
            assert len(dumped(worker)) >= 2
            ours, theirs = os.pipe()
            assert worker.tell({"do": "dump"}, [theirs])  # and nobody reads it
            os.close(theirs)
            os.close(ours)
            assert flushed(worker, "flushed.example", number) >= 2
            assert flushed(worker, "flushed.example", 1000 + number) == 0
            assert worker.tell({"do": "flush", "name": "a..b", "id": 0})

        round_of(0)
        files = len(os.listdir(f"/proc/{worker.process.pid}/fd"))
        cycles()
        for number in range(1, 11):
            round_of(number)
        found = cycles()
        assert sum(found.values()) < 10, found
        wait_for(lambda: len(os.listdir(f"/proc/{worker.process.pid}/fd")) <= files, "every pipe to be closed")


def test_a_flood_of_requests_is_not_queued_without_end(lists: Lists, tmp_path: Path) -> None:
    with Scripted(says("A 192.0.2.1")) as upstream, resolver(tmp_path, lists, upstream) as worker:
        pipes = [os.pipe() for _ in range(40)]
        for _, theirs in pipes:
            assert worker.tell({"do": "dump"}, [theirs])
            os.close(theirs)
        for ours, _ in pipes:
            with open(ours, "rb") as pipe:
                pipe.read()  # its end comes, whether or not it was done
        assert ask(worker.port, "served.example").answer
