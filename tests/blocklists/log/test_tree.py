"""The log on disk: what is appended is there, proofs are right, damage is named, and readers beside a writer see one state."""

from __future__ import annotations

import fcntl
import os
import random
import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists.errors import BadDocument, Busy, StoreError
from blocklists.log import merkle
from blocklists.log.merkle import leaf_hash
from blocklists.log.tree import KEPT, Tree
from tests.blocklists.log import logs, twin
from tests.tools import memory

LARGE = 66_000
"""Entries; enough for a whole tile of whole tiles."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of three tile levels, to be copied before it is changed."""
    directory = tmp_path_factory.mktemp("large") / "log"
    tree = Tree(directory)
    for start in range(0, LARGE, 22_000):
        tree.append(logs.entries(start, start + 22_000))
    return directory


def test_a_log_that_was_never_written_is_empty_and_opening_makes_nothing(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "log")
    assert (tree.size, tree.root) == (0, twin.mth([]))
    assert tree.root_at(0) == tree.root
    assert list(tree.entries(0, 0)) == []
    tree.append([])
    assert not (tmp_path / "log").exists()


@settings(max_examples=25)
@given(st.lists(st.sampled_from([1, 1, 2, 7, 100, 255, 256, 257, 600]), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_any_batches_make_the_rfcs_tree_in_the_specifications_files(batches: list[int], seeded: random.Random) -> None:
    with TemporaryDirectory(dir=memory(1 << 26)) as directory:
        _check_batches(Path(directory) / "log", batches, seeded)


def _check_batches(directory: Path, batches: list[int], seeded: random.Random) -> None:
    tree = Tree(directory)
    held: list[bytes] = []
    for batch in batches:
        more = logs.entries(len(held), len(held) + batch)
        foreseen = tree.preview(more)
        assert (tree.size, tree.root) == (len(held), twin.mth(held)), "a preview changes nothing"
        tree.append(more)
        held += more
        assert foreseen == (tree.size, tree.root) == (len(held), twin.mth(held))
    logs.check(directory, held)
    for each in (tree, Tree(directory)):
        assert (each.size, each.root) == (len(held), twin.mth(held))
        assert list(each.entries(0, len(held))) == held
        new = seeded.randint(1, len(held))
        old, index = seeded.randint(1, new), seeded.randrange(new)
        assert each.entry(index) == held[index]
        assert each.leaf(index) == leaf_hash(held[index])
        assert each.inclusion(index, new) == twin.path(index, held[:new])
        assert each.consistency(old, new) == twin.proof(old, held[:new])
        assert each.root_at(new) == twin.mth(held[:new])
        start, stop = sorted((seeded.randint(0, len(held)), seeded.randint(0, len(held))))
        assert list(each.entries(start, stop)) == held[start:stop]


def test_proofs_in_a_large_log_verify_against_its_roots(large: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    seeded = random.Random(seed)
    tree = Tree(large)
    held = logs.entries(0, LARGE)
    assert tree.root == twin.mth(held)
    assert required_levels(large) == {"0", "1", "2", "entries"}
    for _ in range(60):
        new = seeded.randint(1, LARGE)
        old, index = seeded.randint(0, new), seeded.randrange(new)
        root = tree.root_at(new)
        assert merkle.verify_inclusion(leaf_hash(held[index]), index, new, tree.inclusion(index, new), root)
        assert merkle.verify_consistency(old, tree.root_at(old), new, root, tree.consistency(old, new))
    assert tree.root_at(65_536) == twin.mth(held[:65_536])


def required_levels(directory: Path) -> set[str]:
    return set(os.listdir(directory / "tile"))


def test_what_the_log_does_not_have_is_not_given(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "log")
    tree.append(logs.entries(0, 3))
    for ask in (
        lambda: tree.entry(3),
        lambda: tree.entry(-1),
        lambda: tree.leaf(3),
        lambda: tree.leaf(-1),
        lambda: tree.root_at(4),
        lambda: tree.root_at(-1),
        lambda: tree.inclusion(0, 4),
        lambda: tree.inclusion(2, 2),
        lambda: tree.inclusion(-1, 2),
        lambda: tree.consistency(2, 4),
        lambda: tree.consistency(3, 2),
        lambda: list(tree.entries(2, 4)),
    ):
        with pytest.raises(ValueError, match=r"never had|no leaf|cannot begin"):
            ask()


def test_an_entry_too_long_is_refused_and_nothing_written(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "log")
    tree.append(logs.entries(0, 3))
    before = logs.files(tmp_path / "log")
    with pytest.raises(BadDocument, match="an entry has 65536 octets, and 65535 fit"):
        tree.append([b"fits", b"x" * 65_536])
    assert logs.files(tmp_path / "log") == before
    tree.append([b"x" * 65_535])
    assert Tree(tmp_path / "log").entry(3) == b"x" * 65_535


# --- partial files


def test_partial_files_stand_until_a_whole_one_does_and_some_appends_longer(tmp_path: Path) -> None:
    """A client that was told of an earlier size finds its files for `KEPT` more appends; in the end nothing is left over."""
    directory = tmp_path / "log"
    tree = Tree(directory)
    sizes, held = [0], []
    for batch in (100, 100, 50, 4, 1, 1, 1, 1, 1, 1, 1, 1, 250, 1, 1, 1, 1, 1):
        held += logs.entries(len(held), len(held) + batch)
        tree.append(held[-batch:])
        sizes.append(len(held))
        logs.check(directory, held)
        found = set(logs.files(directory))
        for size in sizes[-1 - KEPT :]:
            assert logs.required(size) <= found, f"of size {size}, at {len(held)}"
    partial = [path for path in logs.files(directory) if ".p/" in path and path.startswith(("tile/0", "tile/entries"))]
    assert {path.partition(".p/")[0] for path in partial} == {"tile/0/002", "tile/entries/002"}
    assert Tree(directory).root == twin.mth(held)


def test_while_a_tile_is_partial_each_of_its_states_is_there(tmp_path: Path) -> None:
    """C2SP tlog-tiles, partial tiles: those of every size that was signed, as long as the whole one is not there."""
    tree = Tree(tmp_path / "log")
    for size in range(1, 4 * KEPT):
        tree.append(logs.entries(size - 1, size))
        assert set(logs.files(tmp_path / "log")) == set().union(*(logs.required(earlier) for earlier in range(1, size + 1)))


def test_a_partial_file_that_several_sizes_share_stands_until_the_last_of_them_is_old(tmp_path: Path) -> None:
    """Above level 0 a file of one width serves 256 sizes."""
    directory = tmp_path / "log"
    tree = Tree(directory)
    sizes = [65_530, 65_531, 65_532, 65_533, 65_540, 65_541, 65_542, 65_543, 65_544, 65_545]
    for at, size in enumerate(sizes):
        tree.append(logs.entries(tree.size, size))
        found = set(logs.files(directory))
        for earlier in sizes[max(0, at - KEPT) : at + 1]:
            assert logs.required(earlier) <= found, f"of size {earlier}, at {size}"
    assert not (directory / "tile/1/000.p").exists()


def test_a_reader_goes_on_with_the_state_it_opened_while_another_process_appends(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    writer = Tree(directory)
    writer.append(logs.entries(0, 200))
    reader = Tree(directory)
    held = logs.entries(0, 200)
    for batch in range(12):
        writer.append(logs.entries(200 + 30 * batch, 230 + 30 * batch))
    assert not (directory / "tile/entries/000.p/200").exists()
    assert list(reader.entries(0, 200)) == held
    assert reader.inclusion(7, 200) == twin.path(7, held)
    with pytest.raises(StoreError, match=r"was changed by another process since it was opened here; open it again"):
        reader.append([b"other"])
    assert list(Tree(directory).entries(0, 560)) == logs.entries(0, 560)


def test_one_process_at_a_time_appends(tmp_path: Path) -> None:
    directory = tmp_path / "log"
    tree = Tree(directory)
    tree.append([b"one"])
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(Busy, match=r"another process is adding to the log in .*; wait for it, or stop it"):
            tree.append([b"two"])
    finally:
        os.close(descriptor)
    tree.append([b"two"])
    assert Tree(directory).size == 2


# --- damage

RESTORED = r"put (the same file|it) back from a backup"


def harmed(large: Path, tmp_path: Path, name: str) -> Path:
    """A copy of the log, and in it one file that may be changed."""
    directory = tmp_path / "log"
    shutil.copytree(large, directory, copy_function=os.link)
    path = directory / name
    path.unlink()
    shutil.copy(large / name, path)
    path.chmod(0o644)
    return path


def read_all_kinds(directory: Path) -> None:
    """Something of every kind of file, and of every file in FILES."""
    tree = Tree(directory)
    assert tree.size == LARGE
    assert list(tree.entries(200, 600)) == logs.entries(200, 600)
    assert list(tree.entries(65_700, LARGE)) == logs.entries(65_700, LARGE)
    assert tree.inclusion(300, LARGE)
    assert tree.consistency(65_900, LARGE)


FILES = ["tile/entries/001", "tile/entries/257.p/208", "tile/0/001", "tile/0/257.p/208", "tile/1/000", "tile/1/001.p/1", "tile/2/000.p/1"]


@pytest.mark.parametrize("name", [*FILES, "size"])
@pytest.mark.parametrize("harm", ["gone", "flipped", "cut", "longer", "empty", "zeroed"])
def test_a_damaged_file_is_named_with_the_remedy_and_the_same_file_put_back_mends_it(large: Path, tmp_path: Path, name: str, harm: str) -> None:
    path = harmed(large, tmp_path, name)
    data = path.read_bytes()
    middle = len(data) // 2
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {
                "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
                "cut": data[:-1],
                "longer": data + b"x",
                "empty": b"",
                "zeroed": bytes(len(data)),
            }[harm]
        )
    with pytest.raises(StoreError, match=rf"{re.escape(name)}.*; {RESTORED}") as raised:
        read_all_kinds(tmp_path / "log")
    assert str(tmp_path / "log") in str(raised.value)
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    read_all_kinds(tmp_path / "log")


def test_a_record_that_is_lost_is_written_again_from_the_last_checkpoint(large: Path, tmp_path: Path) -> None:
    path = harmed(large, tmp_path, "size")
    path.unlink()
    with pytest.raises(
        StoreError, match=r"size is missing, and tiles of a log stand beside it; .* or write one line into it: size and root \(in hex\)"
    ):
        Tree(tmp_path / "log")
    path.write_text(f"{LARGE} {twin.mth(logs.entries(0, LARGE)).hex()}\n")
    tree = Tree(tmp_path / "log")
    tree.append([b"more"])
    assert Tree(tmp_path / "log").root == twin.mth([*logs.entries(0, LARGE), b"more"])


@pytest.mark.parametrize(("old", "new"), [(200, 205), (200, 256), (200, 300), (256, 257), (256, 512), (1, 600)])
def test_a_record_from_an_older_backup_does_not_make_two_logs_of_one(tmp_path: Path, old: int, new: int) -> None:
    directory = tmp_path / "log"
    tree = Tree(directory)
    tree.append(logs.entries(0, old))
    backup = (directory / "size").read_bytes()
    tree.append(logs.entries(old, new))
    newest = (directory / "size").read_bytes()
    (directory / "size").unlink()
    (directory / "size").write_bytes(backup)
    tree = Tree(directory)
    assert tree.root == twin.mth(logs.entries(0, old))
    with pytest.raises(
        StoreError, match=rf"has entries after the {old} that .*size records, which is older than the log; put the newest record back"
    ):
        tree.append([b"other"])
    (directory / "size").write_bytes(newest)
    tree = Tree(directory)
    tree.append([b"next"])
    logs.check(directory, [*logs.entries(0, new), b"next"])


def test_what_others_may_read_is_not_believed_by_its_place(large: Path, tmp_path: Path) -> None:
    """One whole tile in the place of another, with its bundle: every hash of it is sound, and it is refused."""
    for name in ("tile/0", "tile/entries"):
        path = harmed(large, tmp_path, f"{name}/001") if name == "tile/0" else tmp_path / "log/tile/entries/001"
        path.unlink()
        shutil.copy(large / name / "002", path)
    with pytest.raises(StoreError, match=r"tile/0/001 is not what was written: its root is another"):
        Tree(tmp_path / "log").entry(256)


def test_damage_elsewhere_does_not_keep_the_rest_from_being_read_or_added_to(large: Path, tmp_path: Path) -> None:
    harmed(large, tmp_path, "tile/entries/001").write_bytes(b"")
    tree = Tree(tmp_path / "log")
    assert tree.entry(0) == logs.entry(0)
    tree.append([b"more"])
    assert Tree(tmp_path / "log").root == twin.mth([*logs.entries(0, LARGE), b"more"])


def test_a_damaged_last_bundle_is_not_carried_on(large: Path, tmp_path: Path) -> None:
    path = harmed(large, tmp_path, "tile/entries/257.p/208")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    tree = Tree(tmp_path / "log")
    with pytest.raises(StoreError, match=r"257.p/208 is not what was written"):
        tree.append([b"more"])
    assert Tree(tmp_path / "log").size == LARGE


SIZE = 300
KINDS = ["size", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of all kinds of files, which may be written to."""
    directory = tmp_path_factory.mktemp("small") / "log"
    Tree(directory).append(logs.entries(0, SIZE))
    for name in KINDS:
        (directory / name).chmod(0o644)
    return directory


@given(st.sampled_from(KINDS), st.data())
def test_any_change_to_any_file_is_noticed_or_changes_nothing(small: Path, name: str, data: st.DataObject) -> None:
    """What is read is what was written, or an error says what is wrong."""
    path = small / name
    sound = path.read_bytes()
    octets = bytearray(sound)
    start = data.draw(st.integers(0, len(octets)))
    octets[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    try:
        path.write_bytes(octets)
        tree = Tree(small)
        found = (tree.size, tree.root, list(tree.entries(0, tree.size)), tree.inclusion(7, 299), tree.leaf(280))
    except StoreError as error:
        refusal = str(error)
    else:
        held = logs.entries(0, SIZE)
        assert found == (SIZE, twin.mth(held), held, twin.path(7, held[:299]), leaf_hash(held[280]))
        return
    finally:
        path.write_bytes(sound)
    assert "back from a backup" in refusal


@given(st.binary(max_size=120) | st.from_regex(rb"[0-9]{1,4} [0-9a-f]{64}( [0-9]{1,3}){0,3}\n?", fullmatch=True))
def test_any_bytes_in_the_record_are_this_log_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    directory = tmp_path_factory.getbasetemp() / "recorded"
    if not directory.exists():
        Tree(directory).append(logs.entries(0, 300))
        (directory / "size").chmod(0o644)
    (directory / "size").write_bytes(data)
    try:
        tree = Tree(directory)
    except StoreError as error:
        refusal = str(error)
    else:
        assert tree.root == twin.mth(logs.entries(0, tree.size))
        return
    assert "back from a backup" in refusal
