"""Child processes: started with one JSON job, watched until ready, restarted with growing patience, replaced without a gap, stopped in time.

A child prints `{"ready": true, ...}` on stdout when it serves, logs to stderr and ends on SIGTERM. Its job is one JSON line on stdin, or comes with
its sockets by a channel that is its stdin (resolver.channel); such a child may be started before there is a job for it. Nothing here knows what a
child does. It refuses to guess: a line on stdout that is no JSON object is passed on to stderr and otherwise ignored.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from signal import SIGKILL, SIGTERM, Signals
from typing import Any, Literal

from blocklists.alarms import Alarms
from redhand.launch import Started, launch
from redhand.processes import Life, Say

FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0
HEALTHY_AFTER = 30.0
READY_WITHIN = 60.0
"""Seconds: the first restart's delay, the longest, the time in service that forgives earlier ends, and how long a child may take to be ready."""

LOOPS_AFTER = 3
"""Ends not forgiven that make a crash loop."""

LEAVE_WITHIN = 4.5
"""Seconds that one replaced may take to deliver what it owes, before it is killed."""

State = Literal["starting", "ready", "waiting", "stopped"]


@dataclass(frozen=True, slots=True)
class Child:
    """What to start and what to tell it."""

    name: str
    command: tuple[str, ...]
    """Program (an absolute path) and its arguments."""
    job: dict[str, Any]
    fds: tuple[int, ...] = ()
    """Sockets it is given: by the channel in the order of its job's "sockets", or else inherited under the same numbers."""
    by_channel: bool = False
    awaited: bool = True
    """Whether the first screen waits until it is ready."""
    after: str = ""
    """The child that must have been ready once before this one is started."""
    early: bool = False
    """Whether it is started at once where there is no list yet: nobody is served whom it could keep waiting."""


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


def start(child: Child, say: Say, hear: Callable[[str, dict[str, Any]], None], spare: Life | None = None, board: int | None = None) -> Life:
    """The child's process, given its job; `spare` is one that waits for a job by its channel. Raises OSError when none can be started."""
    if not child.by_channel:
        with open(os.memfd_create(child.name), "w+b") as job:
            job.write(json.dumps(child.job).encode() + b"\n")
            job.seek(0)
            return Life(child.name, Started(launch(child.command, job.fileno(), child.fds), None), say, hear)
    if spare is not None:
        try:
            served = spare.serve(child.name, child.job, board, child.fds, hear)
        except OSError:
            spare.signal(SIGKILL)
            raise
        if served:
            return spare
        spare.signal(SIGKILL)  # nobody else would end it
    life = Life(child.name, Started.waiting(child.command), say, hear)
    life.serve(child.name, child.job, board, child.fds, hear)  # one that died at once: its exit code tells
    return life


def _nothing(*_: object) -> None:
    """For whoever does not want to know."""


