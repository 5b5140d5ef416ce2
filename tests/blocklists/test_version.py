"""What a version is: one byte form for the same bases, whatever their order, and another for any others."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists import layerhash, names, version
from blocklists.errors import StoreError
from blocklists.sources import Basis
from blocklists.standing import revive

LABEL = st.binary(min_size=1, max_size=12).map(bytes.lower)
KEY = st.lists(LABEL, min_size=1, max_size=5).map(lambda labels: b"".join(bytes((len(label),)) + label for label in labels))
LISTED = st.lists(st.tuples(KEY, st.booleans()), min_size=1, max_size=5)
DOCUMENT = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
TIME = st.sampled_from([0, 5, 10, 20])


@st.composite
def bases(draw: st.DrawFn) -> Basis:
    return Basis(
        kind=draw(st.sampled_from(["directive", "own", "pass"])),
        mode=draw(st.sampled_from(["redirect", "nxdomain"])),
        reference=draw(st.sampled_from(["FR-1", "FR-2", "liste-é"])),
        starts=draw(TIME),
        ends=draw(TIME),
        layer=draw(st.sampled_from(["local", "orders"])),
        document={"source": draw(st.sampled_from(["a", "b"])), "extra": draw(DOCUMENT)},
        listed=draw(LISTED),
    )


def own(listed: list[tuple[str, bool]], **changes: Any) -> Basis:
    keys = [(names.key(names.parse(name)), exact) for name, exact in listed]
    return replace(Basis("own", "redirect", "own-list", 0, 0, "local", {"source": "own-list", "layer": "local"}, keys), **changes)


def encoded(entries: version.Entries) -> bytes:
    return b"".join(line.encoded for line in entries.lines)


@given(KEY)
def test_the_fast_text_is_the_plain_one(key: bytes) -> None:
    assert version.text_of(key) == names.key_text(key)


@given(KEY, st.booleans())
def test_a_mark_says_exact_or_subtree_whatever_octets_the_name_has(key: bytes, exact: bool) -> None:
    [line] = version.assemble([replace(own([]), listed=[(key, exact)])], 0).lines
    [marked] = line.marked
    assert version.unmark(marked) == (key, exact)


@given(st.lists(bases(), max_size=6), st.randoms(use_true_random=False), TIME)
def test_order_and_repetition_change_nothing(found: list[Basis], random: Any, as_of: int) -> None:
    shuffled = [replace(basis, listed=random.sample(basis.listed, len(basis.listed)) + basis.listed[:1]) for basis in [*found, *found[:1]]]
    random.shuffle(shuffled)
    first, second = version.assemble(found, as_of), version.assemble(shuffled, as_of)
    assert encoded(first) == encoded(second)
    assert (first.identity, first.layers) == (second.identity, second.layers)


@given(st.lists(bases(), max_size=6), TIME)
def test_layers_are_hashed_apart_over_their_own_lines(found: list[Basis], as_of: int) -> None:
    entries = version.assemble(found, as_of)
    for layer in version.LAYERS:
        lines = [line for line in entries.lines if json.loads(line.encoded)["basis"]["layer"] == layer]
        assert entries.layers[layer].sha256 == hashlib.sha256(b"".join(line.encoded for line in lines)).hexdigest()
        assert entries.layers[layer].names == sum(len(json.loads(line.encoded)["names"]) for line in lines)
        assert entries.layers[layer].rules == len(lines)
    local = version.assemble([basis for basis in found if basis.layer == "local"], as_of)
    assert local.layers["local"] == entries.layers["local"]


@given(st.lists(bases(), max_size=6), TIME)
def test_lines_come_back_as_they_were(found: list[Basis], as_of: int) -> None:
    entries = version.assemble(found, as_of)
    again = version.assemble([revive(line.encoded) for line in entries.lines], as_of)
    assert encoded(again) == encoded(entries)
    for line in entries.lines:
        assert json.loads(line.basis) == json.loads(line.encoded)["basis"]


@given(st.lists(bases(), max_size=6), TIME)
def test_what_has_ended_is_left_out_and_what_is_to_come_is_not(found: list[Basis], as_of: int) -> None:
    entries = version.assemble(found, as_of)
    expected = {(basis.reference, basis.starts, basis.ends) for basis in found if basis.ends == 0 or basis.ends > as_of}
    assert {(line.reference, line.starts, line.ends) for line in entries.lines} == expected


@pytest.mark.parametrize(
    "other",
    [
        own([("a.test", True)]),
        own([("b.test", False)]),
        own([("a.test", False), ("b.test", False)]),
        own([("a.test", False)], mode="nxdomain"),
        own([("a.test", False)], kind="pass"),
        own([("a.test", False)], reference="other"),
        own([("a.test", False)], starts=1),
        own([("a.test", False)], ends=100),
        own([("a.test", False)], layer="orders"),
        own([("a.test", False)], document={"source": "own-list", "layer": "local", "more": True}),
    ],
)
def test_any_difference_is_another_identity(other: Basis) -> None:
    assert version.assemble([other], 0).identity != version.assemble([own([("a.test", False)])], 0).identity


def test_the_form_is_fixed() -> None:
    """The bytes and the identity other machines and later releases must come to; a change here is a new format."""
    entries = version.assemble([own([("www.a.test", True), ("b.test", False), ("B.test", False)])], 0)
    assert encoded(entries) == (
        b'{"basis":{"document":{"layer":"local","source":"own-list"},"ends":0,"kind":"own","layer":"local","mode":"redirect",'
        b'"reference":"own-list","starts":0},"names":[".b.test","www.a.test"]}\n'
    )
    orders = hashlib.sha256(b"").hexdigest()
    local = hashlib.sha256(encoded(entries)).hexdigest()
    assert entries.identity == hashlib.sha256(f"redhand version 1\norders {orders}\nlocal {local}\n".encode()).hexdigest()
    assert entries.identity == "4d9a17c36085cce6cb26df80cf397b7012627f1d32c1a4ffe0856794173ead5c"


def test_verified_orders_come_before_transcriptions() -> None:
    entries = version.assemble([own([("a.test", False)]), own([("a.test", False)], layer="orders", reference="zzz")], 0)
    assert [line.layer for line in entries.lines] == ["orders", "local"]


@pytest.mark.parametrize("value", [1.5, {"a": [float("nan")]}, {1: "a"}, "\ud800", {"\udfff": 1}, b"bytes", (1,), {1, 2}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"canonical|surrogate|texts name"):
        version.canonical(value)


@given(DOCUMENT)
def test_the_canonical_form_means_the_same(value: Any) -> None:
    assert json.loads(version.canonical(value)) == value


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"{}", b'{"basis":1,"names":[]}', b'{"basis":{"document":1},"names":[]}', b'{"basis":{"document":{}},"names":{}}', b"\xff"],
)
def test_a_line_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(StoreError, match="is not a basis with names"):
        version.read_line(line)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 3)), max_size=12))
def test_a_hash_resumed_after_any_changes_is_the_hash(changes: list[tuple[int, int, int]]) -> None:
    """Invariant: whatever was hashed before, the layer is the one that its lines are."""
    lines = [line for number in range(50) for line in version.assemble([own([(f"n{number}.test", False)], reference=f"r{number:03}")], 0).lines]
    others = [line for number in range(4) for line in version.assemble([own([(f"o{number}.test", True)], reference=f"s{number}")], 0).lines]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layerhash, "EVERY", 7)
        running = layerhash.LayerHash()
        for first, last, come in [(0, 0, 0), *changes, (0, 0, 0)]:
            lines = [*lines[:first], *others[:come], *lines[max(first, last) :]]
            assert running.of(lines) == version.entries_of(lines).layers["local"]
