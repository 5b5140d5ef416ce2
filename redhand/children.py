"""Child processes: started with one JSON job, watched until ready, restarted with growing patience, stopped in time.

A child reads its job (one JSON line) from stdin, prints `{"ready": true, ...}` on stdout when it serves, logs to stderr and ends on SIGTERM.
Nothing here knows what a child does. It refuses to guess: a line on stdout that is no JSON object is passed on to stderr and otherwise ignored.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, Literal

FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0
HEALTHY_AFTER = 30.0
READY_WITHIN = 60.0
"""Seconds: the first restart's delay, the longest, the time in service that forgives earlier ends, and how long a child may take to be ready."""

LINE_LIMIT = 1 << 20

ROOT = Path(__file__).resolve().parent.parent

State = Literal["starting", "ready", "waiting", "stopped"]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Child:
    """What to start and what to tell it."""

    name: str
    command: tuple[str, ...]
    """Program (an absolute path) and its arguments."""
    job: dict[str, Any]
    fds: tuple[int, ...] = ()
    """Sockets it inherits, under the same numbers."""


def module(name: str) -> tuple[str, ...]:
    """The command that runs one of our modules. -P: a directory called `resolver` where the operator stands must not be taken for ours."""
    return (sys.executable, "-P", "-m", name)


@dataclass(slots=True)
class Patience:
    """How long to wait before the next start: 0.1 s, doubled each time up to 10 s, forgiven after 30 s in service."""

    first: float = FIRST_DELAY
    longest: float = LONGEST_DELAY
    ends: int = 0
    """Ends since the last forgiven."""

    def ended(self, served: float) -> float:
        """Seconds to wait, after an end that followed `served` seconds of service."""
        if served >= HEALTHY_AFTER:
            self.forgive()
        self.ends += 1
        return min(self.first * (1 << min(self.ends - 1, 30)), self.longest)

    def forgive(self) -> None:
        """Begin again with the shortest wait."""
        self.ends = 0


def _environment() -> dict[str, str]:
    """Children run the code their supervisor runs: from a checkout that is not installed, they are told where it stands."""
    environment = dict(os.environ)
    if str(ROOT) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
    return environment


async def start(child: Child) -> asyncio.subprocess.Process:
    """Start the child and hand it its job. Raises OSError when the program cannot be started."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(ROOT / "redhand" / "lifeline.py"), str(os.getpid()), *child.command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        pass_fds=child.fds,
        start_new_session=True,  # Ctrl-C is the supervisor's to pass on
        limit=LINE_LIMIT,
        env=_environment(),
    )
    assert process.stdin is not None  # noqa: S101 - asked for above
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died at once: its exit code tells
        process.stdin.write(json.dumps(child.job).encode() + b"\n")
        await process.stdin.drain()
    process.stdin.close()
    return process


async def lines(process: asyncio.subprocess.Process, name: str, say: Say) -> Any:
    """The JSON objects the child prints, one a line, as they come."""
    assert process.stdout is not None  # noqa: S101 - asked for in start()
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:
            say(f"{name} printed a line longer than {LINE_LIMIT} bytes; it was dropped")
            continue
        if not line:
            return
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if isinstance(message, dict):
            yield message
        elif line.strip():
            say(f"{name}: {line.decode(errors='backslashreplace').rstrip()}")


def how(code: int) -> str:
    """`exit code 3`, or `killed by SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


@dataclass(slots=True)
class Keeper:
    """Keeps one child running until told to stop."""

    child: Child
    say: Say
    changed: Callable[[], None] = lambda: None
    """Called after every change of state."""
    state: State = "starting"
    restarts: int = 0
    last_end: str = ""
    announced: dict[str, Any] = field(default_factory=dict)
    """What the child said when it became ready."""
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the child has been ready for the first time."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    patience: Patience = field(default_factory=Patience)

    async def keep(self) -> None:
        """Start, watch and restart the child; returns when it has ended after `stop`."""
        while not self.stopping.is_set():
            served = await self._once()
            if self.stopping.is_set():
                break
            delay = self.patience.ended(served)
            self.say(f"{self.child.name} ended ({self.last_end}); starting it again in {delay:g} s")
            self._enter("waiting")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), delay)
            self.restarts += 1
        self._enter("stopped")

    async def _once(self) -> float:
        """One life of the child; returns the seconds it was in service."""
        self._enter("starting")
        try:
            self.process = await start(self.child)
        except OSError as error:
            self.last_end = f"could not be started: {error}"
            return 0
        if self.stopping.is_set():
            self.signal(SIGTERM)
        began: list[float] = []
        impatience = asyncio.get_running_loop().call_later(READY_WITHIN, self._give_up)
        async for message in lines(self.process, self.child.name, self.say):
            if message.get("ready") is True and not began:
                impatience.cancel()
                began.append(time.monotonic())
                self.announced = message
                self._enter("ready")
                self.ready.set()
        code = await self.process.wait()
        impatience.cancel()
        self.process = None
        self.last_end = how(code)
        return time.monotonic() - began[0] if began else 0

    def _give_up(self) -> None:
        self.say(f"{self.child.name} was not ready within {READY_WITHIN:g} s; ending it")
        self.signal(SIGKILL)

    def _enter(self, state: State) -> None:
        self.state = state
        self.changed()

    def signal(self, number: Signals) -> None:
        """Send the child a signal, if it runs."""
        if self.process and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    def stop(self) -> None:
        """Ask the child to end, and start it no more."""
        self.stopping.set()
        self.signal(SIGTERM)

    def report(self) -> dict[str, Any]:
        """How it stands, for the status file."""
        return {
            "name": self.child.name,
            "state": self.state,
            "pid": self.process.pid if self.process else None,
            "restarts": self.restarts,
            "last_end": self.last_end or None,
        }


async def once(child: Child, say: Say) -> tuple[dict[str, Any] | None, str]:
    """Run a child that does one thing: the last JSON object it printed, if any, and how it ended. A cancelled caller leaves no child behind."""
    process = await start(child)
    result: dict[str, Any] | None = None
    try:
        async for message in lines(process, child.name, say):
            result = message
        return result, how(await process.wait())
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
