"""Sealing: what comes out is what went in, or nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authority.desk.evidence.sealing import CHUNK, HEADER, TAG, Tampered, new_key, seal, sealed_size, unseal

THREE = bytes(range(256)) * (2 * CHUNK // 256) + b"the rest"
SEALED = CHUNK + TAG


def cut(octets: bytes, at: list[int]) -> Iterator[bytes]:
    """The octets in pieces."""
    begin = 0
    for end in sorted(each % (len(octets) + 1) for each in at):
        yield octets[begin:end]
        begin = max(begin, end)
    yield octets[begin:]


@given(
    size=st.one_of(st.integers(0, 40), st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK])),
    inward=st.lists(st.integers(0, 4 * CHUNK), max_size=4),
    outward=st.lists(st.integers(0, 4 * CHUNK), max_size=4),
)
def test_what_is_sealed_comes_out_however_it_is_cut(size: int, inward: list[int], outward: list[int]) -> None:
    key, octets = new_key(), (b"0123456789abcdef" * (size // 16 + 1))[:size]
    sealed = b"".join(seal(key, cut(octets, inward)))
    assert len(sealed) == sealed_size(size)
    assert b"".join(unseal(key, cut(sealed, outward))) == octets


def came_out(key: bytes, sealed: bytes) -> bytes:
    """What is given out before the refusal, which must come."""
    out = bytearray()
    with pytest.raises(Tampered):
        out.extend(octet for chunk in unseal(key, [sealed]) for octet in chunk)
    return bytes(out)


@given(place=st.integers(0, 2**32), change=st.integers(1, 255))
def test_no_changed_octet_is_given_out(place: int, change: int) -> None:
    key = new_key()
    sealed = bytearray(b"".join(seal(key, [THREE])))
    sealed[place % len(sealed)] ^= change
    assert THREE.startswith(came_out(key, bytes(sealed)))


@given(st.binary(max_size=200))
def test_whatever_is_no_sealed_object_is_refused(octets: bytes) -> None:
    with pytest.raises(Tampered):
        list(unseal(new_key(), [octets]))


@pytest.mark.parametrize("keep", [0, len(HEADER), len(HEADER) + 5, len(HEADER) + SEALED, len(HEADER) + 2 * SEALED, -1])
def test_what_is_cut_off_is_noticed_at_a_chunks_end_too(keep: int) -> None:
    key = new_key()
    assert THREE.startswith(came_out(key, b"".join(seal(key, [THREE]))[:keep]))


def test_chunks_that_were_moved_repeated_added_or_left_out_are_noticed() -> None:
    key = new_key()
    sealed = b"".join(seal(key, [THREE]))
    head, one, two, last = sealed[: len(HEADER)], *(sealed[len(HEADER) + SEALED * each :][:SEALED] for each in range(3))
    for parts in ((two, one, last), (one, one, two, last), (one, last), (two, last), (one, two, last, last), (one, two, two, last), (last,)):
        came_out(key, head + b"".join(parts))
    came_out(key, sealed + b"\0")


def test_a_chunk_of_another_object_is_noticed() -> None:
    one, other = new_key(), new_key()
    mine, theirs = (b"".join(seal(key, [THREE])) for key in (one, other))
    came_out(one, mine[: len(HEADER) + SEALED] + theirs[len(HEADER) + SEALED :])
    assert came_out(other, mine) == b""


def test_two_objects_of_the_same_text_have_nothing_in_common() -> None:
    mine, theirs = (b"".join(seal(new_key(), [THREE])) for _ in range(2))
    blocks = {mine[start : start + 16] for start in range(len(HEADER), len(mine) - 16)}
    assert not any(theirs[start : start + 16] in blocks for start in range(len(HEADER), len(theirs) - 16))


def test_an_endless_text_takes_no_memory() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield bytes(1 << 20)

    out = unseal(key := new_key(), seal(key, endless()))
    for _ in range(64):
        next(out)
    with suppress(Tampered):
        out.close()
    assert taken <= 6, "no more is taken than is given out"
