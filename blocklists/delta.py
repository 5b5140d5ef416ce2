"""The difference between a version's entries and the next one's, in the index's terms.

Pure. A large base index need not be written again for a few names: what changed goes into a second, small part, and the base's rule numbers are
mapped to the new version's. Any map gives right verdicts, because what it leaves wrong is put right name by name; a good one keeps the delta small.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
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
    origins: Sequence[int]
    """The old number of each of the new version's lines that stood, byte for byte, in the old; GONE for the others."""
    added: Sequence[int]
    """The numbers of these others."""


@dataclass(frozen=True)
class _Touched:
    """A rule of the new version whose names may differ from what the old one listed under the same reference."""

    number: int
    before: set[str]


def between(
    old: Sequence[bytes],
    index: Index,
    new: Sequence[Line],
    least_base: int = LEAST_BASE,
    largest_share: float = LARGEST_SHARE,
    made_of: Sequence[Line] = (),
) -> Delta | None:
    """The delta that turns `index`, whose entries' lines are `old`, into the index of `new`; None when it is better written whole.

    `made_of`: the lines that `old` was made of, if they are known: one that is among `new`, too, need not be compared.
    """
    most = int(index.base.size * largest_share)
    if index.base.size < least_base or (index.delta is not None and index.delta.size > most):
        return None
    mapping, origins, added, touched = _match(old, new, made_of)
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
    return Delta(kept, renumbering, origins, added) if len(kept) <= most else None


def _match(old: Sequence[bytes], new: Sequence[Line], made_of: Sequence[Line]) -> tuple[Sequence[int], Sequence[int], list[int], list[_Touched]]:
    """The new number of each old rule (GONE without a successor), `Delta.origins` and `added`, and the rules whose names must be compared."""
    # Nearly always one stretch of lines changed: what is alike before and after it needs neither hash nor dictionary.
    shorter = min(len(old), len(new))
    known = min(len(made_of), shorter)
    before = 0
    while before < known and made_of[before] is new[before]:
        before += 1
    while before < shorter and _same(old, before, new[before]):
        before += 1
    after = 1
    while after <= known - before and made_of[-after] is new[-after]:
        after += 1
    while after <= shorter - before and _same(old, len(old) - after, new[-after]):
        after += 1
    after -= 1
    old_end, new_end = len(old) - after, len(new) - after
    mapping = array("I", range(before)) + array("I", [GONE]) * (old_end - before) + array("I", range(new_end, len(new)))
    origins = array("I", range(before)) + array("I", [GONE]) * (new_end - before) + array("I", range(old_end, len(old)))
    unchanged = {new[number].encoded: number for number in range(before, new_end)}
    left: list[tuple[int, bytes]] = []
    for place in range(before, old_end):
        encoded = old[place]
        number = unchanged.get(encoded)
        if number is None:
            left.append((place, encoded))
        else:
            mapping[place] = number
            origins[number] = place
    added = [number for number in range(before, new_end) if origins[number] == GONE]
    slots: dict[tuple[str, str, str, str], list[int]] = {}
    for number in added:
        line = new[number]
        slots.setdefault((line.layer, line.source, line.kind, line.reference), []).append(number)
    touched = []
    for place, encoded in left:
        basis, names = read_line(encoded)
        successors = slots.get((basis["layer"], str(basis["document"].get("source", "")), basis["kind"], basis["reference"]))
        if successors:
            mapping[place] = successors.pop(0)
            touched.append(_Touched(mapping[place], set(names)))
    touched.extend(_Touched(number, set()) for successors in slots.values() for number in successors)
    return mapping, origins, added, touched


def _same(old: Sequence[bytes], place: int, line: Line) -> bool:
    if line.held is not None and line.held[0] is old:
        return line.held[1] == place
    return old[place] == line.encoded


def _renumbering(index: Index, mapping: Sequence[int]) -> Sequence[int]:
    before = index.base_map()
    if not len(before):
        return mapping
    return array("I", [GONE if number == GONE else mapping[number] for number in before])
