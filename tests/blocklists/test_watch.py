"""A changed source is noticed, once, and only when it holds still."""

from __future__ import annotations

import os
from pathlib import Path

from blocklists.settings import FileSource
from blocklists.watch import POLL_SECONDS, SETTLE_SECONDS, Sources


def watch(tmp_path: Path) -> Sources:
    (tmp_path / "own").write_text("own.example\n")
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders/a.yaml").write_text("id: FR-1\n")
    found = (
        FileSource(id="own", path="own", format="domains"),
        FileSource(id="orders", path="orders", format="directives"),
        FileSource(id="absent", path="absent", format="hosts"),
    )
    return Sources(found, tmp_path)


def looks(sources: Sources, start: float, count: int) -> list[bool]:
    """What as many looks say, at the pace it is made for."""
    return [sources.changed(start + number * POLL_SECONDS) for number in range(count)]


def test_two_looks_at_that_pace_are_within_a_second() -> None:
    assert SETTLE_SECONDS < POLL_SECONDS
    assert 3 * POLL_SECONDS < 1


def test_nothing_happens_while_nothing_changes(tmp_path: Path) -> None:
    assert looks(watch(tmp_path), 0, 5) == [False] * 5


def test_every_kind_of_change_is_told_once(tmp_path: Path) -> None:
    sources = watch(tmp_path)
    (tmp_path / "own").write_text("other.example\n")
    assert looks(sources, 0, 4) == [False, True, False, False]
    before = (tmp_path / "own").stat()
    (tmp_path / "new").write_text("third.example\n")
    os.utime(tmp_path / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tmp_path / "new").rename(tmp_path / "own")
    assert looks(sources, 10, 4) == [False, True, False, False]
    (tmp_path / "orders/b.yaml").write_text("id: FR-2\n")
    assert looks(sources, 20, 4) == [False, True, False, False]
    (tmp_path / "orders/a.yaml").unlink()
    assert looks(sources, 30, 4) == [False, True, False, False]
    (tmp_path / "absent").write_text("192.0.2.1 a.example\n")
    assert looks(sources, 40, 4) == [False, True, False, False]
    (tmp_path / "own").unlink()
    assert looks(sources, 50, 4) == [False, True, False, False]


def test_what_is_not_a_source_changes_nothing(tmp_path: Path) -> None:
    sources = watch(tmp_path)
    (tmp_path / "orders/notes.txt").write_text("not a directive")
    (tmp_path / "else").write_text("not a source")
    assert looks(sources, 0, 3) == [False] * 3


def test_a_file_being_written_is_waited_for(tmp_path: Path) -> None:
    sources = watch(tmp_path)
    with (tmp_path / "own").open("w") as file:
        for number in range(6):
            file.write(f"n{number}.example\n")
            file.flush()
            assert not sources.changed(number * POLL_SECONDS)
    assert sources.changed(6 * POLL_SECONDS)


def test_two_looks_too_close_together_prove_nothing(tmp_path: Path) -> None:
    sources = watch(tmp_path)
    (tmp_path / "own").write_text("other.example\n")
    assert [sources.changed(now) for now in (0.0, 0.05, 0.09, 0.11, 0.12)] == [False, False, False, True, False]


def test_a_change_taken_back_is_none(tmp_path: Path) -> None:
    sources = watch(tmp_path)
    (tmp_path / "own").rename(tmp_path / "aside")
    assert not sources.changed(0)
    (tmp_path / "aside").rename(tmp_path / "own")
    assert looks(sources, 1, 3) == [False] * 3


def test_a_permission_taken_or_given_is_a_change(tmp_path: Path) -> None:
    sources = watch(tmp_path)
    (tmp_path / "own").chmod(0)
    assert looks(sources, 0, 4) == [False, True, False, False]
    (tmp_path / "own").chmod(0o644)
    assert looks(sources, 9, 4) == [False, True, False, False]
