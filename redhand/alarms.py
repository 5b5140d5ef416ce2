"""Every alarm that is on, whoever raised it: what is wrong, since when, what to do. One line in the log when it begins and one when it is over.

An alarm belongs to who raised it and ends with it: what a process that is gone said is not so any more, and its successor says it again if it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

MOST_OF_ONE = 200
"""Alarms of one source; a process gone wrong must not fill our memory."""
MOST_NAME, MOST_WORDS = 200, 1000
"""Characters of an alarm's name, and of what it says."""

SUPERVISOR = "supervisor"
"""The source of what the supervisor itself noticed."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong."""

    name: str
    source: str
    """The process that said so."""
    what: str
    remedy: str
    since: int
    """Unix seconds."""


def plain(text: str) -> str:
    """The text without what steers a terminal: a process that was taken over must not reach the operator's."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


@dataclass(slots=True)
class Register:
    """All alarms that are on. `log` takes a line; `changed` is called after every change."""

    log: Callable[[str], None]
    changed: Callable[[], None] = lambda: None
    now: Callable[[], float] = time.time
    told: dict[tuple[str, str], float] = field(default_factory=dict)
    """When each was last said to be so, in monotonic seconds."""
    on: dict[tuple[str, str], Alarm] = field(default_factory=dict)

    def sound(self, source: str, name: str, what: str, remedy: str) -> None:
        """It is wrong since now; or since before, in other words."""
        name, what, remedy = plain(name)[:MOST_NAME], plain(what)[:MOST_WORDS], plain(remedy)[:MOST_WORDS]
        before = self.on.get((source, name))
        if before is None and sum(key[0] == source for key in self.on) >= MOST_OF_ONE:
            return
        self.told[source, name] = time.monotonic()
        self.on[source, name] = Alarm(name, source, what, remedy, before.since if before else int(self.now()))
        if before is None:
            self.log(f"ALARM {name} ({source}): {what}; {remedy}")
        self.changed()

    def clear(self, source: str, name: str) -> None:
        """It is over."""
        name = plain(name)[:MOST_NAME]
        self.told.pop((source, name), None)
        if (alarm := self.on.pop((source, name), None)) is not None:
            self.log(f"over after {int(self.now()) - alarm.since} s: ALARM {alarm.name} ({source})")
            self.changed()

    def ended(self, source: str, before: float) -> None:
        """What was said under this name before then (monotonic seconds) is over with the process that said so."""
        for key in [key for key in self.on if key[0] == source and self.told[key] < before]:
            self.clear(*key)

    def heard(self, source: str, message: dict[str, Any]) -> None:
        """What a child tells (see blocklists.alarms); anything else is not for here."""
        alarm, cleared = message.get("alarm"), message.get("clear")
        if isinstance(alarm, dict):
            self.sound(source, *(str(alarm.get(part, "")) for part in ("name", "what", "remedy")))
        if isinstance(cleared, str):
            self.clear(source, cleared)

    def report(self) -> list[dict[str, Any]]:
        """Those on, longest first."""
        return [asdict(alarm) for alarm in sorted(self.on.values(), key=lambda alarm: (alarm.since, alarm.source, alarm.name))]


def merged(alarms: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Alarms as people want them: what several processes say in the same words stands there once, with all of them as its source."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for alarm in alarms:
        same = found.setdefault((alarm["name"], alarm["what"], alarm["remedy"]), {**alarm, "source": ""})
        same["source"] = ", ".join(filter(None, (same["source"], alarm["source"])))
        same["since"] = min(same["since"], alarm["since"])
    return list(found.values())
