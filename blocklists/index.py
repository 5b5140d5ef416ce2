"""The index of a version: which rules touch a name, answered from mapped files.

Nothing proportional to the number of names or rules is ever loaded: the names stand in a marisa trie, everything else in flat arrays that are read
in place through memoryviews. A bounded cache of recent rules is all that lives on the heap. Opening checks the shape of what it is given; that the
bytes are the ones that were written is the store's business, before they come here. No clock, no file is touched here.

Three tables, in the machine's own byte order (an index is local: it is rebuilt, never sent):

- a *part*: `trie` (BinaryTrie over keys) and `values`: one u32 a key id. High bit clear: rule number * 2 + (1 if exact). High bit set: offset, in
  u32s, into the sets that follow, where a count and that many such values stand; several rules list the name, or, with count 0, none does any more.
- `rules`: a fixed-size record a rule, in the order of the entries' lines, and the sorted times at which any of them starts or ends.
- for a version written as a change of an earlier base: a second part, whose values take the place of the base's for the same key, and in `rules` a
  map from the base's rule numbers to this version's (`GONE` for rules that no longer stand).
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import marisa_trie

from blocklists.errors import StoreError
from blocklists.version import KINDS, MODES, Line

Buffer = memoryview | bytes
Values = tuple[int, ...]
"""What one key's entry says, sorted: rule number * 2 + (1 if exact), each."""

_Terms = tuple[str, str, str, str, int, int, int]
"""A rule without the listed name: kind, mode, reference, match, start, end, number."""

GONE = 0xFFFF_FFFF
FOREVER = 2**63 - 1
"""Later than any time: no rule starts or ends after now."""

MAX_RULES = 2**30

_SETS = 0x8000_0000
_CACHED = 2048
_FORMAT = 2
_NATIVE = struct.unpack("=I", b"\1\2\3\4")[0]
_VALUES_HEADER = struct.Struct("=8sIIII")
_VALUES_MAGIC = b"RHVALUES"
_RULES_HEADER = struct.Struct("=8sIIIIIIQ")
_RULES_MAGIC = b"RH-RULES"
_RECORD = struct.Struct("=BBHIqqQQQ")


class Rule(NamedTuple):
    """One source of blocking or passing, seen through one listed name."""

    kind: str
    """`directive`, `own` or `pass`."""
    mode: str
    """`redirect`, `nxdomain`, `nodata` or `refused`."""
    reference: str
    """A directive's public id; for a list, its source's id."""
    match: str
    """`exact` or `subtree`."""
    key: bytes
    """Key of the listed name that matched."""
    starts: int
    """Unix seconds; 0: always."""
    ends: int
    """Unix seconds, exclusive; 0: never."""
    number: int
    """Its place among the version's rules."""

    def in_force(self, now: int) -> bool:
        """Whether it stands at `now` (unix seconds)."""
        return self.starts <= now and (not self.ends or now < self.ends)


_new_rule = tuple.__new__


class Trie(Protocol):
    """What is used of marisa_trie.BinaryTrie, which has no type hints."""

    def prefixes(self, key: bytes) -> list[bytes]:
        """The keys that are prefixes of this one, shortest first."""
        ...

    def get(self, key: bytes) -> int | None:
        """The key's id."""
        ...

    def iterkeys(self) -> Iterator[bytes]:
        """Every key."""
        ...


class Part:
    """One trie with its values."""

    def __init__(self, trie: Trie, values: Buffer) -> None:
        view = _checked(values, _VALUES_HEADER.size, "values")
        magic, order, version, self.size, words = _VALUES_HEADER.unpack_from(view)
        _check_format(magic == _VALUES_MAGIC, order, version, "values")
        if len(view) != _VALUES_HEADER.size + 4 * (self.size + words):
            raise StoreError(f"index values hold {len(view)} octets, not those of {self.size} names; run: redhand blocklist build")
        if trie.get(b"") is not None:
            raise StoreError("the index lists the root, which would block every name; run: redhand blocklist build")
        self.trie = trie
        self.table = view[_VALUES_HEADER.size :].cast("I")

    def at(self, key: bytes) -> Values | None:
        """The values of exactly this key; None when it has no entry (an empty tuple is an entry that says: no longer listed)."""
        found = self.trie.get(key)
        if found is None:
            return None
        value = self.table[found]
        if value < _SETS:
            return (value,)
        start = self.size + (value - _SETS) + 1
        return tuple(self.table[start : start + self.table[start - 1]])

    def single(self, key: bytes) -> int | None:
        """The value of this key when it has exactly one."""
        found = self.trie.get(key)
        if found is None:
            return None
        value: int = self.table[found]
        return value if value < _SETS else None


