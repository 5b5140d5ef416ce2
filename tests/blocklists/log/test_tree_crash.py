"""Killed at any instant, or refused by the disk at any change: the log reopens as it was or as it was to be, and never becomes two."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blocklists.errors import DiskError
from blocklists.log.tree import Tree
from tests.blocklists.log import logs, twin

CHANGES = {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.truncate"}
HELD, ADDED = 266, 260
"""Before and after: the append ends one bundle and begins another, on two tile levels, and removes partial files of a tile that is whole."""


@contextmanager
def at_change(step: int, do: Callable[[int], None]) -> Iterator[None]:
    """Calls `do` with 0 just before this process's nth change to a file or directory (a flush counts as one), then with 1, 2 … before later ones."""
    seen = -step

    def change() -> None:
        nonlocal seen
        seen += 1
        if seen >= 0:
            do(seen)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in CHANGES or writes:
            change()

    flush = os.fsync

    def fsync(descriptor: int) -> None:
        change()
        flush(descriptor)

    os.fsync = fsync
    sys.addaudithook(watch)  # it cannot be removed: for use in a process that ends
    yield


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("before") / "log"
    tree = Tree(directory)
    for size in (250, 253, 263, 264, 265, HELD):
        tree.append(logs.entries(tree.size, size))
    assert (directory / "tile/entries/000.p/253").exists()
    return directory


def in_child(step: int, do: Callable[[int], None], act: Callable[[], str]) -> tuple[int, str]:
    """What a child of this process says of an act during which its disk operations meet `do`, and how it ended."""
    said, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(said)
        with at_change(step, do):
            try:
                text = act()
            except BaseException as error:
                text = f"broken {error!r}"
            os.write(tell, text.encode())
        os._exit(0)
    os.close(tell)
    with open(said, encoding="utf-8") as pipe:
        text = pipe.read()
    return os.waitpid(child, 0)[1], text


