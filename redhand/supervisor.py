"""Runs Red Hand: binds sockets, builds the block list, keeps workers and landing alive, rebuilds when a source changes, stops in time.

It serves nothing itself and reads no packet, no list and no request: what it must do at any moment is restart others. A failing build, landing page
or worker never stops the rest; a list that was good stays in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM
from typing import Any

from blocklists import outlet, readers
from blocklists.agreed import Timekeeper
from blocklists.alarms import Alarms
from blocklists.errors import RedHandError
from blocklists.turns import take_short_turns
from blocklists.watch import POLL_SECONDS
from redhand import screen, status
from redhand.alarms import SUPERVISOR
from redhand.beside import beside
from redhand.children import LOOPS_AFTER, Child, Keeper, Patience, once
from redhand.compacting import Compacting
from redhand.granting import Granting, Grounds
from redhand.hangs import HANGS_SECONDS, LOOK_SECONDS, Hangs
from redhand.lending import Lending
from redhand.listing import DAMAGED, alarms_of
from redhand.processes import Life
from redhand.reload import STOPPING, Arranged, Change, Reload, Reloader
from redhand.seen import Seen
from redhand.standby import Standby, Waiting
from redhand.upkeep import Upkeep
from resolver import board

KILL_AFTER = 4.0
"""Seconds between asking children to end and ending them: together with our own end, under the 5 s promised."""

BUILD_WITHIN = 1800.0
"""Seconds a build may take before it is killed: a file system that hangs must not be the end of all later builds."""

BUILD_SLOW = 60.0
"""Seconds after which a build that goes on is an alarm: ten million names take less, unless the disk is slow."""

RETRY_FIRST, RETRY_LONGEST = 1.0, 60.0
"""Seconds before a build that failed (a full disk, another one under way) or found damage is tried again: the first time, and at the longest."""

DEMONSTRATED_WITHIN = 15.0
"""Seconds that the first screen waits for the demonstration's orders to be in force; everything else serves meanwhile."""
LOOK_AGAIN = 0.02

TOLD = ("pinned", "first_skipped", "skipped")
"""What of a build's result the operator is told in the log: not the same each time that a build is only tried again."""

log = logging.getLogger("redhand")

Edited = Callable[[float], bool]


def say(text: str) -> None:
    """One line in the log."""
    log.log(logging.WARNING if text.startswith(("ALARM", "warning")) else logging.INFO, text)


def show(text: str) -> None:
    """To standard output, as far as it takes it: somebody may have stopped reading there."""
    outlet.write(sys.stdout.fileno(), text.encode(errors="replace") + b"\n")


@dataclass(slots=True)
class Plan:
    """What to run."""

    name: str
    """The status file's name (see redhand.status)."""
    state_dir: Path
    children: list[Child]
    builder: Callable[[], Child] | None
    """The job as of now; None when no list is built here."""
    edited: Edited
    """Whether a source was edited since it last said so, given monotonic seconds; made before the first build, called in a thread."""
    facts: dict[str, Any]
    """What the first screen and the status say besides: version, settings, dns, landing, upstreams, warnings."""
    has_list: bool
    """A list of an earlier run can be served while the new one is built."""
    sockets: Iterable[Any] = ()
    """Kept open until the end; each has `close`."""
    demonstrated: Callable[[int], bool] | None = None
    """Whether the list on disk has the demonstration's orders in force at a time (unix seconds), called in a thread; None without demonstration."""
    program: str = "redhand"
    clock: Timekeeper | None = None
    """What the builder's jobs take their time from; one is made if there is none."""
    standby: Waiting | None = None
    """The worker that waits for a job; None when no child takes its job while it waits."""
    read: Callable[[], Change] | None = None
    """Reads the settings again, in a thread."""
    access: Grounds | None = None
    """By whom reviewers' access may be granted; None when by nobody."""