class Index:
    """Verdicts for one version. Cheap to hold, safe to read from several threads."""

    def __init__(self, base: Part, rules: Buffer, delta: Part | None = None) -> None:
        view = _checked(rules, _RULES_HEADER.size, "rules")
        magic, order, version, count, boundaries, mapped, _, strings = _RULES_HEADER.unpack_from(view)
        _check_format(magic == _RULES_MAGIC, order, version, "rules")
        start = _RULES_HEADER.size
        ends = [start := start + size for size in (8 * boundaries, _RECORD.size * count, 4 * mapped, strings)]
        if ends[-1] != len(view):
            raise StoreError(f"index rules hold {len(view)} octets, not those of {count} rules; run: redhand blocklist build")
        self.rules = count
        """How many rules the version has."""
        self._boundaries = view[_RULES_HEADER.size : ends[0]].cast("q")
        self._records = view[ends[0] : ends[1]]
        self._map = view[ends[1] : ends[2]].cast("I")
        self._strings = view[ends[2] :]
        self._mapped = mapped > 0
        self.base = base
        self.delta = delta
        self._prefixes = base.trie.prefixes
        self._changed = delta.trie.prefixes if delta else None
        self._cache: dict[bytes, tuple[Rule, ...]] = {}
        self._terms: dict[int, _Terms] = {}
        self._simple = delta is None and not self._mapped
        self._get = base.trie.get
        self._table = base.table

    def find(self, key: bytes, now: int) -> Rule | None:
        """What decides for the name at `now` (unix seconds): of the rules in force that cover it, a directive's if there is one; none, if one
        passes it; else one of the operator's own. Among several, the one with the longest listed name, then the lowest number.
        """
        found = self._prefixes(key)
        if self._changed is not None and (changed := self._changed(key)):
            found = sorted({*found, *changed}, key=len)
        if not found:
            return None
        own = None
        passed = False
        cache = self._cache
        for listed in reversed(found):
            rules = cache.get(listed)
            if rules is None:
                rules = self._load(listed)
            for rule in rules:
                kind, _, _, match, _, starts, ends, _ = rule
                if now < starts or (ends and now >= ends) or (match == "exact" and len(listed) != len(key)):
                    continue
                if kind == "directive":
                    return rule
                if kind == "pass":
                    passed = True
                elif own is None:
                    own = rule
        return None if passed else own

    def covering(self, key: bytes) -> list[Rule]:
        """Every rule that touches the name, in force or not: longest listed name first, then lowest number."""
        found = self._prefixes(key)
        if self._changed is not None:
            found = sorted({*found, *self._changed(key)}, key=len)
        return [rule for listed in reversed(found) for rule in self._load(listed) if rule.match == "subtree" or listed == key]

    def next_boundary(self, now: int) -> int:
        """The first time after `now` (unix seconds) at which any rule starts or ends; FOREVER when there is none."""
        at = bisect_right(self._boundaries, now)
        return self._boundaries[at] if at < len(self._boundaries) else FOREVER

    def values(self, key: bytes) -> Values:
        """What this version lists for exactly this key, sorted; empty when it lists nothing."""
        if self.delta is not None and (changed := self.delta.at(key)) is not None:
            return changed
        return self.base_values(key)

    def base_values(self, key: bytes) -> Values:
        """What the base alone lists for exactly this key, in this version's rule numbers."""
        found = self.base.at(key) or ()
        if not self._mapped or not found:
            return found
        if len(found) == 1:
            number = self._map[found[0] >> 1]
            return () if number == GONE else (number * 2 + (found[0] & 1),)
        return tuple(sorted(renumbered(found, self._map)))

    def base_map(self) -> Sequence[int]:
        """For each rule number of the base, the one it has in this version, or GONE; empty when the base is this version's own."""
        return self._map

    def basis_span(self, number: int) -> tuple[int, int]:
        """Where the basis of a rule stands in the entries: offset and length in octets."""
        if not 0 <= number < self.rules:
            raise IndexError(f"rule {number} is none of this version's {self.rules}; ask the version that gave the rule")
        _, _, _, length, _, _, _, offset, _ = _RECORD.unpack_from(self._records, number * _RECORD.size)
        return offset, length

    def line_span(self, number: int) -> tuple[int, int]:
        """Where a rule's whole line stands in the entries: offset and length in octets."""
        _, _, _, _, _, _, _, offset, length = _RECORD.unpack_from(self._records, number * _RECORD.size)
        return offset - Line.basis_start, length

    def line(self, number: int, layer: str, table: Sequence[bytes]) -> Line:
        """A rule's line, whose bytes stay in `table` until they are asked for."""
        kind, mode, length, basis_length, starts, ends, at, _, _ = _RECORD.unpack_from(self._records, number * _RECORD.size)
        reference = str(self._strings[at : at + length], "utf-8")
        return Line((KINDS[kind], MODES[mode], layer, reference, starts, ends), basis_length, None, held=(table, number))

    def packed(self) -> tuple[memoryview, memoryview]:
        """The rules' records, of `RECORD_OCTETS` each, and the strings they refer to, to be packed again with others."""
        return self._records, self._strings

    def _load(self, listed: bytes) -> tuple[Rule, ...]:
        rules: tuple[Rule, ...]
        if self._simple and (found := self._get(listed)) is not None and (value := self._table[found]) < _SETS:
            # The common case, spelt out: each name that is listed and new takes this path once.
            rules = (_rule(self._terms.get(value) or self._read_terms(value), listed),)
        else:
            rules = tuple([_rule(self._terms.get(value) or self._read_terms(value), listed) for value in self.values(listed)])
        if len(self._cache) >= _CACHED:
            self._cache.clear()
        self._cache[listed] = rules
        return rules

    def _read_terms(self, value: int) -> _Terms:
        number = value >> 1
        kind, mode, length, _, starts, ends, at, _, _ = _RECORD.unpack_from(self._records, number * _RECORD.size)
        reference = str(self._strings[at : at + length], "utf-8")
        terms = KINDS[kind], MODES[mode], reference, "exact" if value & 1 else "subtree", starts, ends, number
        if len(self._terms) >= _CACHED:
            self._terms.clear()
        self._terms[value] = terms
        return terms