def kill(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def check_either_then_go_on(directory: Path, old: list[bytes], added: list[bytes], other: list[bytes]) -> bool:
    """Whether the log is at its new state; then adds other entries to it and looks at every file: only this one log may be in any."""
    tree = Tree(directory)
    assert (tree.size, tree.root) in {(len(held), twin.mth(held)) for held in (old, old + added)}
    held = old + added if tree.size > len(old) else old
    assert list(tree.entries(0, tree.size)) == held
    assert logs.required(len(held)) <= set(logs.files(directory))
    tree.append(other)
    logs.check(directory, held + other)
    assert list(Tree(directory).entries(0, tree.size)) == held + other
    return held is not old


@pytest.mark.parametrize("first", [True, False], ids=["the first append ever", "one across the end of a tile"])
def test_killed_before_any_change_to_the_disk_it_is_at_the_old_state_or_the_new(before: Path, tmp_path: Path, first: bool) -> None:
    """Killed at each change, one after the other; and then once more at each change of the append that comes after, for good measure."""
    old = [] if first else logs.entries(0, HELD)
    added, other = logs.entries(len(old), len(old) + ADDED), logs.entries(len(old), len(old) + 3, "other")
    outcomes = []
    for step in range(1, 200):
        directory = tmp_path / f"{step}" / "log"
        if first:
            directory.parent.mkdir()
        else:
            shutil.copytree(before, directory)

        status, said = in_child(step, kill, lambda directory=directory: Tree(directory).append(added) or "done")
        if not os.WIFSIGNALED(status):
            assert said == "done"
            break
        again = tmp_path / f"{step}" / "again"
        if directory.exists():
            shutil.copytree(directory, again)
        status, said = in_child(step // 2 + 1, kill, lambda again=again: Tree(again).append(other) or "done")
        assert os.WIFSIGNALED(status) or said == "done"
        middle = Tree(again)
        assert list(middle.entries(0, middle.size)) in (old, old + added, old + other, old + added + other)
        last = logs.entries(0, 300, "last")
        held = list(middle.entries(0, middle.size))
        middle.append(last)
        logs.check(again, held + last)
        outcomes.append(check_either_then_go_on(directory, old, added, other))
        shutil.rmtree(directory.parent)
    assert 20 < step < 199, "so few changes to the disk would mean that they were not seen"
    assert outcomes == sorted(outcomes), "once it is recorded it stays so"
    assert set(outcomes) == {False, True}


@pytest.mark.parametrize("lasting", [True, False], ids=["from then on", "once"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
def test_refused_any_change_it_says_so_and_which_state_holds(before: Path, tmp_path: Path, number: int, lasting: bool) -> None:
    old = logs.entries(0, HELD)
    added, other = logs.entries(HELD, HELD + ADDED), logs.entries(HELD, HELD + 3, "other")

    def refuse(seen: int) -> None:
        if lasting or seen == 0:
            raise OSError(number, os.strerror(number))

    def act(directory: Path) -> str:
        tree = Tree(directory)
        try:
            tree.append(added)
        except DiskError as error:
            text = f"refused {tree.size} {error}"
        else:
            text = "added"
        assert (tree.size, tree.root) == (Tree(directory).size, Tree(directory).root), "the tree says what the disk does"
        assert lasting or text == "added" or not (directory / ".new").exists(), "a full disk gets its room back at once"
        if not lasting and tree.size == HELD:
            tree.append(added)  # by the same object, without opening it anew
            assert tree.size == HELD + ADDED
        return text

    refused = 0
    for step in range(1, 200):
        directory = tmp_path / f"{step}" / "log"
        shutil.copytree(before, directory)
        _, said = in_child(step, refuse, lambda directory=directory: act(directory))
        assert said.startswith(("refused ", "added")), said
        if said.startswith("refused"):
            refused += 1
            assert os.strerror(number) in said
            assert "the log has none of what was to be added, or all of it" in said
        new = check_either_then_go_on(directory, old, added, other)
        assert new == (said == "added" or not lasting or said.startswith(f"refused {HELD + ADDED}"))
        shutil.rmtree(directory.parent)
        if said == "added" and refused > 20 and step > refused + 10:
            break
    assert 20 < refused < 199, "so few changes to the disk would mean that they were not seen"


def test_nothing_is_recorded_or_moved_before_it_is_on_the_disk(before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut cannot be made here; that every flush there must be comes in its place can be seen."""
    directory = tmp_path / "log"
    shutil.copytree(before, directory)
    tree = Tree(directory)
    seen: list[tuple[str, str]] = []
    flush, rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        flush(descriptor)
        seen.append(("flushed", os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), directory)))

    def moved(source: Path, target: Path) -> None:
        rename(source, target)
        seen.append((os.path.relpath(source, directory), os.path.relpath(target, directory)))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", moved)
    old = set(logs.files(directory))
    tree.append(logs.entries(HELD, HELD + ADDED))
    monkeypatch.undo()
    into_place = [event for event in seen if event[0] != "flushed" and event[1].startswith("tile/")]
    recorded = seen.index((".new/size", "size"))
    planned = seen.index(("flushed", "."))
    written = seen.index(next(event for event in seen if event[1] == ".new/plan"))
    assert {target for _, target in into_place} == set(logs.files(directory)) - old
    assert ("flushed", seen[written][0]) in seen[:written]
    assert ("flushed", ".new") in seen[written:planned], "the plan is sure before it is begun"
    for event in into_place:
        source, target = event
        assert ("flushed", source) in seen[: seen.index(event)]
        assert planned < seen.index(event) < recorded
        assert ("flushed", os.path.dirname(target)) in seen[seen.index(event) : recorded]
    for parent in ("tile/0", "tile/entries"):
        assert ("flushed", parent) in seen[planned:recorded], "a directory was made there"
    assert ("flushed", ".new/size") in seen[:recorded]
    assert seen[recorded + 1] == ("flushed", ".")


APPENDER = """
import random, sys
from pathlib import Path
from blocklists.log.tree import Tree
from tests.blocklists.log import logs
tree, seeded = Tree(Path(sys.argv[1])), random.Random(int(sys.argv[2]))
while True:
    tree.append(logs.entries(tree.size, tree.size + seeded.choice([1, 1, 5, 300])))
    print(tree.size, flush=True)
"""


def test_killed_at_random_instants_it_has_all_it_said_it_had(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    seeded = random.Random(seed)
    directory = tmp_path / "log"
    before = 0
    for _ in range(8):
        run = subprocess.Popen([sys.executable, "-c", APPENDER, str(directory), str(seeded.random())[2:]], stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        said = run.stdout.readline()
        time.sleep(seeded.uniform(0, 0.15))  # any instant will do: none is waited for
        run.kill()
        said = (said + run.communicate()[0]).rpartition("\n")[0].rpartition("\n")[2]
        tree = Tree(directory)
        assert tree.size >= int(said) > before
        assert tree.root == twin.mth(logs.entries(0, tree.size))
        before = tree.size
    tree.append([b"last"])
    logs.check(directory, [*logs.entries(0, before), b"last"])
