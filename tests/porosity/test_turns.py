"""What a server's operator agreed to holds for all that one asks at once, and for who stops and starts again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blocklists.errors import Busy, StoreError
from porosity import turns
from porosity.ethics import Permit
from tests.resolver.servers import ENVIRONMENT, HOST, Scripted, says
from tests.tools import DEADLINE, wait_for

PERMITS = {"10.1.2.3": Permit(5, "list"), "fd00::3": Permit(5, "list", "10.1.2.3"), HOST: Permit(None, "loopback")}
RATE = 20


def test_one_process_asks_a_server_at_a_time(tmp_path: Path) -> None:
    """A lock for each server and not for each address; loopback needs none."""
    with turns.held(PERMITS, tmp_path / "locks"):
        with (
            pytest.raises(Busy, match=r"another process of yours asks 10\.1\.2\.3"),
            turns.held({"10.1.2.3": PERMITS["10.1.2.3"]}, tmp_path / "locks"),
        ):
            pass
        with turns.held({HOST: PERMITS[HOST], "10.1.2.4": Permit(5, "list")}, tmp_path / "locks"):
            pass
    with turns.held(PERMITS, tmp_path / "locks"):
        pass


def test_locks_are_not_where_others_may_put_them(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "home")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for folder in ("link", "open"):
        with pytest.raises(StoreError, match="yours alone"), turns.held(PERMITS, tmp_path / folder):
            pass
    assert not list((tmp_path / "home").iterdir())


def test_stopped_and_started_again_it_asks_no_faster(tmp_path: Path) -> None:
    """A program that is stopped (SIGSTOP, a suspended machine) does not ask all at once what it missed; a new one does not begin with a question."""
    (tmp_path / "names.txt").write_text("".join(f"n{number}.test\n" for number in range(200)))
    with Scripted(says("A 192.0.2.1")) as server:
        command = [
            sys.executable, "-m", "redhand", "porosity", "probe", str(tmp_path / "names.txt"), "--resolver", f"ours={HOST}:{server.port}",
            "--canary", "ok.example", "--vectors", "type-a", "--neighbours", "0", "--rate", str(RATE),
        ]  # fmt: skip
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: len(server.seen) > 4, "the first questions", 60)
            process.send_signal(signal.SIGSTOP)
            stopped = time.monotonic()
            wait_for(lambda: time.monotonic() > stopped + 2, "two seconds, which is what is tried", 10)
            process.send_signal(signal.SIGCONT)
            wait_for(lambda: len(server.seen) > 40, "more questions", 60)
        finally:
            process.kill()
            process.wait(DEADLINE)
        times = [asked.at for asked in server.seen]
    # What the server wrote down late, it wrote down with others: a fifth more than the rate is still no flood of forty.
    most = max(sum(first <= each < first + 0.5 for each in times) for first in times)
    assert most <= RATE * 0.5 * 1.2 + 2
