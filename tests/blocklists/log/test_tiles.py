"""Paths, tiles and bundles as C2SP tlog-tiles has them, and the bytes that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import BadDocument
from blocklists.log import tiles


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (tiles.tile_path(0, 1_234_067), "tile/0/x001/x234/067"),  # the specification's example
        (tiles.tile_path(1, 0), "tile/1/000"),
        (tiles.tile_path(2, 999, 1), "tile/2/999.p/1"),
        (tiles.tile_path(0, 1000, 255), "tile/0/x001/000.p/255"),
        (tiles.tile_path(63, 2**40), "tile/63/x001/x099/x511/x627/776"),
        (tiles.bundle_path(0, 8), "tile/entries/000.p/8"),
        (tiles.bundle_path(273), "tile/entries/273"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert path == expected


def test_what_a_tree_of_70_000_has_is_what_the_specification_says() -> None:
    size = 70_000
    assert tiles.levels(size) == 3
    assert [tiles.width_of(0, index, size) for index in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [tiles.width_of(1, index, size) for index in (0, 1, 2)] == [256, 17, 0]
    assert [tiles.width_of(2, index, size) for index in (0, 1)] == [1, 0]
    assert tiles.width_of(3, 0, size) == 0


def test_256_entries_are_one_whole_tile_below_a_partial_one() -> None:
    assert tiles.levels(0) == 0
    assert tiles.levels(255) == 1
    assert tiles.levels(256) == 2
    assert tiles.width_of(0, 0, 256) == 256
    assert tiles.width_of(1, 0, 256) == 1


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_reads_back(entries: list[bytes]) -> None:
    assert tiles.read_bundle(tiles.write_bundle(entries)) == entries


def test_the_longest_entry_fits_and_a_longer_one_does_not() -> None:
    longest = b"x" * tiles.MAX_ENTRY
    assert tiles.read_bundle(tiles.write_bundle([longest, b""])) == [longest, b""]
    with pytest.raises(BadDocument, match="an entry has 65536 octets, and 65535 fit; split the order"):
        tiles.write_bundle([b"x" * 65_536])


@given(st.binary(max_size=80) | st.lists(st.integers(0, 4), max_size=60).map(lambda found: b"".join(bytes((0, each)) for each in found)))
def test_any_bytes_are_exactly_a_bundle_or_refused(data: bytes) -> None:
    try:
        found = tiles.read_bundle(data, "bundle 7")
    except BadDocument as error:
        refusal = str(error)
    else:
        assert tiles.write_bundle(found) == data
        return
    assert refusal.startswith("bundle 7 of ")


def test_a_bundle_cut_anywhere_inside_an_entry_is_refused() -> None:
    data = tiles.write_bundle([b"one", b"three"])
    for length in range(len(data)):
        if length in (0, 5):
            assert len(tiles.read_bundle(data[:length])) == length // 5
        else:
            with pytest.raises(BadDocument, match="cut short"):
                tiles.read_bundle(data[:length])


def test_more_than_256_entries_are_no_bundle() -> None:
    with pytest.raises(BadDocument, match="more than 256 entries"):
        tiles.read_bundle(bytes(2 * 257))


@given(st.binary(max_size=200), st.integers(1, 256))
def test_any_bytes_are_exactly_a_tile_or_refused(data: bytes, width: int) -> None:
    try:
        found = tiles.read_tile(data, width, "tile 7")
    except BadDocument as error:
        refusal = str(error)
    else:
        assert b"".join(found) == data
        assert len(found) == width
        assert {len(each) for each in found} == {32}
        return
    assert refusal.startswith(f"tile 7 has {len(data)} octets, and {width} hashes have {32 * width}")
