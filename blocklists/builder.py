"""Builds the next version from the operator's sources, as a process of its own, so that serving never feels it.

    python -m blocklists.builder < job.json        one JSON line of result on standard output

What a source last said stays in force while it cannot be read; a pinned version stays in force until unpinned, without what was withdrawn since.
The orders of the log are not built here: they are carried over from the last version byte for byte, without what has ended or was lifted. When
nothing changed, nothing is written. This module decides what goes into a version; `succession` makes it the next one.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from blocklists import confine, logs, places, publish, sources, store
from blocklists.errors import Busy, DiskError, RedHandError, SourceError, StoreError
from blocklists.guards import Guards
from blocklists.job import Job, read_job
from blocklists.sources import LAYER, Basis, Skipped
from blocklists.standing import Lifts, restricted, revive, standing
from blocklists.succession import Come, Next, Place, carried, machine, swollen
from blocklists.version import Line, assemble, canonical, entries_of

SHOWN_SKIPPED = 20

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """What came of a build."""

    serial: int
    identity: str
    changed: bool
    """Whether a new version was written."""
    names: int
    rules: int
    skipped: int
    """Records that are not in force."""
    first_skipped: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    """Sources refused whole: `source`, `reason`, and `held`: whether what they last said stays in force."""
    alarms: list[str]
    pinned: int | None
    swollen: bool
    """Whether a new base would make later changes quicker: see `compaction`."""
    seconds: float


@dataclass
class _Gathered:
    bases: list[Basis] = field(default_factory=list)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: list[tuple[str, Skipped]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)


def build(job: Job, wait_seconds: float = 0.0, progress: Progress = lambda _: None) -> Built:
    """The next version, in force when this returns; the one that stands when nothing changed.

    Raises Busy when another build runs for longer than `wait_seconds`, StoreError when the disk refuses; what was in force stays.
    """
    with publish.locked(job.state_dir, wait_seconds):
        return _build(job, progress)


def rollback(job: Job, serial: int, reason: str, wait_seconds: float = 0.0, progress: Progress = lambda _: None) -> Built:
    """Puts the entries of an earlier version in force as a new one, without what was withdrawn since or has ended, and pins builds to them.

    Raises StoreError when that version is not on disk or not sound, Busy as `build`.
    """
    with publish.locked(job.state_dir, wait_seconds):
        store.require(job.state_dir, serial)
        store.open_version(job.state_dir, serial).verify()
        return _with_pin(job, {"serial": serial, "reason": reason, "at": job.as_of}, progress)


def unpin(job: Job, wait_seconds: float = 0.0, progress: Progress = lambda _: None) -> Built:
    """Releases the pin and builds from the sources again. Raises StoreError and Busy as `build`."""
    with publish.locked(job.state_dir, wait_seconds):
        return _with_pin(job, None, progress)


def _with_pin(job: Job, content: dict[str, Any] | None, progress: Progress) -> Built:
    path = job.state_dir / "pin"
    before = path.read_bytes() if path.exists() else None
    # The pin first: killed in between, the next build completes what was asked for.
    publish.pin(job.state_dir, None if content is None else canonical(content), None if content is None else content["serial"])
    try:
        return _build(job, progress)
    except RedHandError:
        publish.pin(job.state_dir, before)
        raise


def _build(job: Job, progress: Progress) -> Built:
    started = time.monotonic()
    with publish.publishing(job.state_dir):
        publish.clean(job.state_dir, None)
    place = Place(job.state_dir, job.settings.keep_versions)
    local = _Local(job, progress)
    come = place.advance(local.compose)
    return built(come, place.alarms + local.alarms, started, local.skipped)


def built(come: Come, alarms: list[str], started: float, skipped: Sequence[tuple[str, Skipped]] = ()) -> Built:
    """What came of it, in words; `started`: by the monotonic clock."""
    entries, facts = come.next.entries, come.next.facts
    return Built(
        serial=come.version.serial,
        identity=come.version.identity,
        changed=come.changed,
        names=entries.names,
        rules=len(entries.lines),
        skipped=facts["skipped"],
        first_skipped=[_skipped_row(*row) for row in skipped[:SHOWN_SKIPPED]],
        refused=facts["refused"],
        alarms=alarms,
        pinned=facts["pinned"]["serial"] if facts["pinned"] else None,
        swollen=swollen(come.version),
        seconds=round(time.monotonic() - started, 3),
    )


class _Local:
    """What the operator's sources say, read once; and the next version with it, upon whichever is the last one."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self._job = job
        self._progress = progress
        self._gathered: _Gathered | None = None
        self._lines: list[Line] = []
        self._before: list[Line] | None = None
        """The orders of the pinned version, if there is a pin."""
        self._pinned: dict[str, Any] | None = None
        self.alarms: list[str] = []

    @property
    def skipped(self) -> list[tuple[str, Skipped]]:
        """Records that are not in force, with their source."""
        return self._gathered.skipped if self._gathered is not None else []

    def compose(self, previous: store.Version | None) -> Next:
        """The sources' lines with the orders of `previous`, byte for byte."""
        gathered = self._gathered or self._gather(previous)
        facts = carried(previous)
        lifts, as_of = Lifts.of(facts), self._job.as_of
        orders = standing(previous.layer("orders"), lifts, as_of) if previous is not None else []
        waiting = facts["waiting"]
        if self._before is not None:
            orders, held = restricted(orders, self._before)
            waiting += held
        self.alarms = list(gathered.alarms)
        if waiting and self._pinned is None:
            self.alarms.append(f"{waiting} lines of orders that the pin held back come in force as soon as the feed runs; see: redhand status")
        entries = entries_of(orders + standing(self._lines, lifts, as_of))
        news = {"refused": gathered.refused, "withdrawn": gathered.withdrawn, "pinned": self._pinned, "waiting": waiting}
        before = {**facts, "identity": previous.identity} if previous is not None and not previous.notice else {}
        changed = before != {**facts, **news, "identity": entries.identity}
        paths = {source.id: str(places.locate(source, self._job.base_dir)) for source in self._job.settings.sources}
        facts |= {**news, "as_of": as_of, "sources": gathered.sources, "skipped": len(gathered.skipped), "lifted": lifts.record(as_of)}
        facts["machine"] = {**machine(), "paths": paths, "suffixes": importlib.metadata.version("publicsuffixlist")}
        if changed:
            self._progress("writing the index")
        return Next(entries, facts, changed, [canonical(_skipped_row(*row)) + b"\n" for row in gathered.skipped])

    def _gather(self, previous: store.Version | None) -> _Gathered:
        gathered = _gather(self._job, previous, self._progress)
        self._pinned, kept = _apply_pin(self._job, previous, gathered)
        self._before = kept.layer("orders") if kept is not None else None
        self._progress("sorting and hashing")
        self._lines = assemble(gathered.bases, self._job.as_of).lines
        self._gathered = gathered
        return gathered


