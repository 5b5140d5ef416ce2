"""The docket over the believed log, kept up to date: entries from our copy, verdicts of signatures from the cache, and what people did by hand here.

state_dir/lifts/<digest>.json        envelopes of withdrawals and suspensions, carried in by hand
state_dir/decisions/<number>.json    the operator's own: {"at", "by", "id", "reason", "what"}
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from blocklists import decisions, numbered
from blocklists.docket import Data, Docket, Verdict
from blocklists.errors import BadDocument, StoreError
from blocklists.feed.mirrored import Progress
from blocklists.feed.trusted import Believed
from blocklists.feed.verdicts import Verdicts
from blocklists.guards import read_suffixes
from blocklists.log.tree import Tree
from blocklists.names import visible
from blocklists.trust import envelope

LIFTS, DECISIONS = "lifts", decisions.DIRECTORY
WAITS = "order.unknown"
"""The rule by which a lift waits for the log to bring its order; it is judged again then."""
PIN = "pin"
TOLD_EVERY = 500
"""Entries between two words of progress."""


def make(believed: Believed, own_names: tuple[str, ...]) -> Docket:
    """An empty docket that judges by what is believed. Raises BadName, and UnicodeDecodeError, for data that no docket can judge by."""
    return Docket(_data(believed), own_names)


def _data(believed: Believed) -> Data:
    return Data(believed.policy, believed.protected, read_suffixes(believed.suffixes.decode("utf-8")), believed.demonstration)


@dataclass
class ByHand:
    """What people did here."""

    stamp: tuple[object, ...] = ()
    decisions: list[dict[str, Any]] = field(default_factory=list)
    lifted: list[str] = field(default_factory=list)
    """Digests of envelopes that lift something."""
    refused: list[str] = field(default_factory=list)
    """Why a file has no effect, each in words."""


class Judge:
    """Keeps one docket."""

    def __init__(self, own_names: tuple[str, ...], progress: Progress) -> None:
        self._own_names = own_names
        self._progress = progress
        self._docket: Docket | None = None
        self._judges_by = ""
        self._verdicts: Verdicts | None = None
        self.made = 0
        """How many dockets there were so far."""
        self._lifted: dict[str, Verdict] = {}
        """What the docket said of an envelope, by the digest of each that it was given."""

    def judge(self, believed: Believed, tree: Tree) -> Docket:
        """The docket over all of the believed log. Raises StoreError for damage."""
        end = believed.checkpoint.size
        judges_by = f"{believed.digest()} {believed.demonstration}"
        if self._docket is not None and judges_by != self._judges_by and self._docket.size <= end and self._docket.renew(_data(believed)):
            self._judges_by = judges_by
        if self._docket is None or self._verdicts is None or judges_by != self._judges_by or self._docket.size > end:
            self._docket, self._judges_by = make(believed, self._own_names), judges_by
            self._verdicts = Verdicts(tree.directory)
            self._lifted = {}
            self.made += 1
        found, kept = self._docket, self._verdicts
        try:
            for index, data in enumerate(tree.entries(found.size, end), found.size):
                known = kept.next()
                kept.add(known, found.take(index, data, known))
                if (index + 1) % TOLD_EVERY == 0:
                    self._progress("verified", index + 1, end)
        finally:
            kept.flush()
        return found

    def by_hand(self, held: Docket, state_dir: Path) -> ByHand:
        """Gives the docket what was decided and lifted by hand."""
        found = ByHand(stamp(state_dir))
        for path in sorted((state_dir / LIFTS).glob("*.json")):
            try:
                with path.open("rb") as file:
                    data = file.read(envelope.MAX_OCTETS + 1)
                digest = sha256(data).hexdigest()
                known = self._lifted.get(digest)
                if known is None or (known.rule == WAITS and known.id in held.cases):
                    self._lifted[digest] = held.lift(envelope.read(data, visible(path.name)))
            except (OSError, BadDocument) as error:
                found.refused.append(f"{visible(path.name)}: {error}")
                continue
            verdict = self._lifted[digest]
            if not verdict.rule:
                found.lifted.append(digest)
            elif verdict.rule != WAITS:
                found.refused.append(f"{visible(path.name)}: {verdict.why}")
        for number in numbered.numbers(state_dir / DECISIONS):
            try:
                found.decisions.append(decisions.read_one(state_dir, number).document())
            except StoreError as error:
                found.refused.append(str(error))
        held.decide(found.decisions)
        return found


def stamp(state_dir: Path) -> tuple[object, ...]:
    """What changes when somebody decides, lifts or unpins something by hand, by stat calls: files there are only ever added, replaced or removed."""
    found: list[object] = []
    for name in (LIFTS, DECISIONS, PIN):
        try:
            path = state_dir / name
            status = path.stat()
            # The kernel's clock of changes ticks every few milliseconds: a file that came within the tick of this look is known by its name.
            files = sum(file.endswith(".json") for file in os.listdir(path)) if name != PIN else 0
            found.append((status.st_ino, status.st_mtime_ns, files))
        except OSError:
            found.append(0)
    return tuple(found)