@dataclass(slots=True)
class Supervisor:
    """One run, from the first build to the last child's end."""

    plan: Plan
    say: Callable[[str], None] = say
    show: Callable[[str], None] = show
    keepers: list[Keeper] = field(default_factory=list)
    listed: dict[str, Any] | None = None
    """The builder's last good result."""
    state: str = "starting"
    started: float = field(default_factory=time.time)
    failed: str = ""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by a second Ctrl-C. Not by a second SIGTERM: some senders send it to the process and to its group."""
    look: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to have the list built again at once (SIGHUP)."""
    serving: asyncio.Event = field(default_factory=asyncio.Event)
    seen: Seen = field(init=False)
    standby: Standby | None = None
    lending: Lending = field(default_factory=Lending)
    reloader: Reloader | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    alarms: Alarms = field(init=False)
    """What the supervisor itself notices."""
    upkeep: Upkeep | None = None
    compacting: Compacting = field(init=False)
    granting: Granting = field(init=False)
    _of_list: set[str] = field(default_factory=set)
    """Names of the alarms that the last build left on."""

    def __post_init__(self) -> None:
        self.alarms = Alarms(self._note)
        self.seen = Seen(self.plan.state_dir, self.plan.name, self.say, self._changed, self.report, self._workers, self._reload)
        self.compacting = Compacting(lambda: self.plan.builder, self.say)
        self.granting = Granting(self.plan.access, self._workers, self.alarms, self.say, self._changed)

    def _workers(self) -> list[Keeper]:
        return [keeper for keeper in self.keepers if keeper.child.by_channel]

    def report(self) -> dict[str, Any]:
        """How everything stands."""
        return {
            "pid": os.getpid(),
            "state": self.state,
            "started": int(self.started),
            "state_dir": str(self.plan.state_dir),
            "list": self.listed,
            "build_error": self.failed or None,
            "children": [keeper.report() for keeper in self.keepers],
            "standby": self.standby.report() if self.standby else None,
            "alarms": self.seen.alarms.report(),
            "feed": self.seen.feed,
            "access": self.granting.report(),
            **self.plan.facts,
        }

    async def run(self) -> int:
        """Run until told to stop; the exit code: 0, or 1 when it could not begin."""
        take_short_turns()  # every child inherits them: none is kept from answering by another's start
        with status.hold(self.plan.state_dir, self.plan.name):
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(SIGTERM, self._terminate)
            loop.add_signal_handler(SIGINT, self._interrupt)
            loop.add_signal_handler(SIGHUP, self._hang_up)
            clock = self.plan.clock or Timekeeper(self.plan.state_dir)
            self.upkeep = Upkeep(self.plan.state_dir, self.plan.name, self.alarms, clock, floor=self.plan.builder is not None)
            tending = asyncio.create_task(self.upkeep.tend())
            tending.add_done_callback(self._broken)
            if self.plan.standby is not None:
                self.standby = Standby(self.plan.standby, self.say, self._changed, self._is_calm)
                self.standby.begin()
            spare = self.standby.take if self.standby is not None else lambda _: None
            self.keepers = [
                Keeper(child, self.say, self._changed, self.heard, spare, self.seen.begun, self.seen.gone, self.alarms)
                for child in self.plan.children
            ]
            if self.plan.read is not None:
                self.reloader = Reloader(self.plan.read, self.keepers, self._take, self.say, self.alarms)
            self._changed()
            await self.seen.open()
            try:
                return await self._run()
            finally:
                await self.seen.close()
                if self.standby is not None:
                    await self.standby.stop()
                self._enter("stopped")
                tending.cancel()
                for opened in self.plan.sockets:
                    opened.close()
                self.upkeep.close()
                self.say("stopped")

    async def _run(self) -> int:
        lives: list[asyncio.Task[None]] = []
        if self.plan.builder and not self.plan.has_list:
            lives += [asyncio.create_task(self._keep(keeper, at_once=True)) for keeper in self.keepers if keeper.child.early]
            await self._unless_stopped(self._build())
            if self.stop.is_set() or self.failed:
                await self._end(lives)
            if self.stop.is_set():
                return 0
            if self.failed:
                self.say("there is no list to serve yet, neither a new one nor one of an earlier run; mend what is named above and start again")
                return 1
        begun = bool(lives)
        lives += [asyncio.create_task(self._keep(keeper)) for keeper in self.keepers if not (begun and keeper.child.early)]
        others = [asyncio.create_task(self._unless_stopped(each)) for each in (self._greet(), self._watch(), self.granting.run())]
        if self.plan.builder:
            others.append(asyncio.create_task(self._unless_stopped(self._follow(build=self.plan.has_list))))
            others.append(asyncio.create_task(self._unless_stopped(self.compacting.run())))
        for task in (*lives, *others):
            task.add_done_callback(self._broken)
        await self.stop.wait()
        self._enter("stopping")
        await self._end(lives)
        await asyncio.gather(*others)
        return 0

    def _broken(self, task: asyncio.Task[None]) -> None:
        """A fault of our own must not leave half a supervisor running: stop, so that whoever started us starts us again."""
        if not task.cancelled() and (error := task.exception()):
            self.say(f"stopping because of a fault in the supervisor: {error!r}")
            self.stop.set()

    async def _unless_stopped(self, work: Awaitable[object]) -> None:
        """Do the work, or drop it when told to stop."""
        task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(self.stop.wait())
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        for each in (task, stopped):
            if not each.done():
                each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _keep(self, keeper: Keeper, at_once: bool = False) -> None:
        """Keep a child; one that nobody waits for only once all the others serve, so that its start takes nothing from theirs."""
        before = [each.ready for each in self.keepers if each.child.name == keeper.child.after]
        if not keeper.child.awaited and not at_once:
            before.append(self.serving)
        for event in before:
            waits = [asyncio.ensure_future(each.wait()) for each in (event, keeper.stopping)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in waits:
                each.cancel()
        await keeper.keep()

    async def _watch(self) -> None:
        """For ever: have whoever hangs replaced."""
        hangs: Hangs[Life] = Hangs()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            ready = [(keeper.life, keeper) for keeper in self._workers() if keeper.state == "ready"]
            serving = {life: keeper for life, keeper in ready if life is not None and not life.ended.is_set()}
            for life in hangs.look(time.monotonic(), [(life, board.beat(life.board)) for life in serving if life.board is not None]):
                serving[life].hangs(life, HANGS_SECONDS)

    async def _greet(self) -> None:
        """Print the first screen when every child has been ready once."""
        for keeper in self.keepers:
            if keeper.child.awaited:
                await keeper.ready.wait()
        self._enter("serving")
        if self.upkeep is not None:
            await self.upkeep.settled()
        listed, shown = self.listed or status.in_force(self.plan.state_dir), False
        if self.plan.demonstrated is not None:
            shown = await self._demonstrate(self.plan.demonstrated)
            listed = status.in_force(self.plan.state_dir) or listed
        self.show(screen.first({**self.report(), "list": listed}, screen.Style.of(sys.stdout.isatty()), self.plan.program, shown))
        self.serving.set()

    async def _demonstrate(self, in_force: Callable[[int], bool]) -> bool:
        """Wait for the demonstration's orders, not for long; whether they are in force."""
        if await beside(in_force, int(time.time())):
            return True
        self.serving.set()
        ends = time.monotonic() + DEMONSTRATED_WITHIN
        while not (self.seen.feed or {}).get("newest"):
            if time.monotonic() >= ends or any(keeper.child.name == "demo" and keeper.patience.ends >= LOOPS_AFTER for keeper in self.keepers):
                return False
            await asyncio.sleep(LOOK_AGAIN)
        serial = (status.in_force(self.plan.state_dir) or {}).get("serial", 0)
        await beside(readers.wait_for_readers, self.plan.state_dir, serial, ends - time.monotonic())
        return await beside(in_force, int(time.time()))

    async def _follow(self, *, build: bool) -> None:
        """Build again whenever a source changes; a change during a build is met by the next.

        After damage was found, too: whether it was mended, by that build or by an operator, only another one can say.
        """
        patience = Patience(RETRY_FIRST, RETRY_LONGEST)
        again = 0.0 if DAMAGED in self._of_list else math.inf
        while True:
            if build:
                asked = self.look.is_set()
                self.look.clear()
                await self._build(asked)
                unsound = self.failed or DAMAGED in self._of_list
                again = time.monotonic() + patience.ended(0) if unsound else math.inf
                if not unsound:
                    patience.forgive()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.look.wait(), POLL_SECONDS)
            edited = await beside(self.plan.edited, time.monotonic())
            build = edited or self.look.is_set() or time.monotonic() >= again

    async def _build(self, asked: bool = False) -> None:
        """One run of the builder; on failure the last good version stays in force. `asked`: somebody waits to hear what came of it."""
        assert self.plan.builder is not None  # noqa: S101 - callers asked
        slow = asyncio.get_running_loop().call_later(
            BUILD_SLOW,
            self.alarms.sound,
            "list late",
            f"the block list's next version has been under way for {BUILD_SLOW:g} s; the one in force stays",
            "see whether the disks of state_dir and of the sources are slow, or the machine is out of memory",
        )
        try:
            async with asyncio.timeout(BUILD_WITHIN):
                result, end = await once(self.plan.builder(), self.say)
        except TimeoutError:
            result, end = None, f"killed after {BUILD_WITHIN:g} s"
        except OSError as error:
            result, end = None, f"could not be started: {error}"
        slow.cancel()
        self.alarms.clear("list late")
        if result is None or not result.get("ok"):
            self.failed = str((result or {}).get("error") or f"the builder ended without a result ({end})")
            self.say(f"block list not built: {self.failed}")
        else:
            self.failed = ""
            if self.listed is None or self.listed["serial"] != result["serial"]:
                self.say(f"block list: {screen.blocked(result)}, built in {result['seconds']:.1f} s")
            elif asked:
                self.say(f"block list: {screen.blocked(result)}, as before")
            if asked or self.listed is None or any(self.listed[told] != result[told] for told in ("serial", *TOLD)):
                self._tell(result)
            self.listed = result
            self.compacting.heard(result)
        raised = alarms_of(result, self.failed)
        for name, (what, remedy) in raised.items():
            self.alarms.sound(name, what, remedy)
        for name in self._of_list - set(raised):
            self.alarms.clear(name)
        self._of_list = set(raised)
        self._changed()

    def _tell(self, result: dict[str, Any]) -> None:
        """What the operator should know of it: a pin, the first records skipped."""
        if result["pinned"] is not None:
            self.say(f"block list: pinned to version {result['pinned']}; what changes in the sources waits for: redhand blocklist unpin")
        for row in result["first_skipped"]:
            self.say(f"block list: {row['source']}: {row['where']}:{row['line']}: {row['value']!r} is skipped: {row['reason']}")
        if unshown := result["skipped"] - len(result["first_skipped"]):
            self.say(f"block list: and {unshown} more skipped; all stand in the version's own file")

    async def _end(self, lives: list[asyncio.Task[None]]) -> None:
        """TERM to every child, KILL to those still there 4 s later or at a second Ctrl-C."""
        for keeper in self.keepers:
            keeper.stop()
        again = asyncio.create_task(self.hurry.wait())
        everyone = asyncio.gather(*lives)
        await asyncio.wait((everyone, again), timeout=KILL_AFTER, return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        if not everyone.done():
            late = [keeper for keeper in self.keepers if keeper.state != "stopped"]
            why = "Ctrl-C came twice" if self.hurry.is_set() else f"not ended within {KILL_AFTER:g} s"
            self.say(f"killed: {', '.join(keeper.child.name for keeper in late)} ({why})")
            for keeper in late:
                keeper.signal(SIGKILL)
        await everyone

    def heard(self, child: str, message: dict[str, Any]) -> None:
        """Takes what a child says, besides that it is ready (see blocklists.tell)."""
        self.seen.heard(child, message)
        self.compacting.heard(message)

    def _terminate(self) -> None:
        if not self.stop.is_set():
            self.say("stopping, as SIGTERM asks")
        self.stop.set()

    def _interrupt(self) -> None:
        if self.stop.is_set():
            self.hurry.set()
        else:
            self.say("stopping, as Ctrl-C (SIGINT) asks")
            self.stop.set()

    def _hang_up(self) -> None:
        self.say(
            "reading the settings again and building the block list, as SIGHUP asks"
            if self.reloader
            else "building the block list again, as SIGHUP asks"
        )
        task = asyncio.create_task(self._unless_stopped(self.reload()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._broken)

    async def reload(self) -> Reload:
        """Read the settings again, put in force what can be, and have the list built again whatever came of it."""
        if self.stop.is_set():
            return Reload(refused=STOPPING)
        result = await self.reloader.reload() if self.reloader else Reload()
        self.look.set()
        return result

    async def _reload(self) -> list[str]:
        result = await self.reload()
        if result.refused:
            raise RedHandError(result.said()[0])
        return result.said()

    def _take(self, arranged: Arranged) -> None:
        """Go by other settings from now on."""
        self.plan.builder, self.plan.edited = arranged.builder, arranged.edited
        self.plan.facts = arranged.facts
        self.granting.grounds = arranged.access
        self._changed()

    def _is_calm(self) -> bool:
        return self.state == "serving" and all(keeper.state != "starting" for keeper in self.keepers)

    def _enter(self, state: str) -> None:
        self.state = state
        self._changed()

    def _changed(self) -> None:
        if not self.stop.is_set():
            self.lending.settle(self._workers())
            self.granting.settle()
            if self.standby is not None:
                self.standby.settle()
        if self.upkeep is not None:
            self.upkeep.note(self.report())

    def _note(self, message: dict[str, Any]) -> bool:
        self.heard(SUPERVISOR, message)
        return True
