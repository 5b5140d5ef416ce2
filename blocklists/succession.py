"""From the version in force to the next: lines that were composed become files, and the files come in force if nothing else did meanwhile.

Whoever changes the list comes here: the builder with what sources say, the feed with what the log says, a lift with what an authority ended. Each
says what the next version's lines are, given the last one (`Compose`), as often as it is asked: when another change came in force while this one was
written, this one is composed again upon that. A base index written once is not written again; what changed meanwhile becomes its delta. After a few
rounds the lock is held for one, which is short by then, so that nobody starves and nobody waits for a build.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blocklists import delta, publish, store
from blocklists.errors import StoreError
from blocklists.index import list_values, pack_part, pack_rules, repack_rules
from blocklists.version import Entries, Line

ROUNDS = 12
"""The last of them under the lock. All but the first are short, and orders do not come several a second for long."""

URGENT_BASE = 1_000
"""Names below which an index is written whole though somebody waits: that takes some milliseconds."""

URGENT_SHARE = 0.2
"""Share of the base's names that a delta may hold where somebody waits: an index of a million names takes seconds to write, this a quarter of one."""

COMPACT_SHARE = 0.005
"""Share from which a base is due to be written anew: each name in the delta costs every later change some microseconds."""
COMPACT_OCTETS = 4 << 20
"""The same of the entries that came after the base."""


@dataclass(frozen=True)
class Next:
    """What the next version is to be."""

    entries: Entries
    facts: dict[str, Any]
    """Its manifest, without what is said of its files and of this machine."""
    changed: bool = True
    """Whether it differs from the last one; if not, nothing is written."""
    skipped: Iterable[bytes] | None = None
    """Lines of the file of that name; None for the last one's."""
    urgent: bool = False
    """Somebody waits: as little as possible is written."""
    whole: bool = False
    """Base and entries are written anew."""


Compose = Callable[[store.Version | None], Next]


@dataclass(frozen=True)
class Come:
    """What came of it."""

    version: store.Version
    next: Next
    changed: bool
    """Whether it is a new one."""


class Place:
    """The state directory, and the last version seen in it, of which whoever stays need not read everything again."""

    def __init__(self, state_dir: Path, keep: int) -> None:
        self.state_dir = state_dir
        self.alarms: list[str] = []
        """What was not sound at the last `advance`."""
        self._keep = keep
        """How many versions stay besides those that are needed."""
        self._last: store.Version | None = None
        self._seen = b""
        """What `current` said when that was the last one."""
        self._made_of: list[Line] = []
        """Its lines, if they are known."""

    def advance(self, compose: Compose) -> Come:
        """The next version, in force when this returns; the last one, if it is no other.

        Nothing is read again of a version that is still the last one: that its files are the same is seen when they are linked.

        Raises StoreError when the disk refuses, or holds versions of which none is sound and `compose` will not do without; what was in force stays.
        """
        try:
            return self._advance(compose)
        except StoreError:
            self._last, self._seen, self._made_of = None, b"", []
            raise

    def _advance(self, compose: Compose) -> Come:
        base: store.Version | None = None
        with ExitStack() as drafts:
            for round_number in range(1, ROUNDS + 1):
                with ExitStack() as lock:
                    last_round = round_number == ROUNDS
                    if last_round:
                        lock.enter_context(publish.publishing(self.state_dir))
                    seen, previous = self._look()
                    following = compose(previous)
                    if previous is not None and not following.changed:
                        return Come(previous, following, False)
                    try:
                        draft = publish.Draft(self.state_dir, held=last_round)
                        drafts.callback(draft.close)
                        version, based = _fill(draft, following, previous, base, self._made_of, urgent=following.urgent or round_number > 1)
                    except StoreError:
                        if not last_round and self._read() != seen:
                            continue  # what it was made from may be gone by now
                        raise
                    if based:
                        base = version
                    if not last_round:
                        lock.enter_context(publish.publishing(self.state_dir))
                        if self._read() != seen:
                            continue
                    sound = previous.serial if previous is not None and not previous.notice else None
                    self._seen = draft.put_in_force(self.state_dir, version, sound)
                    self._last, self._made_of = version, following.entries.lines
                    self._prune(version)
                    return Come(version, following, True)
        raise AssertionError("the last round ends it")

    def _look(self) -> tuple[bytes, store.Version | None]:
        """What `current` says, and the last good version, entries included; an alarm when that is not the current one."""
        seen = self._read()
        self.alarms = []
        if self._last is not None and seen == self._seen:
            return seen, self._last
        self._made_of = []
        if not seen and not store.serials(self.state_dir):
            return seen, None
        try:
            version = store.open_current(self.state_dir, thorough=True, like=self._last)
        except StoreError as error:
            self.alarms = [f"nothing could be carried over from before: {error}"]
            return seen, None
        if version.notice:
            self.alarms = [version.notice]
        self._last, self._seen = version, b"" if version.notice else seen
        return seen, version

    def _read(self) -> bytes:
        with suppress(OSError):
            return (self.state_dir / "current").read_bytes()
        return b""

    def _prune(self, version: store.Version) -> None:
        pins = [version.manifest["pinned"]]
        with suppress(StoreError):
            pins.append(store.read_pin(self.state_dir))  # one that was set just now, whose version is yet to be gone back to
        try:
            publish.prune(self.state_dir, version.serial, self._keep, [pinned["serial"] for pinned in pins if pinned is not None])
        except StoreError as error:
            self.alarms.append(str(error))


