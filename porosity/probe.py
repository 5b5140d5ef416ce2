"""Asks what a plan says, in its order, and writes down what came: the trials that are not on record yet, each once.

Trials of a cell go out side by side, so that a resolver and its controls are asked at about the same time; the asks of a trial go one after the
other. A resolver that is slow or dead holds up the others only when it is thousands of trials behind. Whatever happens to this program, a trial is on
record whole or not at all, and a run that goes on asks the rest.

Memory is bounded: by the plan's names and one bit a trial, and by the trials under way.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
from asyncio import Semaphore
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import time, time_ns
from typing import Any, Protocol

from blocklists.errors import RedHandError
from porosity import asking, order, turns
from porosity.ethics import Permit
from porosity.journal import Journal
from porosity.plan import Trial
from porosity.study import Study
from porosity.transports.mux import nothing_sent
from porosity.transports.ways import Asked, Patience, Ways
from porosity.words import Ask, Endpoint, Name, Observation, Vector

VANTAGE = "local"
"""The label of a vantage that nobody named."""
RUNS = "runs.jsonl"
"""Beside a vantage's observations: a line for each run, of how it asked and what came."""
TRIALS_UNDER_WAY = 5_000
"""At one resolver: asked, waiting for their turn, or watching it over minutes."""
RECORD_SECONDS = 0.25
"""At most until what came is on the disk."""
RECORD_ROWS, RECORD_OCTETS = 2_000, 8 << 20
"""Observations, or octets of answers, that are written down at once."""
MOST_ROWS, MOST_OCTETS = 20_000, 64 << 20
"""What waits for the disk, after which trials wait for it."""
_IN_A_ROW = 16
"""Trials begun before sockets are looked at."""


@dataclass(slots=True)
class Tally:
    """What a run did so far."""

    total: int
    """Trials in the plan."""
    done: int
    """Trials on record, or about to be."""
    sent: int = 0
    """Questions that went out, each try counted."""
    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """Asks that nothing came of, by words.Failure."""

    def count(self, tries: int, failure: str) -> None:
        """Takes one more ask in."""
        self.sent += tries
        if failure:
            self.failures[failure] += 1
        else:
            self.answered += 1