@dataclass(slots=True)
class Keeper:
    """Keeps one child running until told to stop."""

    child: Child
    say: Say
    changed: Callable[[], None] = _nothing
    """Called after every change of state."""
    hear: Callable[[str, dict[str, Any]], None] = _nothing
    """Given the child's name and each message it sends."""
    spare: Callable[[bool], Life | None] = lambda _: None
    """Gives away a process to be given a job by its channel, if there is one: its start costs no time. Told whether there is no hurry."""
    begun: Callable[[Child], int | None] = lambda _: None
    """Gives the memory a new life of the child writes its figures to."""
    gone: Callable[[str, int | None], None] = _nothing
    """Told when a life is over, with that memory."""
    alarms: Alarms = field(default_factory=lambda: Alarms(lambda _: True))
    state: State = "starting"
    restarts: int = 0
    last_end: str = ""
    life: Life | None = None
    """The process that serves or is to."""
    lives: set[Life] = field(default_factory=set)
    """It, its successor while it is being replaced, and those that deliver what they owe."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the child has been ready for the first time."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    patience: Patience = field(default_factory=Patience)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _turned: asyncio.Event = field(default_factory=asyncio.Event)
    _replacing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _passed_on: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process that serves is another: what ends next may be the successor, while the one before still delivers."""
    _swapped: asyncio.Event | None = None
    """While a successor is being made ready: set when that has succeeded or failed."""

    @property
    def announced(self) -> dict[str, Any]:
        """What the child said when it became ready."""
        return self.life.announced if self.life else {}

    async def keep(self) -> None:
        """Start, watch and restart the child; returns when every process of it has ended after `stop`."""
        while not self.stopping.is_set():
            served = await self._once()
            if self.stopping.is_set():
                break
            await self._pause(served)
            self.restarts += 1
        await asyncio.gather(*(life.ended.wait() for life in self.lives))
        self._enter("stopped")

    async def _pause(self, served: float) -> None:
        """Rest before the next start; not after the first end of a child whose successor may be loaded already."""
        delay = self.patience.ended(served)
        if self.child.by_channel and self.patience.ends == 1:
            self.say(f"{self.child.name} ended ({self.last_end}); its successor takes over")
            return
        self.say(f"{self.child.name} ended ({self.last_end}); starting it again in {delay:g} s")
        if self.patience.ends >= LOOPS_AFTER:
            self.alarms.sound(
                f"crash loop {self.child.name}",
                f"{self.child.name} keeps ending, never after {HEALTHY_AFTER:g} s in service; last: {self.last_end}",
                "see what it logged before; it is started again by itself, at the latest every 10 s" + self._meanwhile(),
            )
        self._wake.clear()
        self._enter("waiting")
        if not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), delay)

    def _meanwhile(self) -> str:
        return ", and other workers answer for it meanwhile" if self.child.by_channel else ""

    def _entered_service(self, life: Life) -> None:
        """Earlier ends are forgiven once it has served for long enough."""

        def forgive() -> None:
            if life is self.life and not life.ended.is_set():
                self.patience.forgive()
                self.alarms.clear(f"crash loop {self.child.name}")
                self.alarms.clear(f"{self.child.name} hangs")

        handle = asyncio.get_running_loop().call_later(HEALTHY_AFTER, forgive)
        life.when_ended(handle.cancel)

    async def _once(self) -> float:
        """From a start to an end that was not planned; returns the seconds the last process was in service."""
        try:
            self.life = self._begin(self.child)
        except OSError as error:
            self._enter("starting")
            self.last_end = f"could not be started: {error}"
            return 0
        self._enter("starting")
        if await self._until_ready(self.life):
            self._entered_service(self.life)
            self._enter("ready")
            self.ready.set()
        while True:
            life, self._passed_on = self.life, asyncio.Event()
            await life.first_of(self._passed_on)
            if self._swapped is not None:
                await self._swapped.wait()
            if life is self.life and life.ended.is_set():
                self.last_end = life.how
                return time.monotonic() - life.ready_at if life.ready_at else 0

    def _begin(self, child: Child, planned: bool = False) -> Life:
        board = self.begun(child)
        try:
            life = start(child, self.say, self.hear, self.spare(planned) if child.by_channel else None, board)
        except OSError:
            self.gone(child.name, board)
            raise
        life.board = board
        self.lives.add(life)
        life.when_ended(lambda: self._forget(life, board))
        if self.stopping.is_set():
            life.signal(SIGTERM)
        return life

    def _forget(self, life: Life, board: int | None) -> None:
        self.lives.discard(life)
        self.gone(self.child.name, board)

    async def _until_ready(self, life: Life) -> bool:
        """Whether it became ready rather than ended; one that takes too long is killed."""
        if await life.first_of(life.ready, READY_WITHIN):
            return life.ready.is_set()
        self.say(f"{self.child.name} was not ready within {READY_WITHIN:g} s; ending it")
        life.signal(SIGKILL)
        await life.ended.wait()
        return False

    async def replace(self, child: Child) -> str:
        """Put a successor with another job in its place without a gap: it reads the same sockets before the old one leaves them and drains.

        Empty when it serves; else why it does not, and then the old one and its job stay. A child that is not ready itself has nothing to lose: it
        gets the new job at its next start, which is now.
        """
        async with self._replacing:
            await self._turned_from("starting")
            if self.stopping.is_set():
                return "it is being stopped"
            if self.state != "ready":
                await self._hasten(child)
                return ""
            self._swapped = asyncio.Event()
            try:
                old = await self._swap(child)
            finally:
                self._swapped.set()
                self._swapped = None
            if isinstance(old, str):
                return old
            self.changed()
            old.signal(SIGTERM)
            if not await old.first_of(old.ended, LEAVE_WITHIN):
                self.say(f"{self.child.name}: process {old.pid}, which was replaced, did not end within {LEAVE_WITHIN:g} s and is killed")
                old.signal(SIGKILL)
                await old.ended.wait()
            return ""

    async def _turned_from(self, state: State) -> None:
        while self.state == state and not self.stopping.is_set():
            await self._turned.wait()

    async def _hasten(self, child: Child) -> None:
        self.child = child
        self.patience.forgive()
        self._wake.set()
        await self._turned_from("waiting")
        await self._turned_from("starting")

    async def _swap(self, child: Child) -> Life | str:
        """The process that was replaced; or why its successor did not become ready."""
        old = self.life
        assert old is not None  # noqa: S101 - `replace` looked: it is ready
        try:
            successor = self._begin(child, planned=True)
        except OSError as error:
            self.say(f"{child.name}: its successor could not be started: {error}")
            return f"could not be started: {error}"
        if not await self._until_ready(successor):
            self.say(f"{child.name}: its successor ended before it was ready ({successor.how}); it serves on as before")
            return f"ended with {successor.how}" if successor.how.startswith("exit") else successor.how
        self.life, self.child = successor, child
        self._passed_on.set()
        self._entered_service(successor)
        return old

    def _enter(self, state: State) -> None:
        self.state = state
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()
        self.changed()

    def hangs(self, life: Life, seconds: float) -> None:
        """End a process that lives and does not serve, so that a successor takes over."""
        self.alarms.sound(
            f"{self.child.name} hangs",
            f"its process {life.pid} did nothing for {seconds:g} s; it is killed, and a successor takes over",
            "see whether the machine is short of memory, or somebody stopped the process (ps: state T); if neither, report it with the log",
        )
        life.signal(SIGKILL)

    def tell(self, message: dict[str, Any], files: tuple[int, ...] = ()) -> bool:
        """Say something to the process that serves; whether it went out."""
        return self.state == "ready" and self.life is not None and self.life.tell(message, files)

    def signal(self, number: Signals) -> None:
        """Send every process of the child a signal."""
        for life in self.lives:
            life.signal(number)

    def stop(self) -> None:
        """Ask the child to end, and start it no more."""
        self.stopping.set()
        self._wake.set()
        self._turned.set()
        self.signal(SIGTERM)

    def report(self) -> dict[str, Any]:
        """How it stands, for the status file."""
        pid = self.life.pid if self.life and not self.life.ended.is_set() else None
        return {
            "name": self.child.name,
            "state": "starting" if self.state == "ready" and pid is None else self.state,
            "pid": pid,
            "restarts": self.restarts,
            "last_end": self.last_end or None,
        }


async def once(child: Child, say: Say) -> tuple[dict[str, Any] | None, str]:
    """Run a child that does one thing: the last JSON object it printed, if any, and how it ended. A cancelled caller leaves no child behind."""
    said: list[dict[str, Any]] = []
    life = start(child, say, lambda _, message: said.append(message))
    try:
        await life.ended.wait()
        return said[-1] if said else None, life.how
    finally:
        if not life.ended.is_set():
            life.signal(SIGKILL)
            await life.ended.wait()