def swollen(version: store.Version) -> bool:
    """Whether so much came after its base that a new base would make later changes quicker."""
    added = version.manifest["files"].get(store.DELTA_ENTRIES, {"size": 0})["size"]
    changed = version.manifest["index"]["changed"]
    return bool(added > COMPACT_OCTETS or (changed > delta.LEAST_BASE * COMPACT_SHARE and changed > version.index.base.size * COMPACT_SHARE))


CARRIED = ("as_of", "refused", "withdrawn", "pinned", "sources", "skipped", "machine", "orders", "lifted", "waiting")


def carried(previous: store.Version | None) -> dict[str, Any]:
    """What a version's manifest says, to be said of the next with what is new; of nothing at all, if it is the first.

    as_of       unix seconds: what had ended by then is left out
    refused     sources of the operator's that were refused whole
    withdrawn   ids that the operator's own files withdraw, of transcriptions of orders
    pinned      the pin, if there is one
    sources     what each source was when it was last read
    skipped     how many of the sources' records are not in force
    orders      what the orders layer was made from; None without a feed
    lifted      ids withdrawn and stretches suspended by signed documents (`standing.Lifts`)
    waiting     how many lines of orders are held back by a pin, or were when it was released
    """
    if previous is not None:
        found = {name: previous.manifest[name] for name in CARRIED}
        return {**found, "machine": {**found["machine"], **machine()}}
    lifted: dict[str, Any] = {"withdrawn": [], "suspended": {}}
    empty: dict[str, Any] = {"as_of": 0, "refused": [], "withdrawn": [], "pinned": None, "sources": {}, "skipped": 0}
    return {**empty, "machine": machine(), "orders": None, "lifted": lifted, "waiting": 0}


def machine() -> dict[str, Any]:
    """Facts that stand beside a version and never in it."""
    return {
        "built_at": int(time.time()),
        "marisa_trie": importlib.metadata.version("marisa-trie"),
        "pid": os.getpid(),
        "python": platform.python_version(),
    }


def _fill(
    draft: publish.Draft, following: Next, previous: store.Version | None, base: store.Version | None, made_of: list[Line], urgent: bool
) -> tuple[store.Version, bool]:
    """Writes a draft's files and reads them back; and whether its base was written anew.

    `base`: a draft whose base was. `made_of`: the lines of `previous`, if they are known. `urgent`: somebody waits, or would be overtaken again.
    """
    entries = following.entries
    upon = base if base is not None else None if following.whole else previous
    least, share = (URGENT_BASE, URGENT_SHARE) if urgent else (delta.LEAST_BASE, delta.LARGEST_SHARE)
    difference = delta.between(upon.table, upon.index, entries.lines, least, share, made_of if upon is previous else ()) if upon is not None else None
    manifest = {**following.facts, "identity": entries.identity, "layers": {name: asdict(layer) for name, layer in entries.layers.items()}}
    if upon is None or difference is None:
        draft.write(store.ENTRIES, (line.encoded for line in entries.lines))
        trie, values = pack_part(list_values(entries.lines))
        draft.write(store.TRIE, (trie,))
        draft.write(store.VALUES, (values,))
        draft.write(store.RULES, (pack_rules(entries.lines),))
        manifest["index"] = {"base": 0, "changed": 0}
    else:
        draft.link(store.TRIE, upon)
        draft.link(store.VALUES, upon)
        added = [upon.table.added(), *(entries.lines[number].encoded for number in difference.added)]
        octets = sum(map(len, added))
        if urgent or octets <= COMPACT_OCTETS:
            draft.link(store.ENTRIES, upon)
            if octets:
                draft.write(store.DELTA_ENTRIES, added)
            draft.write(store.RULES, (repack_rules(upon.index, entries.lines, difference.origins, upon.table.size(), difference.base_map),))
        else:
            draft.write(store.ENTRIES, (line.encoded for line in entries.lines))
            draft.write(store.RULES, (pack_rules(entries.lines, difference.base_map),))
        if difference.changed:
            trie, values = pack_part(difference.changed)
            draft.write(store.DELTA_TRIE, (trie,))
            draft.write(store.DELTA_VALUES, (values,))
        manifest["index"] = {"base": upon.manifest["index"]["base"], "changed": len(difference.changed)}
    if following.skipped is None and previous is not None:
        draft.link(store.SKIPPED, previous)
    else:
        draft.write(store.SKIPPED, following.skipped or ())
    return draft.open(manifest, upon), difference is None
