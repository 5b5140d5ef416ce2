"""What operators do, and what becomes of workers, while 512 clients ask 2,000 times a second: no query pays for it."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from redhand import control
from redhand.control import MOST_CLIENTS
from redhand.figures import total
from redhand.hangs import HANGS_SECONDS
from resolver.settings import Upstream
from tests.faults.rig import SITE
from tests.redhand.house import RIGHT, House, Load, house
from tests.redhand.test_activation import SO_RCVBUFFORCE, bound, passing
from tests.redhand.test_seen import connected
from tests.resolver.servers import HOST, nsd
from tests.tools import free_ports, wait_for

COPY_SECONDS = 0.2
"""How old a worker's figures are at most, where others see them."""
LEFT_AFTER = 2.0
"""Seconds after which this test has clients left who do not read; 30 as it is delivered."""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """NSD, which answers every new name of the load at once."""
    records = f"@ 300 IN SOA ns nobody 1 2 3 4 300\n@ 300 IN NS ns\n* 300 IN A {RIGHT}\n"
    with nsd(tmp_path_factory.mktemp("nsd"), "open.example.", records) as port:
        yield Upstream(address=f"{HOST}:{port}")


def asked(load: Load, more: int) -> None:
    """Waits until so many more questions were asked."""
    goal = len(load.asked) + more
    wait_for(lambda: len(load.asked) >= goal, f"{more} more questions")


def slowest(load: Load, since: float = 0.0) -> float:
    return max(each.answered - each.sent for each in load.asked if each.answered and each.sent >= since)


def flush(running: House, name: str) -> int:
    """Entries forgotten."""
    reply = control.last(control.ask(running.directory / "state", {"do": "flush", "name": name}))
    assert reply["silent"] == []
    return sum(reply["entries"].values())


def test_a_cache_walked_five_times_in_a_row_costs_no_query(tmp_path: Path, upstream: Upstream) -> None:
    with house(tmp_path, upstream) as running, Load(running.port) as load:
        gone, walks = [], []
        for _ in range(5):
            asked(load, 2000)
            begun = time.monotonic()
            gone.append(flush(running, "open.example"))
            walks.append(time.monotonic() - begun)
        asked(load, 1000)
        load.finish()
        print(f"{len(load.asked)} questions, {sum(gone)} entries gone; the longest walk {max(walks):.2f} s; slowest answer {slowest(load):.3f} s")
        assert load.lost() == load.wrong() == []
        assert min(gone) > 400, "those new since the last walk, in two caches"
        assert max(walks) < 2


def test_sixteen_clients_that_read_no_dump_cost_no_query_and_are_left(tmp_path: Path, upstream: Upstream) -> None:
    program = ("-c", f"from redhand import control; control.REPLY_SECONDS = {LEFT_AFTER}\nfrom redhand.__main__ import main\nmain()")
    with house(tmp_path, upstream, how={"program": program}) as running:
        state = running.directory / "state"
        with Load(running.port, share=1) as filling:
            asked(filling, 6000)  # a dump longer than what the kernel holds for who does not read
        with Load(running.port) as load, ExitStack() as opened:
            asked(load, 200)
            for _ in range(MOST_CLIENTS):
                client = opened.enter_context(connected(running))
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                client.sendall(b'{"do": "dump"}\n')
            begun = time.monotonic()
            with pytest.raises(control.Unanswered):
                control.report(state)

            def free() -> bool:
                try:
                    return bool(control.report(state))
                except control.Unanswered:
                    return False

            wait_for(free, "clients that do not read to be left")
            left = time.monotonic() - begun
            asked(load, 2000)
            load.finish()
        print(f"{len(load.asked)} questions; left after {left:.1f} s; slowest answer {slowest(load):.3f} s")
        assert LEFT_AFTER - 0.5 < left < LEFT_AFTER + 5
        assert load.lost() == load.wrong() == []


def test_a_killed_worker_takes_the_counts_of_a_moment_along_and_no_sum_goes_down(tmp_path: Path, upstream: Upstream) -> None:
    rate = 2000
    with house(tmp_path, upstream) as running:
        wait_for(running.standby, "the standby")
        figures = dict.fromkeys(("queries", "blocked", "lookups", "upstream_answers", "answer_seconds"), 0.0)

        def look() -> float:
            found = control.report(running.directory / "state")["figures"]
            for name, before in figures.items():
                figures[name] = total(found, name)
                assert figures[name] >= before, name
            return figures["queries"]

        with Load(running.port, rate) as load:
            asked(load, 1000)
            victim = running.pid("worker-0")
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: look() and running.pid("worker-0") not in (0, victim), "its successor")
            end = time.monotonic() + 1
            while time.monotonic() < end:
                look()
        count = len(load.asked) - len(load.lost())
        wait_for(lambda: look() >= count - COPY_SECONDS * rate, "the last counts")
        time.sleep(2 * COPY_SECONDS)  # what else there is to count: more would be as wrong as less
        print(f"{count} answered, {look():.0f} counted")
        assert look() <= len(load.asked)


def test_a_worker_caught_in_a_loop_is_replaced_and_what_it_was_asked_is_answered(tmp_path: Path, upstream: Upstream) -> None:
    """Slow enough for the shortest queue a kernel grants: half of 160 questions a second for six seconds."""
    environment = {"PYTHONPATH": SITE, "LOOPS_ON_USR1": "yes"}
    with house(tmp_path, upstream, how={"environment": environment}) as running:
        wait_for(running.standby, "the standby")
        before = [running.pid(f"worker-{number}") for number in range(2)]
        with Load(running.port, rate=160) as load:
            asked(load, 100)
            at = time.monotonic()
            os.kill(before[0], signal.SIGUSR1)
            alarm = wait_for(lambda: running.report()["alarms"], "the alarm", HANGS_SECONDS + 5)[0]
            wait_for(lambda: running.pid("worker-0") not in (0, before[0]), "a successor")
            back = time.monotonic() - at
            asked(load, 160)
        late = [each for each in load.asked if each.answered and each.answered - each.sent > 1]
        print(f"{len(load.asked)} questions, {len(load.lost())} lost, {len(late)} late; successor after {back:.1f} s; slowest {slowest(load):.1f} s")
        assert (alarm["name"], alarm["source"]) == ("worker-0 hangs", "supervisor")
        assert running.child("worker-0")["last_end"] == "killed by SIGKILL"
        assert [each for each in load.lost() if each.sent > at] == load.wrong() == []
        assert len(late) > 100, "it did hang"
        assert back < HANGS_SECONDS + 3
        assert running.pid("worker-1") == before[1]


def test_a_restart_under_load_loses_no_query_where_systemd_holds_the_sockets(tmp_path: Path, upstream: Upstream) -> None:
    (port,) = free_ports(1)
    with ExitStack() as opened:
        held = [opened.enter_context(bound(kind, port, shared=True)) for _ in range(2) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
        for each in held:
            each.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE if os.geteuid() == 0 else socket.SO_RCVBUF, 4 << 20)
        how = {"prefix": passing(held), "fds": tuple(each.fileno() for each in held)}
        with house(tmp_path, upstream, port=port, how=how) as running, Load(running.port, flows=32) as load:
            asked(load, 1000)
            since = time.monotonic()
            for _ in range(3):
                assert running.end() < 5
                assert running.process.returncode == 0
                running.start()
                asked(load, 2000)
            load.finish()
            print(f"{len(load.asked)} questions, {len(load.lost())} lost in three restarts; slowest answer {slowest(load, since):.2f} s")
            assert load.lost() == load.wrong() == []
