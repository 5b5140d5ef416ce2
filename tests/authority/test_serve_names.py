"""Names and ranges in requests: whatever they are, nothing outside the public tree and no octet outside the file is meant."""

from __future__ import annotations

import posixpath

from hypothesis import given
from hypothesis import strategies as st

from authority import files

PIECES = st.sampled_from(
    [
        b"log",
        b"tile",
        b"entries",
        b"metadata",
        b"targets",
        b"..",
        b".",
        b"",
        b"%2e%2e",
        b"000",
        b"x001",
        b"000.p",
        b"8",
        b"1.root.json",
        b"size",
        b"0",
        b"\n",
    ]
)


@given(st.lists(PIECES, max_size=7).map(b"/".join) | st.binary(max_size=60))
def test_a_name_is_a_file_of_the_public_tree_or_nothing(name: bytes) -> None:
    kind = files.kind_of(name)
    if kind is None:
        return
    text = name.decode("ascii")
    assert posixpath.normpath(text) == text
    assert text.startswith(("metadata/", "targets/", "log/checkpoint", "log/tile/"))
    assert kind.private == text.startswith("log/tile/entries/")


@given(st.from_regex(rb"(bytes|lines)= ?[0-9]{0,4} ?-[0-9]{0,4}(,[0-9]-)?", fullmatch=True) | st.binary(max_size=30), st.integers(0, 5000))
def test_a_part_is_within_the_file_or_refused_or_ignored(field: bytes, size: int) -> None:
    try:
        found = files.part(field, size)
    except ValueError:
        return
    assert found is None or 0 <= found[0] < found[1] <= size
