"""Which of some lines stand: without what was withdrawn, suspended or has ended, and, under a pin, without what came since.

Pure: lines in, lines out, sorted as they were. A line that nothing concerns is passed on as it is, bytes and all; only those of the ids concerned are
taken apart. What a line says of itself is not judged here: `guards` judge names, and the log's own rules what may stand in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from blocklists.sources import Basis
from blocklists.version import Line, assemble, read_line, unmark


@dataclass(frozen=True)
class Lifts:
    """What signed documents ended, whatever came of it since: no line of the log or of a transcription goes against it."""

    withdrawn: frozenset[str] = frozenset()
    """Ids, for ever."""
    suspended: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)
    """By id, stretches in unix seconds: the first included, the second not."""

    @classmethod
    def of(cls, manifest: Mapping[str, Any] | None) -> Lifts:
        """Those recorded with a version; none without one."""
        found = manifest["lifted"] if manifest is not None else {"withdrawn": (), "suspended": {}}
        return cls(frozenset(found["withdrawn"]), {each: [(gap[0], gap[1]) for gap in gaps] for each, gaps in found["suspended"].items()})

    def record(self, as_of: int) -> dict[str, Any]:
        """As a manifest has it; a suspension that is over is forgotten."""
        lasting = {each: [list(gap) for gap in sorted(set(gaps)) if gap[1] > as_of] for each, gaps in self.suspended.items()}
        return {"withdrawn": sorted(self.withdrawn), "suspended": {each: gaps for each, gaps in lasting.items() if gaps}}

    def withdraw(self, identifiers: Iterable[str]) -> Lifts:
        """With these withdrawn."""
        return replace(self, withdrawn=self.withdrawn.union(identifiers))

    def without(self, identifiers: Iterable[str]) -> Lifts:
        """With these withdrawals taken back."""
        return replace(self, withdrawn=self.withdrawn.difference(identifiers))

    def suspend(self, identifier: str, starts: int, ends: int) -> Lifts:
        """With this stretch suspended."""
        return replace(self, suspended={**self.suspended, identifier: [*self.suspended.get(identifier, ()), (starts, ends)]})


def standing(lines: Sequence[Line], lifts: Lifts, as_of: int) -> list[Line]:
    """Those that stand at `as_of` (unix seconds) or later. The same objects, if none is concerned."""
    # Once for each of many thousand lines while somebody waits: written to be quick.
    withdrawn = lifts.withdrawn
    found = [line for line in lines if not (0 < line.ends <= as_of) and not (line.reference in withdrawn and line.kind == "directive")]
    suspended = lifts.suspended
    if not suspended or not any(line.reference in suspended for line in found):
        return found
    split: list[Line] = []
    # Lines of one id stand together, and what becomes of them stands in their place.
    for (_, _, reference), alike in groupby(found, lambda line: (line.layer, line.kind, line.reference)):
        group = list(alike)
        gaps = lifts.suspended.get(reference, ())
        if group[0].kind == "directive" and any(_meets(line, gap) for line in group for gap in gaps):
            pieces = [replace(basis, starts=start, ends=end) for basis in map(revive_line, group) for start, end in _around(basis, gaps)]
            group = assemble(pieces, as_of).lines
        split.extend(group)
    return split


def restricted(lines: Sequence[Line], before: Iterable[Line]) -> tuple[list[Line], int]:
    """What of the lines was listed by the same id in `before` already, under today's terms; and how many lines are held back, whole or in part."""
    earlier: dict[str, list[Line]] = {}
    for line in before:
        earlier.setdefault(line.reference, []).append(line)
    found: list[Line] = []
    held = 0
    for reference, alike in groupby(lines, lambda line: line.reference):
        group = list(alike)
        then = earlier.get(reference, [])
        if {line.encoded for line in group} <= {line.encoded for line in then}:
            found.extend(group)
            continue
        allowed = {text for line in then for text in line.marked}
        kept: list[Basis] = []
        for line in group:
            # Who was blocked with all below may be blocked alone.
            marked = [text for text in line.marked if text in allowed or f".{text}" in allowed]
            held += len(marked) != line.names
            kept.append(replace(revive_line(line), listed=[unmark(text) for text in marked]))
        found.extend(assemble(kept, 0).lines)
    return found, held


def revive(encoded: bytes) -> Basis:
    """The basis behind one entries line, as a source would give it: what `assemble` makes of it is the same line. Raises StoreError."""
    basis, marked = read_line(encoded)
    return Basis(**basis, listed=[unmark(text) for text in marked])


def revive_line(line: Line) -> Basis:
    """As `revive`."""
    return revive(line.encoded)


def _meets(line: Line, gap: tuple[int, int]) -> bool:
    return line.starts < gap[1] and (not line.ends or gap[0] < line.ends)


def _around(basis: Basis, gaps: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of a basis' stretch; an end of 0 is none."""
    left = [(basis.starts, basis.ends)]
    for opens, closes in gaps:
        pieces = []
        for start, end in left:
            if start >= closes or (end and end <= opens):
                pieces.append((start, end))
                continue
            if start < opens:
                pieces.append((start, opens))
            if not end or closes < end:
                pieces.append((max(start, closes), end))
        left = pieces
    return left