def _rule(terms: _Terms, listed: bytes) -> Rule:
    kind, mode, reference, match, starts, ends, number = terms
    # Past the named constructor, which takes twice as long.
    return tuple.__new__(Rule, (kind, mode, reference, match, listed, starts, ends, number))


def renumbered(values: Iterable[int], mapping: Sequence[int]) -> list[int]:
    """The values with their rule numbers put through a map; those whose rule is GONE are left out."""
    return [mapping[value >> 1] * 2 + (value & 1) for value in values if mapping[value >> 1] != GONE]


def _checked(buffer: Buffer, least: int, what: str) -> memoryview:
    view = memoryview(buffer)
    if len(view) < least:
        raise StoreError(f"index {what} are only {len(view)} octets long, torn in their header; run: redhand blocklist build")
    return view


def _check_format(magic: bool, order: int, version: int, what: str) -> None:
    if not magic or order != _NATIVE or version != _FORMAT:
        raise StoreError(f"index {what} are not of this machine's byte order and format {_FORMAT}; run: redhand blocklist build")


def list_values(lines: Sequence[Line]) -> dict[bytes, int | list[int]]:
    """For each key, what lists it: one value, or several, sorted. The lines' places are their rule numbers."""
    if len(lines) > MAX_RULES:
        raise StoreError(f"{len(lines)} rules are more than the {MAX_RULES} that one version can number; split the sources")
    found: dict[bytes, int | list[int]] = {}
    for number, line in enumerate(lines):
        subtree, exact_value = number * 2, number * 2 + 1
        for key, exact in line.listed:
            value = exact_value if exact else subtree
            before = found.setdefault(key, value)
            if before == value:
                continue
            if isinstance(before, int):
                found[key] = sorted((before, value))
            elif value not in before:
                before.append(value)
                before.sort()
    return found


