"""The index says what a linear scan says, at any time, whole or as a base with changes; and holds nothing on the heap."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from typing import Any

import marisa_trie
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists import delta, names
from blocklists.errors import StoreError
from blocklists.index import FOREVER, Index, Part, Rule, list_values, pack_part, pack_rules
from blocklists.sources import Basis
from blocklists.version import Entries, Line, assemble

KEY = st.lists(st.sampled_from([b"\1a", b"\1b", b"\2aa"]), min_size=1, max_size=3).map(b"".join)
LISTED = st.lists(st.tuples(KEY, st.booleans()), min_size=1, max_size=4)
TIME = st.sampled_from([0, 5, 10, 20])
NOW = st.sampled_from([0, 4, 5, 9, 10, 15, 20, 30])


@st.composite
def bases(draw: st.DrawFn) -> Basis:
    kind = draw(st.sampled_from(["directive", "own", "pass"]))
    reference = draw(st.sampled_from(["r1", "r2", "r3"]))
    mode = draw(st.sampled_from(["redirect", "refused"]))
    return Basis(kind, mode, reference, draw(TIME), draw(TIME), "local", {"source": draw(st.sampled_from("st"))}, draw(LISTED))


ENTRIES = st.lists(bases(), max_size=5).map(lambda found: assemble(found, 0))


def opened(trie: bytes, values: bytes) -> Part:
    found = marisa_trie.BinaryTrie()
    found.frombytes(trie)
    return Part(found, values)


def whole(lines: Sequence[Line]) -> Index:
    return Index(opened(*pack_part(list_values(lines))), pack_rules(lines))


def scan_covering(lines: Sequence[Line], key: bytes) -> list[Rule]:
    """The slow twin: every listed name of every line, one after the other."""
    found = {
        Rule(line.kind, line.mode, line.reference, "exact" if exact else "subtree", listed, line.starts, line.ends, number)
        for number, line in enumerate(lines)
        for listed, exact in line.listed
        if listed == key or (not exact and key.startswith(listed))
    }
    return sorted(found, key=lambda rule: (-len(rule.key), rule.number, rule.match == "exact"))


def scan(lines: Sequence[Line], key: bytes, now: int) -> Rule | None:
    """The slow twin of `find`."""
    standing = [rule for rule in scan_covering(lines, key) if rule.starts <= now and (rule.ends == 0 or now < rule.ends)]
    by_kind = {kind: [rule for rule in standing if rule.kind == kind] for kind in ("directive", "own", "pass")}
    if by_kind["directive"]:
        return by_kind["directive"][0]
    return None if by_kind["pass"] or not by_kind["own"] else by_kind["own"][0]


def agree(index: Index, lines: Sequence[Line], keys: list[bytes], nows: list[int]) -> None:
    for key in keys:
        assert index.covering(key) == scan_covering(lines, key)
        for now in nows:
            assert index.find(key, now) == scan(lines, key, now)
    times = sorted({time for line in lines for time in (line.starts, line.ends)})
    for now in nows:
        assert index.next_boundary(now) == min((time for time in times if time > now and time), default=FOREVER)


@settings(max_examples=300)
@given(ENTRIES, st.lists(KEY, min_size=1, max_size=8), st.lists(NOW, min_size=1, max_size=4))
def test_the_index_is_the_linear_scan(entries: Entries, keys: list[bytes], nows: list[int]) -> None:
    agree(whole(entries.lines), entries.lines, keys, nows)


@settings(max_examples=300)
@given(
    ENTRIES.filter(lambda entries: entries.lines),
    st.lists(ENTRIES, min_size=1, max_size=4),
    st.lists(KEY, min_size=1, max_size=8),
    st.lists(NOW, min_size=1, max_size=3),
)
def test_a_base_with_changes_upon_changes_is_the_linear_scan(first: Entries, later: list[Entries], keys: list[bytes], nows: list[int]) -> None:
    """Any chain of versions: each is a delta on the first one's index, and says what a scan of its own entries says."""
    index, lines = whole(first.lines), first.lines
    for entries in later:
        found = delta.between([line.encoded for line in lines], index, entries.lines, least_base=0, largest_share=1000)
        assert found is not None
        part = opened(*pack_part(found.changed)) if found.changed else None
        index, lines = Index(index.base, pack_rules(entries.lines, found.base_map), part), entries.lines
        agree(index, lines, keys, nows)
        assert all(index.values(key) == whole(lines).values(key) for key in keys)