async def run(
    study: Study,
    vantage: str,
    vectors: Sequence[Vector],
    permits: Mapping[str, Permit],
    *,
    patience: Patience | None = None,
    ca: Path | None = None,
    seen: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Asks all that is not on record for this vantage.

    `vectors`: among them the plan's. `permits`: as `ethics.keep` gives them. `ca`: as `Ways`. `seen` is told of the run a few times a second.
    Raises BadPlan for vectors that are not those planned, Busy when another process writes for the vantage or asks the same server,
    ConfigurationError for `ca`, StoreError and DiskError. When it is cancelled, what came until then is on record.
    """
    patience = patience or Patience()
    found = study.plan.find(vectors)
    with turns.held(permits), Journal(study, vantage) as journal:
        tally = Tally(study.plan.made, len(journal.done))
        ways = Ways(permits, patience, ca, str(study.plan.ethics.get("contact", "")))
        began, ended = time(), "stopped"
        try:
            await _Run(study, journal, found, ways, tally, seen, order.trials(study.plan, journal.done)).whole()
            ended = "done"
        finally:
            await ways.close()
            journal.seal()
            note(study, vantage, permits, patience, tally, began, ended)
    return tally


async def portion(
    study: Study, vectors: Sequence[Vector], permits: Mapping[str, Permit], numbers: Sequence[int], *, patience: Patience, ca: Path | None = None
) -> list[Observation]:
    """Asks these trials of the plan, in this order, and gives what came. Nothing is written: the record is kept by whoever gave the portion out.

    The rest as `run`.
    """
    held = _Held()
    ways = Ways(permits, patience, ca, str(study.plan.ethics.get("contact", "")))
    try:
        await _Run(study, held, study.plan.find(vectors), ways, Tally(len(numbers), 0), lambda tally: None, numbers).whole()
    finally:
        await ways.close()
    return held.rows


class _Record(Protocol):
    def append(self, rows: Sequence[Observation]) -> None: ...


class _Held:
    """A record in memory."""

    def __init__(self) -> None:
        self.rows: list[Observation] = []

    def append(self, rows: Sequence[Observation]) -> None:
        self.rows += rows


class _Run:
    def __init__(
        self,
        study: Study,
        journal: _Record,
        vectors: Sequence[Vector],
        ways: Ways,
        tally: Tally,
        seen: Callable[[Tally], None],
        numbers: Iterable[int],
    ) -> None:
        self._study, self._plan = study, study.plan
        self._journal = journal
        self._numbers = numbers
        self._vectors = vectors
        self._ways = ways
        self._tally = tally
        self._seen = seen
        self._texts = {endpoint: str(endpoint) for each in self._plan.resolvers for endpoint in each.endpoints}
        self._room = [Semaphore(TRIALS_UNDER_WAY) for _ in range(self._plan.measured)]
        self._rows: list[Observation] = []
        self._octets = 0
        """Of their answers."""
        self._enough = asyncio.Event()
        self._written = asyncio.Event()
        self._over = False
        self._broken: Exception | None = None
        """Why nothing can be written down any more."""

    async def whole(self) -> None:
        """All trials, and their record. The first error ends it, after what came is on record."""
        writing = asyncio.create_task(self._write())
        try:
            async with asyncio.TaskGroup() as group:
                await self._all(group)
        except* RedHandError as errors:
            raise errors.exceptions[0] from None
        finally:
            self._over = True
            self._enough.set()
            await writing
        if self._broken is not None:
            raise self._broken

    async def _all(self, group: asyncio.TaskGroup) -> None:
        cell, name, asks = -1, self._study.names[0], list[Ask]()
        for begun, number in enumerate(self._numbers):
            trial = self._plan.trial(number)
            if number // self._plan.measured != cell:
                cell, name = number // self._plan.measured, self._study.names[trial.name]
                asks = asking.messages(self._plan, self._vectors[trial.vector], trial, name)
            await self._room[trial.resolver].acquire()
            group.create_task(self._trial(trial, name, asks))
            if begun % _IN_A_ROW == 0:
                await asyncio.sleep(0)

    async def _trial(self, trial: Trial, name: Name, asks: Sequence[Ask]) -> None:
        try:
            rows: list[Observation] = []
            text = name.name.to_text(omit_final_dot=True)
            for ask in asks:
                for endpoint in asking.targets(self._plan, self._plan.resolvers[trial.resolver], ask):
                    if ask.after:
                        await asyncio.sleep(ask.after)
                    asked = await self._ways.ask(endpoint, ask.wire) if endpoint else _nobody()
                    rows.append(self._observed(trial, len(rows), text, endpoint, asked))
            if not rows:
                rows.append(self._observed(trial, 0, text, None, _nobody()))
            while (len(self._rows) > MOST_ROWS or self._octets > MOST_OCTETS) and self._broken is None:
                await self._written.wait()
            if self._broken is not None:
                raise self._broken
            self._rows += rows
            self._octets += sum(len(each.answer) for each in rows)
            self._tally.done += 1
            if len(self._rows) >= RECORD_ROWS or self._octets >= RECORD_OCTETS:
                self._enough.set()
        finally:
            self._room[trial.resolver].release()

    def _observed(self, trial: Trial, number: int, name: str, endpoint: Endpoint | None, asked: Asked) -> Observation:
        last = asked.last
        self._tally.count(asked.tries, last.failure)
        return Observation(
            trial.number,
            number,
            self._plan.resolvers[trial.resolver].id,
            name,
            self._vectors[trial.vector].id,
            trial.repeat,
            self._texts[endpoint] if endpoint is not None else "",
            asked.sent_at,
            last.took,
            asked.tries,
            last.failure,
            last.query,
            last.answer,
        )

    async def _write(self) -> None:
        try:
            while self._rows or not self._over:
                with suppress(TimeoutError):
                    async with asyncio.timeout(RECORD_SECONDS):
                        await self._enough.wait()
                if not self._over:
                    self._enough.clear()
                rows, self._rows, self._octets = self._rows, [], 0
                if rows:
                    await asyncio.to_thread(self._journal.append, rows)
                self._written.set()
                self._written.clear()
                self._seen(self._tally)
        except Exception as error:
            self._broken = error
            self._written.set()


def _nobody() -> Asked:
    return Asked(time_ns() // 1000, 0, nothing_sent("not sent"))


def note(study: Study, vantage: str, permits: Mapping[str, Permit], patience: Patience, tally: Tally, began: float, ended: str) -> None:
    """Adds a line about a run beside its observations. It is told for people, who may lose it: no stage rests on it."""
    said: dict[str, Any] = {
        "plan": study.plan.id,
        "vantage": vantage,
        "began": round(began),
        "seconds": round(time() - began, 3),
        "ended": ended,
        "trials": tally.done,
        "of": tally.total,
        "sent": tally.sent,
        "answered": tally.answered,
        "failures": dict(sorted(tally.failures.items())),
        "timeout": patience.seconds,
        "tries": patience.tries,
        "rates": {address: permit.rate for address, permit in sorted(permits.items())},
        "contact": study.plan.ethics.get("contact", ""),
        "software": software(),
    }
    with suppress(OSError), (study.observations(vantage) / RUNS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(said) + "\n")


def software() -> dict[str, str]:
    """Versions of what measures."""
    found = {"python": platform.python_version(), "system": f"{os.uname().sysname} {os.uname().release.partition('-')[0]}"}
    for name in ("redhand", "dnspython", "h2", "aioquic"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