def _gather(job: Job, previous: store.Version | None, progress: Progress) -> _Gathered:
    gathered = _Gathered()
    guards = Guards(job.own_names, job.settings.protected)
    by_source: dict[str, list[Basis]] = {}
    withdrawn_by: dict[str, set[str]] = {}
    for source in job.settings.sources:
        progress(f"reading {source.id}")
        known = previous.manifest["sources"].get(source.id, {}) if previous is not None else {}
        try:
            content = sources.read(source, places.locate(source, job.base_dir), guards, job.settings.max_bad_share, job.as_of)
            if content.cut and content.records < known.get("records", 0):
                raise SourceError(
                    f"source {source.id}: the file ends inside a line, at {content.records} records where it had {known['records']}, so it is taken "
                    "for half-written; write it whole, and if those names are to go, end its last line with a newline"
                )
            for basis in content.bases:
                canonical(basis.document)
        except (SourceError, ValueError) as error:
            lifted = set(error.withdrawn) if isinstance(error, SourceError) else set()
            held = _without(_held(previous, source.id, guards), lifted)
            by_source[source.id] = held
            withdrawn_by[source.id] = lifted.union(known.get("withdrawn", ()))
            gathered.sources[source.id] = {**known, "withdrawn": sorted(withdrawn_by[source.id])}
            gathered.refused.append({"source": source.id, "reason": str(error), "held": bool(held)})
            after = "what it last said stays in force" if held else "nothing of it is in force"
            gathered.alarms.append(f"source {source.id} is refused, and {after}: {str(error).removeprefix(f'source {source.id}: ')}")
            continue
        by_source[source.id] = content.bases
        withdrawn_by[source.id] = set(content.withdrawn)
        gathered.skipped.extend((source.id, skipped) for skipped in content.skipped)
        gathered.sources[source.id] = {
            "records": content.records,
            "sha256": content.sha256,
            "skipped": len(content.skipped),
            "withdrawn": sorted(withdrawn_by[source.id]),
        }
    for identifier, bases in by_source.items():
        # A source has already applied its own withdrawals, at their times; those of the others reach it here.
        others = set().union(*(found for other, found in withdrawn_by.items() if other != identifier))
        gathered.bases.extend(_without(bases, others))
    standing = {basis.reference for basis in gathered.bases if basis.kind == "directive"}
    recorded = set(previous.manifest["withdrawn"]) if previous is not None else set()
    gathered.withdrawn = sorted((recorded - standing).union(*withdrawn_by.values()))
    return gathered


