"""The state directory's disk fills up, turns read-only, refuses by its modes, hangs: queries go on being answered, rightly, and all mends itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from redhand import status
from tests.blocklists.lists import order, withdrawal
from tests.faults.rig import ELSEWHERE, LANDING, SITE, Installation, Load
from tests.tools import require, wait_for

BOUND = 70.0
"""Seconds within which all is well again once the disk is: a failed build is tried again after 1 s, then 2 s, up to a minute."""

EXPECTED = {"listed.example": "NXDOMAIN", "ordered.example": LANDING, "free.example": ELSEWHERE, "added.example": ELSEWHERE}


@contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """A file system of its own of 4 MiB."""
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "redhand-test", str(path)], check=False, capture_output=True, text=True)
    if done.returncode:
        reason = f"this user may not mount a file system: {done.stderr.strip()}"
        if os.environ.get("REDHAND_CI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as path:
        yield path


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not one octet free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while file.write(b"x" * size):
                    pass
    yield
    filler.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """The directory mounted over itself, read-only: what was open stays, as it does when a kernel gives up on a file system."""
    subprocess.run(["mount", "--bind", str(disk), str(disk)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(disk)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@contextmanager
def forbidden(disk: Path) -> Iterator[None]:
    """No directory may be written by its owner; Red Hand runs without the right to do so all the same."""
    directories = [disk, *(path for path in disk.rglob("*") if path.is_dir())]
    for path in directories:
        path.chmod(0o500)
    yield
    for path in directories:
        path.chmod(0o700)


Fault = Callable[[Path], object]
UNPRIVILEGED = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


@pytest.mark.parametrize("fault", [full, read_only, forbidden], ids=lambda fault: fault.__name__)
def test_a_disk_that_refuses_costs_no_answer_and_all_mends_itself(fault: Fault, disk: Path, tmp_path: Path) -> None:
    require("setpriv")
    house = Installation(tmp_path, disk / "var")
    house.order("one", order("FR-1", "ordered.example"))
    with house.running(prefix=UNPRIVILEGED) as process:
        serial = (house.state / "current").read_text().split()[0]
        load = Load(house.dns, EXPECTED)
        with fault(disk):  # type: ignore[attr-defined]
            house.write_list("listed.example", "later.example")
            named = house.alarm("disk list")
            assert (house.state / "current").read_text().split()[0] == serial
            wait_for(lambda: house.log.count("block list not built") >= 2, "a second try")
            assert "the last good version stays in force" in house.log
        mended = time.monotonic()
        house.until("later.example", "NXDOMAIN")
        recovered = time.monotonic() - mended
        house.over("disk list")
        words = load.finish()
        print(f"{fault.__name__}: alarm after {named:.1f} s, {words}, the new list in force {recovered:.1f} s after the fault ended")
        assert recovered < BOUND
        assert (status.read(house.state, status.MAIN) or {}).get("pid") is not None
        assert process.poll() is None


@pytest.mark.parametrize("fault", [full, read_only], ids=lambda fault: fault.__name__)
def test_workers_start_and_stop_while_the_disk_refuses(fault: Fault, disk: Path, tmp_path: Path) -> None:
    """What a worker has in force cannot be written down: it serves all the same, says so, and writes it when it can. The status file likewise."""
    house = Installation(tmp_path, disk / "var", workers=1)
    with house.running(prefix=UNPRIVILEGED):
        (before,) = house.worker_pids(0)
        with fault(disk):  # type: ignore[attr-defined]
            os.kill(before, signal.SIGKILL)
            house.until("listed.example", "NXDOMAIN")
            house.until("free.example", ELSEWHERE)
            house.alarm("disk readers", "worker-0")
            house.alarm("disk status")
        house.over("disk readers", "worker-0")
        house.over("disk status")
        assert house.worker_pids(0) != [before]
        report = status.read(house.state, status.MAIN)
        assert report is not None
        assert [child["pid"] for child in report["children"] if child["name"] == "worker-0"] == house.worker_pids(0)


@pytest.mark.parametrize("fault", [full, read_only], ids=lambda fault: fault.__name__)
def test_a_start_while_the_disk_refuses_serves_the_list_that_is_there(fault: Fault, disk: Path, tmp_path: Path) -> None:
    house = Installation(tmp_path, disk / "var", workers=1)
    with house.running():
        pass
    with fault(disk), house.running():  # type: ignore[attr-defined]
        house.until("listed.example", "NXDOMAIN")
        house.until("free.example", ELSEWHERE)
        house.alarm("disk list" if fault is read_only else "disk status")


def test_a_disk_that_hangs_costs_no_answer(tmp_path: Path) -> None:
    """Whatever asks for anything in the state directory waits, the look at `current` included: nobody who serves may be the one that asks."""
    house = Installation(tmp_path)
    house.order("one", order("FR-1", "ordered.example"))
    sign = tmp_path / "hangs"
    with house.running(PYTHONPATH=SITE, HANGING_DISK=f"{house.state}:{sign}"):
        load = Load(house.dns, EXPECTED)
        sign.touch()
        try:
            house.write_list("listed.example", "later.example")
            named = max(house.alarm("disk hangs", f"worker-{number}") for number in range(2))
        finally:
            sign.unlink()
        mended = time.monotonic()
        house.until("later.example", "NXDOMAIN")
        recovered = time.monotonic() - mended
        for number in range(2):
            house.over("disk hangs", f"worker-{number}")
        print(f"hangs: alarm after {named:.1f} s, {load.finish()}, the new list in force {recovered:.1f} s after the fault ended")
        assert recovered < BOUND


def test_a_withdrawal_waits_for_no_source_that_cannot_be_read(tmp_path: Path) -> None:
    """Permission to read one source is lost: another one's withdrawal is in force within a second and the build, the lost one's names stay."""
    house = Installation(tmp_path, workers=1)
    house.order("one", order("FR-1", "ordered.example"))
    with house.running(prefix=UNPRIVILEGED):
        house.until("ordered.example", LANDING)
        (tmp_path / "house.txt").chmod(0)
        house.alarm("source house")
        house.order("two", withdrawal("FR-1"))
        house.until("ordered.example", ELSEWHERE)
        house.until("listed.example", "NXDOMAIN")
        (tmp_path / "house.txt").chmod(0o644)
        house.over("source house")
