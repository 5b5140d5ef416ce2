"""One plan from many places: each worker of a Dask scheduler is a vantage, named as the worker is; the record is kept here, where the study is.

A worker's name is its vantage's label (`dask worker --name office`); what follows a `+` tells several workers of one vantage apart (`office+2`).
Portions of the plan go out to workers, one at a time each, and what comes back is put on record before the next. A worker that dies takes its portion
with it and no more: another of its vantage is given it, or the same when it is back, or the next run. A trial is on record whole or not at all.

What was promised to a server holds for all vantages together: each worker gets its share of the rate. Whoever reaches a scheduler runs programs at
its workers, and `dask scheduler` listens on every address unless it is told one: it belongs in a network of its own, or behind TLS (Dask's own
settings).
"""

from __future__ import annotations

import asyncio
import importlib
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time
from typing import Any

import pyarrow as pa

from blocklists.errors import RedHandError
from porosity import observations, order, probe, study, turns, vectors
from porosity.ethics import Permit
from porosity.journal import Journal
from porosity.probe import Tally
from porosity.study import NAMES, PLAN, Study
from porosity.transports.ways import Patience

distributed: Any = importlib.import_module("distributed")
"""Which has types for some of its calls only."""

BATCHES = 10
"""Of a portion: at most 2,000 trials, so that what a dead worker takes with it is a few seconds' work."""
LOOK_SECONDS = 0.5
"""Between two looks at which workers there are."""
_ROUNDING = 1e-9


class NoVantage(RedHandError):
    """No worker answers, or one has a name that is no label."""


@dataclass(frozen=True)
class Errand:
    """What every worker is told once."""

    plan: bytes
    names: bytes
    files: tuple[str, ...]
    """Vectors of a researcher's own: the text of each file."""
    permits: Mapping[str, Permit]
    patience: Patience
    ca: bytes


@dataclass(slots=True)
class Vantage(Tally):
    """How far a vantage is."""

    began: float = 0.0
    """Unix seconds at which its first worker was seen."""
    workers: set[str] = field(default_factory=set)
    """Addresses of its workers now."""
    lost: int = 0
    """Portions that a worker took with it."""


async def run(
    opened: Study,
    scheduler: str,
    permits: Mapping[str, Permit],
    patience: Patience,
    *,
    files: Sequence[Path] = (),
    ca: Path | None = None,
    wait: float = 30.0,
    seen: Callable[[Mapping[str, Vantage]], None] = lambda vantages: None,
) -> dict[str, Vantage]:
    """Asks at every vantage what is not on its record yet. Ends when all is, or no worker is left that could go on for `wait` seconds.

    `scheduler`: as `tcp://192.0.2.1:8786`. `files`: of vectors. The rest as `probe.run`. Raises NoVantage, Busy, StoreError and DiskError, and what a
    worker raises; what came until then is on record.
    """
    errand = Errand(
        (opened.directory / PLAN).read_bytes(),
        (opened.directory / NAMES).read_bytes(),
        tuple(each.read_text(encoding="utf-8") for each in files),
        permits,
        patience,
        ca.read_bytes() if ca else b"",
    )
    try:
        client = await distributed.Client(scheduler, asynchronous=True, set_as_default=False, timeout=wait)
    except OSError as error:
        raise NoVantage(
            f"no scheduler answers at {scheduler} ({error}); start one that only your workers reach: dask scheduler --host ADDRESS"
        ) from None
    try:
        with turns.held(permits), client.as_current():
            return await _Round(opened, client, errand, wait, seen).whole()
    finally:
        await client.close()


class _Round:
    def __init__(self, opened: Study, client: Any, errand: Errand, wait: float, seen: Callable[[Mapping[str, Vantage]], None]) -> None:
        self._study, self._client, self._errand, self._wait, self._seen = opened, client, errand, wait, seen
        self._journals: dict[str, Journal] = {}
        self._left: dict[str, list[list[int]]] = {}
        self._vantages: dict[str, Vantage] = {}
        self._out: dict[str, tuple[Any, list[int], str]] = {}
        """By worker: its portion under way, and the vantage."""
        self._given: dict[str, float] = {}
        """By worker with a portion: its part of what servers may be asked a second, all of which make at most one whole."""

    async def whole(self) -> dict[str, Vantage]:
        """Gives portions out until none is left."""
        loop = asyncio.get_running_loop()
        idle_since = loop.time()
        try:
            while True:
                await self._look()
                if self._out:
                    idle_since = loop.time()
                    with suppress(TimeoutError):
                        await distributed.wait([future for future, _, _ in self._out.values()], timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED")
                    await self._take()
                elif self._vantages and not any(self._left.values()):
                    return self._vantages
                elif loop.time() - idle_since > self._wait:
                    if not self._vantages:
                        raise NoVantage(f"no worker came within {self._wait:.0f} s; start one at each vantage: dask worker SCHEDULER --name LABEL")
                    return self._vantages
                else:
                    await asyncio.sleep(LOOK_SECONDS)
                self._seen(self._vantages)
        finally:
            for future, _, _ in self._out.values():
                await self._cancel(future)
            for vantage, journal in self._journals.items():
                journal.seal()
                journal.close()
                known = self._vantages[vantage]
                ended = "done" if known.done == known.total else "stopped"
                probe.note(self._study, vantage, self._errand.permits, self._errand.patience, known, known.began, ended)

    async def _cancel(self, future: Any) -> None:
        with suppress(Exception):  # the scheduler may be gone, and the portion with it
            await self._client.cancel([future])

    async def _look(self) -> None:
        """Who is there: takes back what the dead had, and gives the idle something to do."""
        found = await self._client.scheduler.identity(n_workers=-1)
        workers = {address: study.label(str(each["name"]).partition("+")[0]) for address, each in found["workers"].items()}
        for address in set(self._out) - set(workers):
            future, numbers, vantage = self._out.pop(address)
            del self._given[address]
            await self._cancel(future)
            self._vantages[vantage].lost += 1
            self._left[vantage].append(numbers)
        for vantage in set(workers.values()) - set(self._vantages):
            self._begin(vantage)
        for vantage, known in self._vantages.items():
            known.workers = {address for address, whose in workers.items() if whose == vantage}
        part = 1 / len(workers) if workers else 1.0
        for address, vantage in workers.items():
            # Who comes while others have larger parts waits until one of them is through with its portion.
            if address not in self._out and self._left[vantage] and (self._free() >= part - _ROUNDING or not self._limited()):
                numbers = self._left[vantage].pop()
                self._given[address] = part
                shared = replace(self._errand, permits=shares(self._errand.permits, part))
                future = self._client.submit(ask, shared, numbers, workers=[address], allow_other_workers=False, pure=False, retries=0)
                self._out[address] = (future, numbers, vantage)

    def _free(self) -> float:
        return 1 - sum(self._given.values())

    def _limited(self) -> bool:
        return any(each.rate is not None for each in self._errand.permits.values())

    def _begin(self, vantage: str) -> None:
        journal = self._journals[vantage] = Journal(self._study, vantage)
        plan = self._study.plan
        portions = list(_portions(self._study, journal))
        self._left[vantage] = portions[::-1]
        self._vantages[vantage] = Vantage(plan.made, len(journal.done), began=time())

    async def _take(self) -> None:
        """Puts on record what came."""
        for address in [each for each, (future, _, _) in self._out.items() if future.status != "pending"]:
            future, numbers, vantage = self._out.pop(address)
            del self._given[address]
            if future.status in ("cancelled", "lost"):
                self._vantages[vantage].lost += 1
                self._left[vantage].append(numbers)
                continue
            rows = list(observations.rows(observations.decode(await future)))
            journal = self._journals[vantage]
            await asyncio.to_thread(journal.append, rows)
            known = self._vantages[vantage]
            known.done = len(journal.done)
            for row in rows:
                known.count(row.tries, row.failure)


def shares(permits: Mapping[str, Permit], part: float) -> dict[str, Permit]:
    """What a worker may ask who has this part (0 to 1) of the whole: of a question a second, if need be."""
    return {address: each if each.rate is None else replace(each, rate=each.rate * part) for address, each in permits.items()}


def ask(errand: Errand, numbers: Sequence[int]) -> bytes:
    """At a worker: asks a portion, and gives the observations as an Arrow batch, without a vantage."""
    with tempfile.TemporaryDirectory(prefix="redhand-vantage-") as scratch:
        folder = Path(scratch)
        (folder / PLAN).write_bytes(errand.plan)
        (folder / NAMES).write_bytes(errand.names)
        known = list(vectors.ALL)
        for number, text in enumerate(errand.files):
            file = folder / f"vectors{number}.py"
            file.write_text(text, encoding="utf-8")
            known += vectors.load(file)
        ca = folder / "ca.pem" if errand.ca else None
        if ca is not None:
            ca.write_bytes(errand.ca)
        found = asyncio.run(probe.portion(study.open(folder), known, errand.permits, numbers, patience=errand.patience, ca=ca))
    batch: pa.RecordBatch = observations.batch(found, "")
    payload: Any = batch.serialize().to_pybytes()
    return bytes(payload)


def _portions(opened: Study, journal: Journal) -> Iterable[list[int]]:
    """What a vantage has not on record, in the plan's order, some batches at a time."""
    plan, held = opened.plan, list[int]()
    for repeat in range(plan.repeats):
        for number in range(order.batches(plan)):
            held += [each for each in order.batch(plan, repeat, number) if each not in journal.done]
            if len(held) >= BATCHES * 200:
                yield held
                held = []
    if held:
        yield held