def _apply_pin(job: Job, previous: store.Version | None, gathered: _Gathered) -> tuple[dict[str, Any] | None, store.Version | None]:
    """Puts the pinned version's own lists in place of the sources', if there is a pin; returns the pin and that version."""
    pinned, alarm = pin_of(job.state_dir, previous)
    gathered.alarms += alarm
    if pinned is None:
        return None, None
    kept, alarm = pinned_version(job.state_dir, pinned["serial"], previous)
    gathered.alarms += alarm
    if kept is not None:
        guards = Guards(job.own_names, job.settings.protected)
        gathered.bases = _without(_revived((line.encoded for line in kept.layer("local")), guards), set(gathered.withdrawn))
    return pinned, kept


def pin_of(state_dir: Path, previous: store.Version | None) -> tuple[dict[str, Any] | None, list[str]]:
    """The pin, if there is one, and what is wrong with it."""
    try:
        return store.read_pin(state_dir), []
    except StoreError as error:
        # A pin that cannot be read still was one: keep to what is in force rather than release it.
        return previous.manifest["pinned"] if previous is not None else None, [str(error)]


def pinned_version(state_dir: Path, serial: int, previous: store.Version | None) -> tuple[store.Version | None, list[str]]:
    """What is pinned; what is in force, and an alarm, when that is not sound."""
    try:
        kept = store.open_version(state_dir, serial)
        kept.verify()
    except StoreError as error:
        return previous, [f"the pinned version {serial} is not sound, so what is in force stays: {error}"]
    return kept, []


def _without(bases: Iterable[Basis], withdrawn: set[str]) -> list[Basis]:
    return [basis for basis in bases if basis.kind != "directive" or basis.reference not in withdrawn]


def _held(previous: store.Version | None, source: str, guards: Guards) -> list[Basis]:
    if previous is None:
        return []
    return _revived((line.encoded for line in previous.layer(LAYER) if line.source == source), guards)


def _revived(lines: Iterable[bytes], guards: Guards) -> list[Basis]:
    """The bases behind entries lines, judged again by the guards of today."""
    found = []
    for encoded in lines:
        basis = revive(encoded)
        if basis.kind != "pass":
            allowed = [(key, exact) for key, exact in basis.listed if guards.refusal(key, "exact" if exact else "subtree") is None]
            basis = replace(basis, listed=allowed)
        found.append(basis)
    return found


def _skipped_row(source: str, skipped: Skipped) -> dict[str, Any]:
    return {"source": source, "where": skipped.where, "line": skipped.line, "value": skipped.value, "reason": skipped.reason}


def main() -> int:
    """Builds the job on standard input; 0 when it is in force, 75 when another build runs, 1 when it failed."""
    # Millions of small tuples live until the end, and none is in a cycle: a collection would only look at them all again.
    gc.disable()
    logs.to_stderr("builder")

    def work() -> Built:
        job = read_job(sys.stdin.read())
        logs.to_stderr("builder", job.logs)
        if job.confined:
            confine.confine([job.state_dir], connects=False)
        return build(job)

    code = report(work)
    # Giving back hundreds of megabytes is work for the kernel, and on a core shared with a worker would hold up answers: only when nobody else runs.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    return code


def report(work: Callable[[], Built]) -> int:
    """Does the work and says what came of it, as one JSON object on standard output; the exit code."""
    try:
        built = work()
    except Busy as error:
        print(json.dumps({"ok": False, "busy": True, "error": str(error)}), flush=True)
        return os.EX_TEMPFAIL
    except DiskError as error:
        print(json.dumps({"ok": False, "busy": False, "error": str(error), "disk": [error.what, error.remedy]}), flush=True)
        return 1
    except (RedHandError, ValueError) as error:
        print(json.dumps({"ok": False, "busy": False, "error": str(error)}), flush=True)
        return 1
    print(json.dumps({"ok": True, "busy": False, "error": "", **asdict(built)}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