def directive(reference: str, listed: list[str], **terms: Any) -> Basis:
    keys = [(names.key(names.parse(name)), False) for name in listed]
    return Basis("directive", "redirect", reference, terms.get("starts", 0), terms.get("ends", 0), "local", {"source": "orders"}, keys)


def test_a_delta_holds_only_what_changed() -> None:
    many = [f"n{number}.test" for number in range(1000)]
    before = assemble([directive("A", many), directive("B", ["b.test"]), directive("C", ["c.test"])], 0).lines
    after = assemble([directive("A", [*many[1:], "new.test"]), directive("C", ["c.test"], ends=9), directive("D", ["d.test"])], 0).lines
    found = delta.between([line.encoded for line in before], whole(before), after, least_base=1000)
    assert found is not None
    assert {names.key_text(key) for key in found.changed} == {"n0.test", "new.test", "d.test"}
    # B is withdrawn by the map alone; C's new terms need no name either.
    assert list(found.base_map) == [0, 0xFFFFFFFF, 1]
    back = delta.between(
        [line.encoded for line in after],
        Index(whole(before).base, pack_rules(after, found.base_map), opened(*pack_part(found.changed))),
        before,
        1000,
    )
    assert back is not None
    assert {names.key_text(key) for key in back.changed} == {"b.test"}


@pytest.mark.parametrize(("least", "share"), [(1002, 0.02), (10, 0.0001)])
def test_a_small_base_or_a_large_change_is_written_whole(least: int, share: float) -> None:
    many = [f"n{number}.test" for number in range(1000)]
    before = assemble([directive("A", many)], 0).lines
    after = assemble([directive("A", [*many, "new.test", "newer.test"])], 0).lines
    assert delta.between([line.encoded for line in before], whole(before), after, least, share) is None


def test_the_root_is_never_written() -> None:
    with pytest.raises(StoreError, match="lists the root"):
        pack_part({b"": 0})


def test_the_root_is_never_read() -> None:
    trie = marisa_trie.BinaryTrie([b""])
    _, values = pack_part({b"\1a": 0})
    with pytest.raises(StoreError, match="lists the root"):
        Part(trie, values)


def test_torn_or_foreign_tables_are_refused() -> None:
    lines = assemble([directive("A", ["a.test"])], 0).lines
    trie, values = pack_part(list_values(lines))
    rules = pack_rules(lines)
    part = opened(trie, values)
    for length in range(len(values)):
        with pytest.raises(StoreError, match="redhand blocklist build"):
            opened(trie, values[:length])
    for length in range(len(rules)):
        with pytest.raises(StoreError, match="redhand blocklist build"):
            Index(part, rules[:length])
    for place in range(12):  # magic and byte order
        with pytest.raises(StoreError, match="byte order and format"):
            Index(part, rules[:place] + bytes((rules[place] ^ 1,)) + rules[place + 1 :])


def test_nothing_is_on_the_heap_that_grows_with_the_names() -> None:
    found = [directive(f"R{number}", [f"n{number}.test", f"m{number}.test"], starts=number, ends=10**9 + number) for number in range(20_000)]
    lines = assemble(found, 0).lines
    trie, values = pack_part(list_values(lines))
    rules = pack_rules(lines)
    part = opened(trie, values)
    tracemalloc.start()
    try:
        index = Index(part, rules)
        assert index.find(names.key(names.parse("www.n7.test")), 10**9) is not None
        assert index.next_boundary(19_000) == 19_001
        held = tracemalloc.get_traced_memory()[0]
        for line in lines:
            assert index.covering(line.listed[0][0])
        recent = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 20_000
    assert recent < 4_000_000
    assert index.rules == 20_000
    with pytest.raises(IndexError, match="none of this version's"):
        index.basis_span(20_000)


def test_a_later_load_leaves_what_was_found_alone() -> None:
    """Rules outlive the index they came from: a query in flight keeps its verdict through a swap."""
    lines = assemble([directive("A", ["a.test"])], 0).lines
    index = whole(lines)
    rule = index.find(names.key(names.parse("a.test")), 1)
    del index
    assert rule is not None
    assert (rule.reference, rule.match, names.key_text(rule.key), rule.in_force(1)) == ("A", "subtree", "a.test", True)
