"""What the comparison needs of the machine: processes pinned to cores, their CPU time and memory from /proc, free ports, and facts for the record.

Linux only. The facts name the processor, the kernel and the programs' versions, never the host, a user or a path.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SERVER_CORE = 0
GENERATOR_CORE = 1
"""The generator's core, and the upstream's: the server under test shares its core with nobody."""


class BenchError(Exception):
    """The comparison cannot go on, or one of its figures would be wrong. The message names what, and what to do."""


@contextmanager
def unhurried() -> Iterator[None]:
    """Children started inside are SCHED_BATCH: they do not take the core from whoever has it each time they wake (sched(7)). Needs no rights."""
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Children started inside inherit the core; this process gets its own set back."""
    before = os.sched_getaffinity(0)
    try:
        if core is not None:
            os.sched_setaffinity(0, {core})
        yield
    finally:
        os.sched_setaffinity(0, before)


def check_cores() -> None:
    """Raises BenchError unless both cores are ours to use."""
    missing = {SERVER_CORE, GENERATOR_CORE} - os.sched_getaffinity(0)
    if missing:
        raise BenchError(
            f"the comparison needs cores {SERVER_CORE} and {GENERATOR_CORE}, and may not use {sorted(missing)}; run it on a machine with two cores"
        )


def find_program(name: str) -> str | None:
    """Where a program is, also among the system's (`sbin`), which a user's path often lacks."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")


def start(command: Sequence[str], *, core: int | None = None, cwd: Path | None = None, log: Path | None = None) -> subprocess.Popen[str]:
    """Starts a program of ours to compare, pinned, its output captured or written to `log`. Raises BenchError if it is not installed."""
    program = find_program(command[0])
    if program is None:
        raise BenchError(f"{command[0]} is not installed")
    out = log.open("a") if log is not None else None
    try:
        with pinned(core):
            return subprocess.Popen(
                [program, *command[1:]],
                cwd=cwd,
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=out or subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the comparison, which ends what it started
            )
    finally:
        if out is not None:
            out.close()


def output(command: Sequence[str], *, core: int | None = None, cwd: Path | None = None, limit_seconds: float = 20, must_succeed: bool = False) -> str:
    """What a short-lived command prints. Raises BenchError if it is not installed, does not end, or must succeed and does not."""
    process = start(command, core=core, cwd=cwd)
    try:
        said = process.communicate(timeout=limit_seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise BenchError(f"{' '.join(command)} did not end within {limit_seconds:.0f} s") from None
    if must_succeed and process.returncode:
        raise BenchError(f"{' '.join(command)} ended with status {process.returncode}. It said:\n{said[-2000:]}")
    return said


def family(pid: int) -> list[int]:
    """The process and all its living descendants."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        found.append(queue[0])
        queue += parents.get(queue.pop(0), [])
    return found


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on (the command's name may hold blanks and brackets); empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_seconds(pid: int) -> float:
    """User and system time of the process, its descendants, and those of them that have ended and been waited for."""
    ticks = sum(int(ticks) for member in family(pid) for ticks in _stat(member)[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def own_cpu_seconds(pid: int) -> float:
    """User and system time of this one process; 0 if it is gone."""
    return sum(int(ticks) for ticks in _stat(pid)[11:13]) / os.sysconf("SC_CLK_TCK")


def pss_bytes(pid: int) -> int:
    """Proportional set size of the process and its descendants: shared pages count once among them."""
    total = 0
    for member in family(pid):
        try:
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        total += int(found.group(1)) * 1024 if found else 0
    return total


def machine_cpu_seconds() -> float:
    """Time all cores together have been busy since boot, time stolen by other guests of the host included (proc(5), /proc/stat)."""
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def ended_children_cpu_seconds() -> float:
    """User and system time of this process's children that have ended, such as generators."""
    times = os.times()
    return times.children_user + times.children_system


def free_port(address: str = "127.0.0.1") -> int:
    """A port nobody uses on a loopback address, for UDP and for TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind((address, 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind((address, port))
            except OSError:
                continue
            return port


def facts() -> dict[str, str | int]:
    """Processor, cores, kernel, Python, and the revision of this checkout (with a mark if files differ from it)."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    checkout = Path(__file__).resolve().parent.parent
    revision, changed = "unknown", ""
    if find_program("git") and (checkout / ".git").exists():
        revision = output(["git", "rev-parse", "--short=12", "HEAD"], cwd=checkout).strip()
        changed = output(["git", "status", "--porcelain", "--untracked-files=no"], cwd=checkout).strip()
    system = os.uname()
    return {
        "processor": model.group(1).strip() if model else system.machine,
        "cores": os.cpu_count() or 0,
        "kernel": f"{system.sysname} {system.release.partition('-')[0]}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "revision": revision + (" with changes" if changed else ""),
    }
