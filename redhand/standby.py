"""The standby: one worker process that has no job yet, so that one that dies has a successor that need not be loaded first.

It is made when nothing else starts, at the lowest priority; one that dies waiting is made again with patience. Processes started before the settings
were known are taken first, and the first of them that is left over is the standby.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM
from typing import Any

from redhand.children import Patience
from redhand.launch import Started, take_early
from redhand.processes import Life, Say

NAME = "standby"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a plan says of the standby."""

    command: tuple[str, ...]
    """Starts one that loads gently."""
    state_dir: Path
    confined: bool = True
    logs: str = "text"


@dataclass(slots=True)
class Standby:
    """`calm` says whether nothing else starts just now."""

    plan: Waiting
    say: Say
    changed: Callable[[], None]
    calm: Callable[[], bool]
    lives: list[Life] = field(default_factory=list)
    patience: Patience = field(default_factory=Patience)
    _not_before: float = 0.0
    _stopping: bool = False

    def begin(self) -> None:
        """Take over those started early."""
        self.lives += [self._watch(started) for started in take_early()]

    def take(self, planned: bool) -> Life | None:
        """One to give a job to: one that waits, else one that was not started gently and will wait in a moment.

        When there is none: for a planned start one that still loads gently, else None.
        """
        usable = [life for life in self.lives if not life.ended.is_set()]
        found = next((life for life in usable if life.warm.is_set()), next((life for life in usable if life.hurries), None))
        if found is None and planned:
            found = next(iter(usable), None) or self._made()
        if found in self.lives:
            self.lives.remove(found)
        return found

    def _made(self) -> Life | None:
        try:
            return self._watch(Started.waiting(self.plan.command, hurries=False))
        except OSError as error:
            self.say(f"no standby could be started: {error}")
            return None

    def settle(self) -> None:
        """Make one when there is none and all is calm; let go of those there is no need for."""
        if self._stopping or not self.calm():
            return
        for life in self.lives[1:]:
            life.signal(SIGTERM)
        del self.lives[1:]
        if self.lives:
            self._prepare(self.lives[0])
        elif time.monotonic() >= self._not_before:
            made = self._made()
            if made is None:
                self._again(0)
                return
            self.lives.append(made)
            self._prepare(made)

    def _watch(self, started: Started) -> Life:
        life = Life(NAME, started, self.say, self._heard)
        began = time.monotonic()
        life.when_ended(lambda: self._ended(life, time.monotonic() - began))
        return life

    def _heard(self, _: str, message: dict[str, Any]) -> None:
        if message.get("warm") is True:
            self.changed()

    def _prepare(self, life: Life) -> None:
        if not life.prepared:
            plan = self.plan
            life.prepared = life.tell({"do": "prepare", "state_dir": str(plan.state_dir), "confined": plan.confined, "logs": plan.logs})

    def _ended(self, life: Life, lived: float) -> None:
        if life in self.lives:
            self.lives.remove(life)
            self.say(f"the standby ended ({life.how})")
            self._again(lived)

    def _again(self, lived: float) -> None:
        delay = self.patience.ended(lived)
        self._not_before = time.monotonic() + delay
        asyncio.get_running_loop().call_later(delay + 0.01, self.settle)
        self.changed()

    async def stop(self) -> None:
        """End those that still wait; they hold nothing."""
        self._stopping = True
        lives, self.lives = self.lives, []
        for life in lives:
            life.signal(SIGTERM)
        await asyncio.gather(*(life.ended.wait() for life in lives))

    def report(self) -> dict[str, Any] | None:
        """How it stands; None while there is none."""
        life = next(iter(self.lives), None)
        return {"state": "waiting" if life.warm.is_set() else "starting", "pid": life.pid} if life else None
