"""Machines made of Linux namespaces: a network, ports, processes, firewall and mounted files of their own. Only root can make them.

A machine is held by one sleeping process, the first of its own; when that dies, the kernel ends all others there (pid_namespaces(7)), also those that
programs forked, and it dies with us (PR_SET_PDEATHSIG). A network without processes is dissolved, cables and all. So nothing is named or seen in the
machine that this runs on, and nothing is left behind, whatever is killed.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from porosity.ethics import LAB_MARK
from porosity.lab import places
from porosity.lab.addresses import NETWORKS
from porosity.lab.places import END_SECONDS, LabError, Place, program
from porosity.lab.scenario import Line

PROGRAMS = ("unshare", "nsenter", "setpriv", "ip", "mount")
"""What making them needs; Debian: util-linux, iproute2, mount."""
BRIDGE = "br0"


class Machine(Place):
    """One machine, which is there when `ready` returns. `files`: what stands in place of some of the host's files or directories there, by path (bind
    mounts); `more`: commands of a shell that prepare it further. A context manager, which waits for it and ends it.
    """

    def __init__(self, name: str = "machine", files: Mapping[str, Path] | None = None, more: Sequence[str] = ()) -> None:
        super().__init__()
        if os.geteuid() != 0:
            raise LabError("only root can make a lab of namespaces; run this as root, or take a scenario for loopback")
        for each in PROGRAMS:
            program(each)
        self.name = name
        self.addresses: tuple[str, ...] = ()
        self.pid = 0
        """Of the process that holds the namespaces, once it is ready."""
        mounts = [f"mount --bind {shlex.quote(str(ours))} {shlex.quote(theirs)}" for theirs, ours in (files or {}).items()]
        up = f"{program('ip')} link set lo up"
        mark = f"{program('ip')} link add {LAB_MARK} type veth peer name {LAB_MARK}-far"  # never up: it is there to be seen
        prepare = "; ".join(["set -e", "mount --make-rprivate /", *mounts, up, mark, *more, "echo", "exec sleep infinity"])
        self._keeper = subprocess.Popen(  # noqa: S603 - our own words
            super().command("unshare", "--net", "--mount-proc", "--pid", "--fork", "--kill-child", "sh", "-c", prepare),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def __enter__(self) -> Machine:
        return self.ready()

    def __exit__(self, *_: object) -> None:
        self.close()

    def ready(self) -> Machine:
        """The machine, once it is there. Raises LabError when none can be made."""
        if self._keeper.stdout is None or self._keeper.stdout.readline() != b"\n":
            raise LabError(f"no namespaces can be made here: {self._keeper.communicate()[1].decode(errors='replace').strip()}")
        (self.pid,) = _children(self._keeper.pid)
        return self

    def command(self, *words: str) -> list[str]:
        """The command, as it is run there; it dies with the thread that starts it."""
        return super().command("nsenter", "-t", str(self.pid), "--net", "--mount", "--pid", program(words[0]), *words[1:])

    def ip(self, lines: Sequence[str], family: str = "") -> None:
        """Commands of ip(8) on its network, without the word `ip`, all at once. `family`: `-4` or `-6`."""
        # By its network alone: process ids, of other machines too, are ours here.
        words = ("nsenter", "-t", str(self.pid), "--net", program("ip"), *((family,) if family else ()), "-batch", "-")
        Place().run(*words, stdin="\n".join(lines) + "\n")

    def close(self) -> None:
        """Ends all that runs there, the last started first, and the machine."""
        for process in reversed(self._running):
            end(process)
        self._running.clear()
        self._keeper.kill()
        places.end(self._keeper)


class Switch:
    """A switch, and the machines on it, each with its addresses. All networks of the lab are one cable away: it has no routers."""

    def __init__(self, seed: int = 0) -> None:
        """`seed`: of what lines lose, and when."""
        self.machines: dict[str, Machine] = {}
        self._switch = Machine("switch")
        self._seed = seed
        self._lines: dict[str, tuple[Machine, Line]] = {}
        """By machine: who carries its packets, and how."""

    def add(self, name: str, addresses: Sequence[str], files: Mapping[str, Path] | None = None, line: Line | None = None) -> Machine:
        """A machine with these addresses, to be plugged in by `plug`. `line`: what is between it and the switch."""
        machine = self.machines[name] = Machine(name, files)
        machine.addresses = tuple(addresses)
        if line is not None:
            self._lines[name] = Machine(f"line to {name}"), line
        return machine

    def plug(self) -> None:
        """Returns when all machines are there and reach each other."""
        self._switch.ready()
        lines = [f"link add {BRIDGE} type bridge", f"link set {BRIDGE} up"]
        for number, machine in enumerate(self.machines.values()):
            machine.ready()
            carrier, _ = self._lines.get(machine.name, (None, None))
            if carrier is not None:
                carrier.ready().ip([f"link add near type veth peer name eth0 netns {machine.pid}", "link set near up"])
            far = f"eth0 netns {machine.pid}" if carrier is None else f"far netns {carrier.pid}"
            lines += [
                f"link add port{number} type veth peer name {far}",
                f"link set port{number} master {BRIDGE}",
                f"link set port{number} up",
            ]
        self._switch.ip(lines)
        for name, (carrier, line) in self._lines.items():
            carrier.ip(["link set far up"])
            numbers = map(str, (line.loss, line.delay, line.jitter))
            words = ("porosity.lab.line", f"{self._seed} {name}", *numbers, "near", "far")
            process = carrier.python(*words, log=subprocess.DEVNULL, stdout=subprocess.PIPE)
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise LabError(f"the line to {name} cannot be made: no packet sockets here (packet(7))")
        for machine in self.machines.values():
            # Without waiting for who else may have an address (nodad): nobody can.
            own = [f"address add {each} dev eth0" + (" nodad" if ":" in each else "") for each in map(_host, machine.addresses)]
            ways = [f"{'-6 ' if ':' in each else ''}route add {each} dev eth0" for each in NETWORKS]
            for family in ("-4", "-6"):
                lines = [line.removeprefix("-6 ") for line in ways if line.startswith("-6 ") == (family == "-6")]
                mine = [line for line in own if (":" in line) == (family == "-6")]
                before = ["link set eth0 up"] if family == "-4" else []
                machine.ip([*before, *mine, *(lines if mine else [])], family)

    def close(self) -> None:
        """Ends all machines."""
        for machine in (*reversed(self.machines.values()), *(carrier for carrier, _ in self._lines.values())):
            machine.close()
        self._switch.close()


def cable(one: Machine, other: Machine, addresses: Sequence[str], others: Sequence[str]) -> None:
    """A cable between two machines, `eth0` on both, with their addresses (`192.0.2.1/24`, `2001:db8::1/64`)."""
    one.ip([f"link add eth0 type veth peer name eth0 netns {other.pid}"])
    for machine, own in ((one, addresses), (other, others)):
        # Without waiting for who else may have the address: nobody can.
        machine.ip([*(f"address add {each} dev eth0" + (" nodad" if ":" in each else "") for each in own), "link set eth0 up"])


def end(process: subprocess.Popen[Any]) -> None:
    """Ends a program that a machine started: what stands between (nsenter) passes no signals on."""
    for child in _children(process.pid):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    for child in _children(process.pid):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    places.end(process)


def _host(address: str) -> str:
    return f"{address}/128" if ":" in address else f"{address}/32"


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []
