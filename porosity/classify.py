"""Verdicts of a study's observations, by one set of rules or several: read cell by cell, judged name by name, written as Parquet.

Verdicts are made anew each time and replace those that stood: the same observations, rules and facts give the same. Memory holds one name of one
repeat with all its trials, and the canaries of that repeat. Nothing here decides; rules do.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from blocklists.errors import RedHandError
from porosity import learning, observations, parts, spill
from porosity.rules import ooni, ours, signals, trials
from porosity.rules.canaries import Canaries
from porosity.rules.facts import Known, Learned, Orders, shown
from porosity.rules.ours import Rule
from porosity.rules.scene import Scene, Trial
from porosity.study import Study
from porosity.words import Observation, Verdict

SCHEMA = pa.schema(
    [
        ("trial", pa.int64()),
        ("rule", pa.string()),
        ("state", pa.string()),
        ("evidence", pa.string()),
        ("landing", pa.bool_()),
        ("ede", pa.bool_()),
        ("name", pa.string()),
        ("vector", pa.string()),
        ("resolver", pa.string()),
        ("repeat", pa.int16()),
        ("vantage", pa.string()),
        ("covered", pa.bool_()),
    ]
)
"""Of verdicts on disk: the fields of words.Verdict, what the trial was, and whether an order covers the names that it asks for."""

PART_ROWS = 100_000
_BATCH_ROWS = 5_000
"""Rows that are held as Python's objects, ten times as large as Arrow's."""
ABOUT = "about.json"
"""Beside the parts: the rules, what they were given, and how often each decided."""


class NothingObserved(RedHandError):
    """There is nothing to judge yet."""


class Rules(Protocol):
    """A set of rules."""

    @property
    def version(self) -> str:
        """Its name, and that of the folder of its verdicts."""
        ...

    @property
    def rules(self) -> Sequence[Rule]:
        """What they are."""
        ...

    def verdicts(self, scene: Scene, canaries: Canaries) -> Iterator[tuple[Trial, Verdict, bool]]:
        """Each trial of a name with its verdict, and whether an order covers what it asks for."""
        ...


class Ours:
    """Red Hand's own."""

    version = ours.VERSION
    rules: Sequence[Rule] = signals.RULES
    verdicts = staticmethod(trials.verdicts)


KNOWN: dict[str, Callable[[], Rules]] = {Ours.version: Ours, **{each.version: (lambda each=each: each) for each in ooni.ALL}}  # type: ignore[misc]
"""Sets of rules by their names."""


@dataclass
class Summary:
    """What one set of rules made of a study."""

    rules: str
    trials: int = 0
    states: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)


def run(
    study: Study,
    known: Known,
    names: Sequence[str] = (Ours.version,),
    given: dict[str, Any] | None = None,
    seen: Callable[[int], None] = lambda done: None,
) -> list[Summary]:
    """Judges all that is on record, by each of these sets of rules, and replaces their verdicts.

    `given`: what to write down of where `known` is from. `seen` is told how many trials are judged, from time to time.
    Raises NothingObserved, RedHandError for rules that are not there, StoreError and DiskError; verdicts that stood are then as they were.
    """
    chosen = [_rules(each) for each in dict.fromkeys(names)]
    vantages = study.vantages()
    orders = Orders(study.names)
    with spill.spilling(study.directory) as room:
        writers = [_Writer(study, each, room / each.version) for each in chosen]
        learned = {}
        for vantage in vantages:
            learned[vantage] = learning.learn(study, vantage, known, orders)
            for scene, canaries in _scenes(study, vantage, known, learned[vantage], orders):
                for writer in writers:
                    writer.add(vantage, scene, canaries)
                seen(writers[0].summary.trials)
        if not writers[0].summary.trials:
            raise NothingObserved(f"{study.directory} has no observations; make some first: redhand porosity probe {study.directory}")
        for writer in writers:
            writer.finish(_about(known, learned, given or {}))
    return [writer.summary for writer in writers]


def read(study: Study, rules: str, vantage: str) -> Iterator[dict[str, Any]]:
    """The verdicts of one set of rules on what a vantage observed, in the order of trials, as rows of SCHEMA with `rules` beside."""
    folder = study.classification(rules)
    for number in parts.numbers(folder):
        path = folder / parts.name(number)
        parts.check(path, SCHEMA, study.plan.id)
        with parts.sound(path), parts.opened(path) as opened:
            for group in range(opened.num_row_groups):
                rows = opened.read_row_group(group, use_threads=False).to_pylist()
                yield from (row | {"rules": rules} for row in rows if row["vantage"] == vantage)


def landing(study: Study) -> list[str]:
    """Addresses of the page, as whoever classified the study gave them."""
    for rules in study.classifications():
        with suppress(OSError, ValueError, KeyError):
            if found := json.loads((study.classification(rules) / ABOUT).read_bytes())["given"]["landing"]:
                return [str(each) for each in found]
    return []


def _rules(name: str) -> Rules:
    if name not in KNOWN:
        raise RedHandError(f"there are no rules {name!r}; there are {', '.join(KNOWN)}")
    return KNOWN[name]()


def _scenes(study: Study, vantage: str, known: Known, learned: Learned, orders: Orders) -> Iterator[tuple[Scene, Canaries]]:
    """Each name in each repeat. Canaries have the first numbers, so that what they tell is known when listed names come."""
    plan = study.plan
    repeat, canaries, waiting = -1, Canaries(), list[Scene]()
    for place, rows in _by_name(study, vantage):
        now, name = divmod(place, plan.names)
        if now != repeat or (name >= plan.canaries and waiting):
            yield from ((scene, canaries) for scene in waiting)
            waiting = []
        if now != repeat:
            repeat, canaries = now, Canaries()
        scene = Scene(plan, study.names[name], repeat, rows, known, learned, orders)
        if name >= plan.canaries:
            yield scene, canaries
            continue
        for trial in scene.trials:
            for each in trial.asks:
                row = each.observation
                has = any(control.items for control in scene.controls(trial, row.ask))
                canaries.add(trial.resolver.id, trial.vector.id, row.ask, row.endpoint, row.sent_at, each.reading, not each.items if has else None)
        waiting.append(scene)
    yield from ((scene, canaries) for scene in waiting)


def _by_name(study: Study, vantage: str) -> Iterator[tuple[int, list[Observation]]]:
    """All observations of a name in a repeat, whose cells stand side by side; with repeat x names + name."""
    width = len(study.plan.vectors)
    last, found = -1, list[Observation]()
    for cell, rows in observations.cells(study, vantage):
        if cell // width != last:
            if found:
                yield last, found
            last, found = cell // width, []
        found += rows
    if found:
        yield last, found


class _Writer:
    """The verdicts of one set of rules, on their way to the disk."""

    def __init__(self, study: Study, rules: Rules, folder: Path) -> None:
        self._study, self._rules, self._folder = study, rules, folder
        self._columns: list[list[Any]] = [[] for _ in SCHEMA]
        self._batches: list[pa.RecordBatch] = []
        self._parts = 0
        self.summary = Summary(rules.version)

    def add(self, vantage: str, scene: Scene, canaries: Canaries) -> None:
        """A name's."""
        name = scene.name.name.to_text(omit_final_dot=True)
        for trial, verdict, covered in self._rules.verdicts(scene, canaries):
            row = (
                verdict.trial, verdict.rule, verdict.state, verdict.evidence, verdict.landing, verdict.ede,
                name, trial.vector.id, trial.resolver.id, scene.repeat, vantage, covered,
            )  # fmt: skip
            for column, value in zip(self._columns, row, strict=True):
                column.append(value)
            self.summary.trials += 1
            self.summary.states[verdict.state] += 1
            self.summary.by_rule[verdict.rule] += 1
        if len(self._columns[0]) >= _BATCH_ROWS:
            self._pack()
        if sum(each.num_rows for each in self._batches) >= PART_ROWS:
            self._write()

    def finish(self, about: dict[str, Any]) -> None:
        """Puts the verdicts in the place of those that stood."""
        self._pack()
        if self._batches:
            self._write()
        decided = self.summary.by_rule
        listed = [{"id": each.id, "state": each.state, "says": each.says, "decided": decided[each.id]} for each in self._rules.rules]
        said = {
            "rules": self._rules.version,
            "plan": self._study.plan.id,
            **about,
            "states": dict(sorted(self.summary.states.items())),
            "list": listed,
        }
        parts.replace(self._folder / ABOUT, json.dumps(said, indent=1).encode() + b"\n")
        # What stood goes with the room that these were made in.
        parts.stand(self._folder, self._study.classification(self._rules.version))

    def _pack(self) -> None:
        if self._columns[0]:
            arrays = [pa.array(column, field.type) for column, field in zip(self._columns, SCHEMA, strict=True)]
            self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))
            self._columns = [[] for _ in SCHEMA]

    def _write(self) -> None:
        self._parts += 1
        said = {"plan": self._study.plan.id, "rules": self._rules.version}
        parts.write(self._folder / parts.name(self._parts), pa.Table.from_batches(self._batches, SCHEMA), said)
        self._batches = []


def _about(known: Known, learned: dict[str, Learned], given: dict[str, Any]) -> dict[str, Any]:
    return {
        "given": {
            "landing": sorted(map(shown, known.landing)),
            "block_pages": len(known.block_pages),
            "networks": len(known.networks) if known.networks else 0,
            **given,
        },
        "learned": {
            vantage: {
                "unrelated": {resolver: sorted(map(shown, found)) for resolver, found in sorted(each.unrelated.items())},
                "doubtful": {resolver: sorted(map(shown, found)) for resolver, found in sorted(each.doubtful.items())},
                "liars": sorted(each.liars),
                "faults": each.faults.told(),
            }
            for vantage, each in sorted(learned.items())
        },
    }
