"""Builds the next version from the operator's sources, as a process of its own, so that serving never feels it.

    python -m blocklists.builder < job.json        one JSON line of result on standard output

What a source last said stays in force while it cannot be read; a pinned version stays in force until unpinned, without what was withdrawn since.
When nothing changed, nothing is written. This module decides what goes into a version; `publish` puts it on the disk.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from blocklists import confine, delta, logs, places, publish, sources, store
from blocklists.errors import Busy, DiskError, RedHandError, SourceError, StoreError
from blocklists.guards import Guards
from blocklists.index import list_values, pack_part, pack_rules
from blocklists.job import Job, read_job
from blocklists.sources import Basis, Skipped
from blocklists.version import Entries, assemble, canonical, read_line, unmark

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
    publish.pin(job.state_dir, None if content is None else canonical(content))
    try:
        return _build(job, progress)
    except RedHandError:
        publish.pin(job.state_dir, before)
        raise


def _build(job: Job, progress: Progress) -> Built:
    started = time.monotonic()
    previous, alarms = _previous(job.state_dir)
    publish.clean(job.state_dir, previous.serial if previous is not None and not previous.notice else None)
    gathered = _gather(job, previous, progress)
    gathered.alarms[:0] = alarms
    pinned = _apply_pin(job, previous, gathered)
    progress("sorting and hashing")
    entries = assemble(gathered.bases, job.as_of)
    facts = {
        "identity": entries.identity,
        "refused": gathered.refused,
        "withdrawn": gathered.withdrawn,
        "pinned": pinned,
    }
    unchanged = previous is not None and not previous.notice and all(previous.manifest[name] == value for name, value in facts.items())
    if previous is None or not unchanged:
        progress("writing the index")
        manifest = {
            **facts,
            "as_of": job.as_of,
            "layers": {name: asdict(layer) for name, layer in entries.layers.items()},
            "sources": gathered.sources,
            "skipped": len(gathered.skipped),
            "machine": {
                "built_at": int(time.time()),
                "marisa_trie": importlib.metadata.version("marisa-trie"),
                "paths": {source.id: str(places.locate(source, job.base_dir)) for source in job.settings.sources},
                "pid": os.getpid(),
                "python": platform.python_version(),
                "suffixes": importlib.metadata.version("publicsuffixlist"),
            },
        }
        previous = _write(job.state_dir, entries, gathered.skipped, manifest, previous)
        try:
            publish.prune(job.state_dir, previous.serial, job.settings.keep_versions, pinned["serial"] if pinned else None)
        except StoreError as error:
            gathered.alarms.append(str(error))
    return Built(
        serial=previous.serial,
        identity=previous.identity,
        changed=not unchanged,
        names=entries.names,
        rules=len(entries.lines),
        skipped=len(gathered.skipped),
        first_skipped=[_skipped_row(*row) for row in gathered.skipped[:SHOWN_SKIPPED]],
        refused=gathered.refused,
        alarms=gathered.alarms,
        pinned=pinned["serial"] if pinned else None,
        seconds=round(time.monotonic() - started, 3),
    )


def _previous(state_dir: Path) -> tuple[store.Version | None, list[str]]:
    """The last good version, entries included, with an alarm when it is not the current one."""
    if not store.serials(state_dir) and not (state_dir / "current").exists():
        return None, []
    try:
        version = store.open_current(state_dir, thorough=True)
    except StoreError as error:
        return None, [f"nothing could be carried over from before: {error}"]
    return version, [version.notice] if version.notice else []


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


def _apply_pin(job: Job, previous: store.Version | None, gathered: _Gathered) -> dict[str, Any] | None:
    """Puts the pinned version's entries in place of the sources', if there is a pin; returns the pin."""
    try:
        pinned = store.read_pin(job.state_dir)
        if pinned is None:
            return None
    except StoreError as error:
        # A pin that cannot be read still was one: keep to what is in force rather than release it.
        gathered.alarms.append(str(error))
        pinned = previous.manifest["pinned"] if previous is not None else None
        if pinned is None:
            return None
    guards = Guards(job.own_names, job.settings.protected)
    kept: store.Version | None = None
    try:
        kept = store.open_version(job.state_dir, pinned["serial"])
        kept.verify()
    except StoreError as error:
        gathered.alarms.append(f"the pinned version {pinned['serial']} is not sound, so what is in force stays: {error}")
        kept = previous
    if kept is not None:
        gathered.bases = _without(_revived(kept.lines(), guards), set(gathered.withdrawn))
    return pinned


def _without(bases: Iterable[Basis], withdrawn: set[str]) -> list[Basis]:
    return [basis for basis in bases if basis.kind != "directive" or basis.reference not in withdrawn]


def _held(previous: store.Version | None, source: str, guards: Guards) -> list[Basis]:
    if previous is None:
        return []
    lines = zip(range(previous.index.rules), previous.lines(), strict=True)
    return _revived((line for number, line in lines if previous.document(number).get("source") == source), guards)


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


def revive(encoded: bytes) -> Basis:
    """The basis behind one entries line, as a source would give it: what `assemble` makes of it is the same line. Raises StoreError."""
    basis, marked = read_line(encoded)
    return Basis(**basis, listed=[unmark(text) for text in marked])


def _write(
    state_dir: Path, entries: Entries, skipped: Sequence[tuple[str, Skipped]], manifest: dict[str, Any], previous: store.Version | None
) -> store.Version:
    serial = publish.next_serial(state_dir)
    files: dict[str, Iterable[bytes]] = {
        store.ENTRIES: (line.encoded for line in entries.lines),
        store.SKIPPED: (canonical(_skipped_row(*row)) + b"\n" for row in skipped),
    }
    difference = delta.between(previous.lines(), previous.index, entries.lines) if previous is not None else None
    if previous is None or difference is None:
        trie, values = pack_part(list_values(entries.lines))
        files |= {store.TRIE: (trie,), store.VALUES: (values,), store.RULES: (pack_rules(entries.lines),)}
        manifest["index"] = {"base": serial, "changed": 0}
        return publish.write(state_dir, serial, files, manifest, links={}, linked=0)
    files[store.RULES] = (pack_rules(entries.lines, difference.base_map),)
    if difference.changed:
        trie, values = pack_part(difference.changed)
        files |= {store.DELTA_TRIE: (trie,), store.DELTA_VALUES: (values,)}
    manifest["index"] = {"base": previous.manifest["index"]["base"], "changed": len(difference.changed)}
    links: Mapping[str, dict[str, Any]] = {name: previous.manifest["files"][name] for name in (store.TRIE, store.VALUES)}
    return publish.write(state_dir, serial, files, manifest, links=links, linked=previous.serial)


def _skipped_row(source: str, skipped: Skipped) -> dict[str, Any]:
    return {"source": source, "where": skipped.where, "line": skipped.line, "value": skipped.value, "reason": skipped.reason}


def main() -> int:
    """Builds the job on standard input; 0 when it is in force, 75 when another build runs, 1 when it failed."""
    # Millions of small tuples live until the end, and none is in a cycle: a collection would only look at them all again.
    gc.disable()
    logs.to_stderr("builder")
    try:
        job = read_job(sys.stdin.read())
        logs.to_stderr("builder", job.logs)
        if job.confined:
            confine.confine([job.state_dir], connects=False)
        built = build(job)
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
    # Giving back hundreds of megabytes is work for the kernel, and on a core shared with a worker would hold up answers: only when nobody else runs.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
