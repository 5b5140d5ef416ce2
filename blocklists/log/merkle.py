"""The Merkle tree of the log and its proofs: RFC 6962 section 2.1, verified as RFC 9162 sections 2.1.3.2 and 2.1.4.2 say. Pure.

Whoever makes a proof holds a tree too large for memory. It is asked through `node`: the root of the whole subtree of 2**level leaves that begins at
leaf index * 2**level. A proof is a list of hashes, nearest to the leaves first. Whoever verifies needs nothing but the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

HASH = 32
"""Octets of a hash (SHA-256)."""

EMPTY = sha256().digest()
"""The root of no leaves."""

Node = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """What stands for an entry in the tree."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """What stands for two neighbouring subtrees."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over leaves held in memory. One left over on a level moves up: the same tree as the RFC's, which splits from the top."""
    level = list(leaf_hashes)
    while len(level) > 1:
        above = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) & 1:
            above.append(level[-1])
        level = above
    return level[0] if level else EMPTY


def root(size: int, node: Node) -> bytes:
    """The root of the first `size` leaves."""
    return _span(0, size, node) if size else EMPTY


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """The proof that leaf `index` (from 0) is in the tree of `size` leaves (RFC 6962 section 2.1.1). Raises ValueError unless it is."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}; the last one is {size - 1}")
    proof = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            proof.append(_span(middle, stop, node))
            stop = middle
        else:
            proof.append(_span(start, middle, node))
            start = middle
    return proof[::-1]


def consistency(old: int, new: int, node: Node) -> list[bytes]:
    """The proof that the tree of `new` leaves begins with that of `old` (RFC 6962 section 2.1.2); empty from 0. Raises ValueError if old > new."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves cannot begin with {old}; name the smaller size first")
    proof: list[bytes] = []
    if old == 0:
        return proof
    start, stop = 0, new
    while old < stop:
        middle = start + _split(stop - start)
        if old <= middle:
            proof.append(_span(middle, stop, node))
            stop = middle
        else:
            proof.append(_span(start, middle, node))
            start = middle
    if start:
        proof.append(_span(start, stop, node))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from a leaf's hash (`leaf_hash` of the entry) at `index` to the root of `size` leaves (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size or any(len(each) != HASH for each in (leaf, root, *proof)):
        return False
    position, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = node_hash(sibling, found)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            found = node_hash(found, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and found == root


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the later tree begins with the earlier one (RFC 9162 section 2.1.4.2). Every tree begins with the empty one."""
    if not 0 <= old_size <= size or any(len(each) != HASH for each in (old_root, root, *proof)):
        return False
    if old_size == size:
        return not proof and old_root == root and (size > 0 or root == EMPTY)
    if old_size == 0:
        return not proof and old_root == EMPTY
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    position, last = old_size - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    earlier = later = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            earlier, later = node_hash(sibling, earlier), node_hash(sibling, later)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            later = node_hash(later, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and earlier == old_root and later == root


def _split(size: int) -> int:
    """The largest power of two below `size` (RFC 6962's k)."""
    return 1 << (size - 1).bit_length() - 1


def _span(start: int, stop: int, node: Node) -> bytes:
    """The root over the leaves from `start` to before `stop`, where `start` is a multiple of a power of two that is at least their number."""
    whole = [node(level, index) for level, index in _whole(start, stop)]
    found = whole.pop()
    while whole:
        found = node_hash(whole.pop(), found)
    return found


def _whole(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The whole subtrees that make it up, left to right, each smaller than the one before: one for each bit of their number."""
    while start < stop:
        level = (stop - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level
