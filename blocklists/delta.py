"""The difference between a version's entries and the next one's, in the index's terms.

Pure. A large base index need not be written again for a few names: what changed goes into a second, small part, and the base's rule numbers are
mapped to the new version's. Any map gives right verdicts, because what it leaves wrong is put right name by name; a good one keeps the delta small.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from blocklists.index import GONE, Index, renumbered
from blocklists.version import Line, read_line, unmark

LEAST_BASE = 50_000
"""Names below which an index is always written whole: that takes a tenth of a second."""

LARGEST_SHARE = 0.02
"""Share of the base's names that a delta may hold before the index is written whole again."""


@dataclass(frozen=True)
class Delta:
    """What stands between a base index and the next version."""

    changed: dict[bytes, Sequence[int]]
    """Each changed key's values, in the new version's rule numbers."""
    base_map: Sequence[int]
    """The new number, or GONE, of each of the base's rules."""


@dataclass(frozen=True)
class _Touched:
    """A rule of the new version whose names may differ from what the old one listed under the same reference."""

    number: int
    before: set[str]


def between(
    old: Iterable[bytes], index: Index, new: Sequence[Line], least_base: int = LEAST_BASE, largest_share: float = LARGEST_SHARE
) -> Delta | None:
    """The delta that turns `index`, whose entries' lines are `old`, into the index of `new`; None when it is better written whole."""
    most = int(index.base.size * largest_share)
    if index.base.size < least_base or (index.delta is not None and index.delta.size > most):
        return None
    mapping, touched = _match(old, new)
    renumbering = _renumbering(index, mapping)
    changed: dict[bytes, Sequence[int]] = {}
    if index.delta is not None:
        for key in index.delta.trie.iterkeys():
            changed[key] = renumbered(index.values(key), mapping)
    adjustments: dict[bytes, tuple[set[int], set[int]]] = {}
    for rule in touched:
        after = set(new[rule.number].marked)
        for side, names in enumerate((rule.before - after, after - rule.before)):
            if len(names) > 2 * most:
                return None
            for text in names:
                key, exact = unmark(text)
                adjustments.setdefault(key, (set(), set()))[side].add(rule.number * 2 + exact)
    for key, (gone, come) in adjustments.items():
        current = changed[key] if key in changed else renumbered(index.values(key), mapping)
        changed[key] = list((set(current) - gone) | come)
    # What came back to the base's own state needs no place in the delta.
    kept: dict[bytes, Sequence[int]] = {}
    for key, values in changed.items():
        if sorted(values) != sorted(renumbered(index.base.at(key) or (), renumbering)):
            kept[key] = sorted(values)
    return Delta(kept, renumbering) if len(kept) <= most else None


def _match(old: Iterable[bytes], new: Sequence[Line]) -> tuple[Sequence[int], list[_Touched]]:
    """The new number of each old rule (GONE without a successor), and the rules whose names must be compared."""
    mapping = array("I")
    unchanged = {line.encoded: number for number, line in enumerate(new)}
    left: list[tuple[int, bytes]] = []
    taken = set()
    for place, encoded in enumerate(old):
        number = unchanged.get(encoded)
        mapping.append(GONE if number is None else number)
        if number is None:
            left.append((place, encoded))
        else:
            taken.add(number)
    slots: dict[tuple[str, str, str, str], list[int]] = {}
    for number, line in enumerate(new):
        if number not in taken:
            slots.setdefault((line.layer, line.source, line.kind, line.reference), []).append(number)
    touched = []
    for place, encoded in left:
        basis, names = read_line(encoded)
        successors = slots.get((basis["layer"], str(basis["document"].get("source", "")), basis["kind"], basis["reference"]))
        if successors:
            mapping[place] = successors.pop(0)
            touched.append(_Touched(mapping[place], set(names)))
    touched.extend(_Touched(number, set()) for successors in slots.values() for number in successors)
    return mapping, touched


def _renumbering(index: Index, mapping: Sequence[int]) -> Sequence[int]:
    before = index.base_map()
    if not len(before):
        return mapping
    return array("I", [GONE if number == GONE else mapping[number] for number in before])
