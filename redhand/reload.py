"""Reading the settings again while everything serves: what changed, what of it can be put in force now, and putting it in force without a gap.

What a process was given at its start by the kernel (sockets, users, directories) waits for a restart and is named. The rest goes to the workers and
the landing page by replacing one after another those whose job it changes. A file that is wrong changes nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from blocklists.alarms import Alarms
from blocklists.errors import RedHandError
from blocklists.settings import DEMONSTRATION
from redhand.beside import beside
from redhand.children import Child, Keeper
from redhand.granting import Grounds

ALARM = "settings"
STOPPING = "Red Hand is stopping"
REMEDY = "mend that and reload again"

NEEDS_RESTART = ("state_dir", "user", "logs", "resolver.listen", "resolver.workers", "landing.listen", "landing.listen_tls", "metrics.listen")
"""Settings that hold what is had from the kernel once, at the start."""

LONGEST_SHOWN = 60
"""Characters of a value that is worth showing on one line."""

Values = dict[str, Any]


def leaves(values: Values, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting's dotted name and value, one level into the sections."""
    for name, value in values.items():
        if isinstance(value, dict) and not prefix:
            yield from leaves(value, f"{name}.")
        else:
            yield f"{prefix}{name}", value


def differences(old: Values, new: Values) -> dict[str, tuple[Any, Any]]:
    """Settings whose value differs: before and after."""
    before = dict(leaves(old))
    return {name: (before.get(name), value) for name, value in leaves(new) if before.get(name) != value}


def held_back(old: Values, new: Values) -> Values:
    """The new settings, but those that need a restart as they were."""
    merged = json.loads(json.dumps(new))
    for name in NEEDS_RESTART:
        *sections, last = name.split(".")
        before, after = old, merged
        for section in sections:
            before, after = before.get(section, {}), after.get(section, {})
        if last in before and last in after:
            after[last] = before[last]
    if "feed" in merged and _processes(old["feed"]) != _processes(merged["feed"]):  # another may be followed; a process begins or ends at a start
        merged["feed"] = old["feed"]
    return dict(merged)


def _processes(feed: Values) -> tuple[bool, bool]:
    """Whether a feed is followed, and whether it is the demonstration's, which is served here."""
    return bool(feed["urls"]), DEMONSTRATION in feed["urls"]


def shown(name: str, value: Any) -> str:
    """`resolver.cache_mb = 64`; the name alone if the value is long."""
    text = json.dumps(value, ensure_ascii=False)
    return f"{name} = {text}" if len(text) <= LONGEST_SHOWN else name


@dataclass(frozen=True, slots=True)
class Arranged:
    """What settings come to: the jobs of all children, and what the supervisor does and says itself."""

    children: list[Child]
    builder: Callable[[], Child] | None
    edited: Callable[[float], bool]
    facts: dict[str, Any]
    access: Grounds | None = None
    """By whom reviewers' access may be granted."""


@dataclass(frozen=True, slots=True)
class Change:
    """Settings read again."""

    arranged: Arranged
    applied: list[str]
    waits: list[str]
    accept: Callable[[], None]
    """To be called once they are in force: the next reading is compared to them."""


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of reading the settings again, a line each."""

    applied: Sequence[str] = ()
    waits: Sequence[str] = ()
    refused: str = ""
    remedy: str = ""
    """What to do about that, if anything."""

    def said(self) -> list[str]:
        """All of it for the log and for whoever asked."""
        if self.refused:
            return ["; ".join(filter(None, (f"settings not applied, those before stay in force: {self.refused}", self.remedy)))]
        lines = [f"settings: {line} is in force" for line in self.applied] + [f"settings: {line} waits for a restart" for line in self.waits]
        return lines or ["settings: nothing changed"]


class NotApplied(RedHandError):
    """A child did not start with its new job."""


class Stopping(RedHandError):
    """All children end: it does not matter any more."""


@dataclass(slots=True)
class Reloader:
    """Puts read settings in force over living keepers, one reading after another.

    `read` reads and checks them (in a thread; it raises RedHandError); `take` has the supervisor go by what is arranged.
    """

    read: Callable[[], Change]
    keepers: Sequence[Keeper]
    take: Callable[[Arranged], None]
    say: Callable[[str], None]
    alarms: Alarms
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reload(self) -> Reload:
        """Read and apply. Cancelled at a stop."""
        async with self._turn:
            try:
                change = await beside(self.read)
                await self._apply(change.arranged.children)
            except Stopping as error:
                result = Reload(refused=str(error))
            except RedHandError as error:
                result = Reload(refused=str(error), remedy=REMEDY)
                self.alarms.sound(ALARM, f"the settings were not applied, those before stay in force: {error}", REMEDY)
            else:
                change.accept()
                self.take(change.arranged)
                self.alarms.clear(ALARM)
                result = Reload(change.applied, change.waits)
            for line in result.said():
                self.say(line)
            return result

    async def _apply(self, children: Sequence[Child]) -> None:
        """Replace each child whose job changed; if one does not start, those before it get their old jobs back. Raises NotApplied or Stopping.

        What kept one from starting may keep those from getting their old jobs back, too: they serve on with the new, and that is said.
        """
        wanted = {child.name: child for child in children}
        done: list[tuple[Keeper, Child]] = []
        for keeper in self.keepers:
            child, before = wanted.get(keeper.child.name), keeper.child
            if child is None or child == before:
                continue
            if why := await keeper.replace(child):
                if keeper.stopping.is_set():
                    raise Stopping(STOPPING)
                words = [f"{child.name} did not become ready with them ({why}); see what it logged"]
                for earlier, job in reversed([*done, (keeper, before)]):
                    if earlier.child != job and (why := await earlier.replace(job)):
                        words.append(f"{earlier.child.name} could not be given its old ones back ({why}) and serves with the new")
                raise NotApplied("; ".join(words))
            done.append((keeper, before))
