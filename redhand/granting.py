"""Has workers know who has reviewers' access: reads and verifies the log of grants whenever it changes, and tells every worker what is in force.

A worker is told again when it is another process, or when something changed. What cannot be read, or does not verify, is granted to nobody, with an
alarm. Off, without people named in the settings, this reads nothing and tells nobody anything.

    access log       the log of grants is not sound, or not the one that was read before: nobody has access
    access people    somebody's public key cannot be read: nobody has access
    access NAME      that grant is not signed by two of the people named now
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocklists.alarms import Alarms
from blocklists.errors import ConfigurationError, RedHandError
from blocklists.finding import when
from redhand.beside import beside
from redhand.children import Keeper
from redhand.processes import Life

if TYPE_CHECKING:
    from redhand.granted import Found
    from resolver.grants import Grant

LOG = Path("access") / "log.jsonl"
"""The log of grants, in the state directory."""
LOOK_SECONDS = 0.3
"""How often the log is looked at, by one stat."""
READ_AGAIN_SECONDS = 60.0
"""How often it is read though it did not change: a key may have been put back."""

Wrong = dict[str, tuple[str, str]]
"""What is wrong and what to do about it, by the alarm's name."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What grants are judged by."""

    state_dir: Path
    people: tuple[str, ...]
    """Files of their public keys."""

    def mark(self) -> tuple[int, int, int]:
        """Changes when the log does."""
        try:
            status = (self.state_dir / LOG).stat()
        except OSError:
            return 0, 0, 0
        return status.st_ino, status.st_size, status.st_mtime_ns


@dataclass(slots=True)
class Granting:
    """`workers` gives those there are; `changed` is called when what is in force changes."""

    grounds: Grounds | None
    workers: Callable[[], Iterable[Keeper]]
    alarms: Alarms
    say: Callable[[str], None]
    changed: Callable[[], None]
    _found: Found | None = None
    _edition: int = 0
    _told: dict[str, tuple[Life, int]] = field(default_factory=dict)
    _sounded: set[str] = field(default_factory=set)
    _seen: tuple[str, ...] = ()
    """Digests of the lines read so far: what is read later must begin with them."""

    async def run(self) -> None:
        """For ever."""
        read: tuple[Grounds | None, object] = None, None
        at = 0.0
        while True:
            grounds = self.grounds
            now = grounds, await beside(grounds.mark) if grounds is not None else None
            if now != read or time.monotonic() >= at:
                read, at = now, time.monotonic() + READ_AGAIN_SECONDS
                self._take(*await self._read(grounds))
            self.settle()
            await asyncio.sleep(LOOK_SECONDS)

    async def _read(self, grounds: Grounds | None) -> tuple[Found | None, Wrong]:
        """What the log comes to, and what is wrong."""
        if grounds is None:
            return None, {}
        try:
            found = await beside(_load, grounds)
        except ConfigurationError as error:
            return None, {"access people": (f"nobody has access: {error}", "put the file back, or mend the settings and reload")}
        except (RedHandError, OSError) as error:
            return None, {"access log": (f"nobody has access: {error}", "see what became of the file: redhand access list")}
        if found.digests[: len(self._seen)] != self._seen:
            what = f"nobody has access: {grounds.state_dir / LOG} is not the log that was read before; lines of it were cut off or replaced"
            return None, {"access log": (what, "put it back from a backup; if it was changed on purpose, restart Red Hand")}
        self._seen = found.digests
        remedy = "revoke it (redhand access revoke), or name in resolver.access.people those who signed it"
        return found, {f"access {reference}": (f"this grant is not in force: {why}", remedy) for reference, why in found.refused}

    def _take(self, found: Found | None, wrong: Wrong) -> None:
        for name, (what, remedy) in wrong.items():
            self.alarms.sound(name, what, remedy)
        for name in self._sounded - set(wrong):
            self.alarms.clear(name)
        self._sounded = set(wrong)
        before, after = _by_reference(self._found), _by_reference(found)
        head = "" if found is None else f"; log of grants: line {found.number}, {found.digest}"  # whoever keeps this can tell what was cut off there
        for reference in after.keys() - before.keys():
            grant = after[reference]
            self.say(f"access: {reference} is in force for {grant.who} until {when(grant.until)}, on the ground {grant.ground!r}{head}")
        for reference in before.keys() - after.keys():
            self.say(f"access: {reference} for {before[reference].who} is in force no more{head}")
        if found != self._found:
            self._found = found
            self._edition += 1
            self.changed()

    def settle(self) -> None:
        """Tells whoever was not told yet. To be called after every change of a worker's state."""
        if not self._edition:
            return
        grants = [{"reference": each.reference, "networks": each.networks, "until": each.until} for each in _by_reference(self._found).values()]
        for keeper in self.workers():
            life, name = keeper.life, keeper.child.name
            if life is not None and self._told.get(name) != (life, self._edition) and keeper.tell({"do": "access", "grants": grants}):
                self._told[name] = life, self._edition

    def report(self) -> dict[str, Any] | None:
        """How it stands, for the status; None when it is off."""
        if self.grounds is None:
            return None
        standing = [each for each in _by_reference(self._found).values() if each.until > time.time()]
        shown = [{"reference": each.reference, "who": each.who, "until": each.until} for each in standing]
        number, head = (self._found.number, self._found.digest) if self._found is not None else (0, "")
        return {"grants": shown, "number": number, "head": head}


def _by_reference(found: Found | None) -> dict[str, Grant]:
    return {grant.reference: grant for grant in found.grants} if found is not None else {}


def _load(grounds: Grounds) -> Found:
    from redhand.granted import load  # noqa: PLC0415 - it loads what verifies signatures, which nobody needs who grants nothing

    return load(grounds.state_dir, grounds.people, int(time.time()))