def pack_part(listed: Mapping[bytes, int | Sequence[int]]) -> tuple[bytes, bytes]:
    """A part's trie and values files. Raises StoreError for the empty key: an index that covers every name is never written."""
    if b"" in listed:
        raise StoreError("an entry lists the root, which would block every name; remove it from its source")
    trie = marisa_trie.BinaryTrie(sorted(listed))
    # Most names of a large list say the same thing: fill in the commonest value, and look up the ids of the others only.
    common = _commonest(listed)
    values = array("I", [common]) * len(listed)
    sets = array("I")
    for key, value in listed.items():
        if isinstance(value, int):
            if value != common:
                values[trie.key_id(key)] = value
            continue
        values[trie.key_id(key)] = _SETS + len(sets)
        sets.append(len(value))
        sets.extend(value)
    header = _VALUES_HEADER.pack(_VALUES_MAGIC, _NATIVE, _FORMAT, len(values), len(sets))
    return trie.tobytes(), b"".join((header, values.tobytes(), sets.tobytes()))


def _commonest(listed: Mapping[bytes, int | Sequence[int]]) -> int:
    counts: dict[int, int] = {}
    for value in listed.values():
        if isinstance(value, int):
            counts[value] = counts.get(value, 0) + 1
    return max(counts, key=counts.__getitem__, default=0)


def pack_rules(lines: Sequence[Line], base_map: Sequence[int] = ()) -> bytes:
    """The rules file of these lines, which stand in the entries one after the other; `base_map` as `Index.base_map` gives it."""
    records, strings = bytearray(), bytearray()
    offset = 0
    for line in lines:
        offset += _pack_rule(line, offset, records, strings)
    return _pack(lines, base_map, records, strings)


def repack_rules(index: Index, lines: Sequence[Line], origins: Sequence[int], added_at: int, base_map: Sequence[int] = ()) -> bytes:
    """As `pack_rules`, for lines most of which stand where `index` has them: `origins` gives the number of each there.

    Those whose origin is GONE stand one after the other from `added_at` on. What is kept is copied in runs, so that it costs next to nothing;
    strings of rules that are gone stay until the rules are packed from nothing again.
    """
    kept, kept_strings = index.packed()
    records, strings = bytearray(), bytearray(kept_strings)
    number = 0
    while number < len(origins):
        first = origins[number]
        if first == GONE:
            added_at += _pack_rule(lines[number], added_at, records, strings)
            number += 1
            continue
        run = 1
        while number + run < len(origins) and origins[number + run] == first + run:
            run += 1
        records += kept[first * _RECORD.size : (first + run) * _RECORD.size]
        number += run
    return _pack(lines, base_map, records, strings)


def _pack_rule(line: Line, offset: int, records: bytearray, strings: bytearray) -> int:
    """Adds one rule whose line begins at `offset`; gives the line's length."""
    encoded, reference = line.encoded, line.reference.encode()
    kind, mode = KINDS.index(line.kind), MODES.index(line.mode)
    start = offset + line.basis_start
    records += _RECORD.pack(kind, mode, len(reference), line.basis_length, line.starts, line.ends, len(strings), start, len(encoded))
    strings += reference
    return len(encoded)


def _pack(lines: Sequence[Line], base_map: Sequence[int], records: bytearray, strings: bytearray) -> bytes:
    boundaries = {line.starts for line in lines} | {line.ends for line in lines}
    boundaries.discard(0)
    mapped = array("I", base_map)
    header = _RULES_HEADER.pack(_RULES_MAGIC, _NATIVE, _FORMAT, len(lines), len(boundaries), len(mapped), 0, len(strings))
    return b"".join((header, array("q", sorted(boundaries)).tobytes(), records, mapped.tobytes(), strings))


if array("I").itemsize != 4:  # pragma: no cover
    raise ImportError(f"the index needs 4-octet unsigned ints, and this machine's ({sys.platform}) have {array('I').itemsize}; it is not supported")
