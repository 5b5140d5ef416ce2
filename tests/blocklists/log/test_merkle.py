"""Trees and proofs: the vectors every implementation of RFC 6962 shares, and a twin that is the RFC's text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.log import merkle
from tests.blocklists.log import twin

# Leaves, roots and proofs of the Certificate Transparency reference implementation (google/certificate-transparency, merkle tree tests; the same in
# google/trillian, merkle/log_verifier_test.go). RFC 6962 and RFC 9162 print none of their own.
LEAVES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 1): "",
    (0, 8): """96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7
               5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e
               6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4""",
    (5, 8): """bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b
               ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0
               d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7""",
    (2, 3): "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    (1, 5): """6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
               5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e
               bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b""",
}
CONSISTENCY = {
    (1, 1): "",
    (1, 8): INCLUSION[0, 8],
    (6, 8): """0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a
               ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0
               d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7""",
    (2, 5): """5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e
               bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b""",
}


def node_of(entries: list[bytes]) -> merkle.Node:
    """Whole subtrees of these entries, by the twin."""

    def node(level: int, index: int) -> bytes:
        leaves = entries[index << level : (index + 1) << level]
        assert len(leaves) == 1 << level, "only whole subtrees are asked for"
        return twin.mth(leaves)

    return node


def hashes(text: str) -> list[bytes]:
    return [bytes.fromhex(each) for each in text.split()]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_reference_implementations(size: int) -> None:
    expected = bytes.fromhex(ROOTS[size])
    assert merkle.root_of([merkle.leaf_hash(leaf) for leaf in LEAVES[:size]]) == expected
    assert merkle.root(size, node_of(LEAVES)) == expected
    assert merkle.EMPTY.hex() == ROOTS[0]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_the_reference_implementations(index: int, size: int) -> None:
    expected = hashes(INCLUSION[index, size])
    assert merkle.inclusion(index, size, node_of(LEAVES)) == expected
    assert merkle.verify_inclusion(merkle.leaf_hash(LEAVES[index]), index, size, expected, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_consistency_proofs_are_the_reference_implementations(old: int, new: int) -> None:
    expected = hashes(CONSISTENCY[old, new])
    assert merkle.consistency(old, new, node_of(LEAVES)) == expected
    assert merkle.verify_consistency(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), expected)


def test_every_proof_in_every_small_tree_is_the_rfcs_and_verifies() -> None:
    entries = [bytes([number]) for number in range(40)]
    roots = [twin.mth(entries[:size]) for size in range(41)]
    node = node_of(entries)
    for size in range(1, 41):
        for index in range(size):
            found = merkle.inclusion(index, size, node)
            assert found == twin.path(index, entries[:size])
            assert merkle.verify_inclusion(merkle.leaf_hash(entries[index]), index, size, found, roots[size])
        for old in range(1, size + 1):
            found = merkle.consistency(old, size, node)
            assert found == twin.proof(old, entries[:size])
            assert merkle.verify_consistency(old, roots[old], size, roots[size], found)
        assert merkle.consistency(0, size, node) == []
        assert merkle.verify_consistency(0, merkle.EMPTY, size, roots[size], [])


ENTRIES = st.lists(st.binary(max_size=3), min_size=2, max_size=70)


@given(ENTRIES, st.data())
def test_a_proof_shows_one_thing_only(entries: list[bytes], data: st.DataObject) -> None:
    """Another leaf, index or root, a hash changed, added, left out or moved: refused."""
    entries = [bytes([number]) + entry for number, entry in enumerate(entries)]
    size = data.draw(st.integers(2, len(entries)))
    index = data.draw(st.integers(0, size - 1))
    root = twin.mth(entries[:size])
    proof = merkle.inclusion(index, size, node_of(entries))
    assert proof == twin.path(index, entries[:size])
    for forged in forgeries(proof, data):
        assert not merkle.verify_inclusion(merkle.leaf_hash(entries[index]), index, size, forged, root)
    # The same proof may fit another index in a tree of another size: the size is bound by the signed checkpoint, not by the proof.
    for other in {*range(-1, size + 2)} - {index}:
        assert not merkle.verify_inclusion(merkle.leaf_hash(entries[index]), other, size, proof, root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(entries[index] + b"x"), index, size, proof, root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(entries[index]), index, size, proof, twin.mth(entries[: size - 1]))
    assert not merkle.verify_inclusion(entries[index], index, size, proof, root), "an entry is no hash"


@given(ENTRIES, st.data())
def test_a_tree_that_was_changed_is_consistent_with_nothing(entries: list[bytes], data: st.DataObject) -> None:
    new = data.draw(st.integers(2, len(entries)))
    old = data.draw(st.integers(1, new - 1))
    changed = [*entries[: (at := data.draw(st.integers(0, old - 1)))], entries[at] + b"x", *entries[at + 1 :]]
    honest, other = twin.mth(entries[:old]), twin.mth(changed[:old])
    root = twin.mth(entries[:new])
    proof = merkle.consistency(old, new, node_of(entries))
    assert merkle.verify_consistency(old, honest, new, root, proof)
    assert not merkle.verify_consistency(old, other, new, root, proof)
    assert not merkle.verify_consistency(old, other, new, root, merkle.consistency(old, new, node_of(changed)))
    assert not merkle.verify_consistency(old, honest, new, twin.mth(changed[:new]), merkle.consistency(old, new, node_of(changed)))
    assert not merkle.verify_consistency(new, root, old, honest, proof), "a log does not shrink"
    for forged in forgeries(proof, data):
        assert not merkle.verify_consistency(old, honest, new, root, forged)


def forgeries(proof: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    found = [[*proof, b"\x00" * 32], [b"\x00" * 32, *proof], [*proof, b""]]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        bent = bytearray(proof[at])
        bent[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
        found += [proof[:at] + proof[at + 1 :], [*proof[:at], bytes(bent), *proof[at + 1 :]], [*proof[:at], proof[at][:31], *proof[at + 1 :]]]
        if proof[::-1] != proof:
            found.append(proof[::-1])
    return found


def test_random_hashes_never_verify() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    seeded = random.Random(seed)
    for _ in range(2_000):
        size = seeded.randrange(1, 2 ** seeded.randrange(1, 49))
        proof = [seeded.randbytes(32) for _ in range(seeded.randrange(50))]
        index, old = seeded.randrange(size), seeded.randrange(1, size + 1)
        assert not merkle.verify_inclusion(seeded.randbytes(32), index, size, proof, seeded.randbytes(32))
        assert not merkle.verify_consistency(old, seeded.randbytes(32), size, seeded.randbytes(32), proof)


def test_equal_sizes_are_consistent_only_as_equal_trees() -> None:
    root = twin.mth([b"a", b"b"])
    assert merkle.verify_consistency(2, root, 2, root, [])
    assert not merkle.verify_consistency(2, root, 2, twin.mth([b"a", b"c"]), [])
    assert not merkle.verify_consistency(2, root, 2, root, [root])
    assert merkle.verify_consistency(0, merkle.EMPTY, 0, merkle.EMPTY, [])
    assert not merkle.verify_consistency(0, root, 0, root, []), "no tree of no leaves has this root"
    assert not merkle.verify_consistency(0, root, 2, root, [])
    assert not merkle.verify_consistency(1, root, 2, root, [])


def test_a_proof_for_a_larger_tree_is_none_for_a_smaller_size() -> None:
    """Read only as far as the size goes, or beyond it, each of these would lead to the root."""
    entries = [bytes([number]) for number in range(8)]
    root = [twin.mth(entries[:size]) for size in range(9)]
    leaf = merkle.leaf_hash(entries[1])
    assert merkle.verify_inclusion(leaf, 1, 2, twin.path(1, entries[:2]), root[2])
    assert not merkle.verify_inclusion(leaf, 0, 1, twin.path(1, entries[:2]), root[2])
    assert merkle.verify_consistency(7, root[7], 8, root[8], twin.proof(7, entries))
    assert not merkle.verify_consistency(3, root[7], 4, root[8], twin.proof(7, entries))


def test_hashes_of_other_lengths_that_hash_to_the_root_together_are_refused() -> None:
    """A node's hash is over two hashes in a row: moving octets from one to the other changes neither it nor the root."""
    entries = [b"one", b"two", b"three"]
    root, leaf, (sibling, above) = twin.mth(entries), merkle.leaf_hash(entries[0]), twin.path(0, entries)
    assert merkle.verify_inclusion(leaf, 0, 3, [sibling, above], root)
    assert merkle.node_hash(leaf[:31], leaf[31:] + sibling) == merkle.node_hash(leaf, sibling)
    assert not merkle.verify_inclusion(leaf[:31], 0, 3, [leaf[31:] + sibling, above], root)
    assert not merkle.verify_inclusion(leaf + sibling[:1], 0, 3, [sibling[1:], above], root)
    old = twin.mth(entries[:2])
    assert merkle.verify_consistency(2, old, 3, root, [above])
    assert not merkle.verify_consistency(2, old[:31], 3, root, [old[31:] + above])


def test_what_is_not_there_cannot_be_proved() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(ValueError, match=f"no leaf {index} in a tree of {size}"):
            merkle.inclusion(index, size, node_of(LEAVES))
    for old, new in ((4, 3), (-1, 3)):
        with pytest.raises(ValueError, match=f"a tree of {new} leaves cannot begin with {old}"):
            merkle.consistency(old, new, node_of(LEAVES))
