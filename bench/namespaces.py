"""Machines made of Linux namespaces, with a cable between them: a network, ports, firewall and mounted files of their own, nothing else.

Only root can make them (namespaces(7), veth(4)). A machine is held by one sleeping process, everything run on it dies with whoever started it
(PR_SET_PDEATHSIG), and a network without processes is dissolved by the kernel, cables and rules included: nothing is left behind, whatever is killed.
Nothing is named or seen in the machine that this runs on.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from bench.machine import BenchError, find_program

PROGRAMS = ("unshare", "nsenter", "setpriv", "ip", "mount", "bash")
"""What making them needs; Debian: util-linux, iproute2, mount, bash."""

_LIFELINE = ("setpriv", "--pdeathsig", "KILL", "sh", "-c", 'test "$PPID" -eq "$0" && exec "$@"')
"""What a command begins with so that it dies with us; the number of our process follows. It does not begin at all if we are gone before it asks."""


class Machine:
    """One machine. `files`: what stands in place of some of the host's files or directories there, by path (bind mounts)."""

    def __init__(self, files: Mapping[str, Path] | None = None) -> None:
        if os.geteuid() != 0:
            raise BenchError("only root can make network namespaces; run this as root")
        if missing := [program for program in PROGRAMS if find_program(program) is None]:
            raise BenchError(f"{', '.join(missing)}: not installed")
        mounts = [f"mount --bind {shlex.quote(str(ours))} {shlex.quote(theirs)}" for theirs, ours in (files or {}).items()]
        prepare = "; ".join(["set -e", "mount --make-rprivate /", *mounts, f"{find_program('ip')} link set lo up", "echo", "exec sleep infinity"])
        self._running: list[subprocess.Popen[Any]] = []
        self._keeper = subprocess.Popen(
            [*_LIFELINE, str(os.getpid()), "unshare", "--net", "--mount", "sh", "-c", prepare],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != b"\n":
            raise BenchError(f"no namespaces can be made here: {self._keeper.communicate()[1].decode(errors='replace').strip()}")

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def command(self, *words: str) -> list[str]:
        """The command, as it is run there; it dies with the thread that starts it."""
        there = ("nsenter", "-t", str(self._keeper.pid), "--net", "--mount")
        return [*_LIFELINE, str(os.getpid()), *there, find_program(words[0]) or words[0], *words[1:]]

    def run(self, *words: str, stdin: str = "") -> str:
        """What a short command there prints. Raises BenchError when it fails."""
        done = subprocess.run(self.command(*words), input=stdin, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise BenchError(f"{' '.join(words)} ended with status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def start(self, *words: str, log: IO[bytes] | int = subprocess.DEVNULL, **how: Any) -> subprocess.Popen[Any]:
        """A program that runs there until it is ended, or this machine is closed. `how`: as subprocess.Popen has it."""
        process: subprocess.Popen[Any] = subprocess.Popen(self.command(*words), **({"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log} | how))
        self._running.append(process)
        return process

    def close(self) -> None:
        """Ends all that runs there, the last started first, and the machine."""
        for process in reversed(self._running):
            end(process)
        end(self._keeper)
        for pipe in (self._keeper.stdout, self._keeper.stderr):
            if pipe is not None:
                pipe.close()

    @property
    def pid(self) -> int:
        """Of the process that holds the namespaces."""
        return self._keeper.pid


def cable(one: Machine, other: Machine, addresses: Sequence[str], others: Sequence[str]) -> None:
    """A cable between two machines, `eth0` on both, with their addresses (`192.0.2.1/24`, `2001:db8::1/64`)."""
    one.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(other.pid))
    for machine, own in ((one, addresses), (other, others)):
        for address in own:
            # Without waiting for who else may have the address: nobody can.
            machine.run("ip", "address", "add", address, "dev", "eth0", *(("nodad",) if ":" in address else ()))
        machine.run("ip", "link", "set", "eth0", "up")


def end(process: subprocess.Popen[Any], seconds: float = 8) -> None:
    """Asks a process to end, and ends it when it does not."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
