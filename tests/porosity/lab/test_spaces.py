"""Machines made of namespaces: joined by a cable, apart from this one, and gone with whoever made them, however that ends."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from porosity.lab.places import LabError
from porosity.lab.spaces import PROGRAMS, Machine, cable, end
from tests.tools import DEADLINE, require, require_root, wait_for

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True, scope="module")
def _root() -> None:
    require_root()
    for program in PROGRAMS:
        require(program)


def test_two_machines_hear_each_other_and_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    with Machine() as one, Machine("other", {"/etc/resolv.conf": tmp_path / "resolv.conf"}) as other:
        cable(one, other, ["192.0.2.1/24", "2001:db8::1/64"], ["192.0.2.2/24", "2001:db8::2/64"])
        assert other.run("cat", "/etc/resolv.conf") == "nameserver 192.0.2.1\n"
        assert "eth0@" in other.run("ip", "link")
        server = one.start(sys.executable, "-c", "import socket; socket.create_server(('192.0.2.1', 80)).accept()[0].send(b'here')")
        ask = "import socket; print(socket.create_connection(('192.0.2.1', 80), 5).recv(9))"
        wait_for(lambda: ":80 " in one.run("cat", "/proc/net/tcp").replace("0050 ", ":80 "), "the server")
        assert other.run(sys.executable, "-c", ask) == "b'here'\n"
        server.wait(DEADLINE)
        with Machine("apart") as apart, pytest.raises(LabError, match=r"unreachable|refused|timed out"):
            apart.run(sys.executable, "-c", ask)


def test_all_of_it_ends_with_who_made_it_even_when_that_is_killed() -> None:
    """Also what programs forked, which no signal of the maker's death reaches."""
    program = textwrap.dedent("""
        import time
        from porosity.lab.spaces import Machine
        made = Machine().ready()
        started = made.start("sh", "-c", "sleep 600 & exec sleep 600")
        print(made.pid, started.pid, flush=True)
        time.sleep(600)
    """)
    maker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert maker.stdout is not None
    keeper, started = (psutil.Process(int(pid)) for pid in maker.stdout.readline().split())
    wait_for(lambda: len(started.children(recursive=True)) == 2, "what was started, and what that forked")
    found = [keeper, started, *started.children(recursive=True)]
    maker.kill()
    maker.wait()
    maker.stdout.close()
    wait_for(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in found), "nothing to be left")


def test_a_program_is_ended_with_what_it_forked_and_the_machine_goes_on() -> None:
    with Machine() as made:
        started = made.start("sh", "-c", "trap 'exit 7' TERM; sleep 600 & wait")
        wait_for(lambda: len(psutil.Process(started.pid).children(recursive=True)) == 2, "what was started")
        end(started)
        assert started.returncode == 7, "it was asked first"
        assert made.run("echo", "here") == "here\n"
