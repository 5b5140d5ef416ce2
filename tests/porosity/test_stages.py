"""Stages stand on disk whole: killed at any change of the disk, verdicts and estimates are the old or the new, and never some of each or none."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from porosity import classify, estimates, parts, study
from porosity.rules.facts import Known, packed
from tests.porosity import judged
from tests.porosity.test_classify import kept


class Killed(BaseException):
    """Stands for the kernel's."""


CHANGES = ((os, "fsync"), (os, "replace"), (os, "rename"), (Path, "rename"), (Path, "mkdir"), (parts, "_exchanged"), (Path, "unlink"))


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    """Does the work, and dies before its so-manyeth change of the disk; how many changes it came to."""
    count = 0

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count >= step:
                raise Killed
            return real(*args, **more)

        return call

    with monkeypatch.context() as patched:
        for owner, name in CHANGES:
            patched.setattr(owner, name, dying(getattr(owner, name)))
        with suppress(Killed):
            work()
    return count


def whole(folder: Path) -> str:
    """A hash over all files of a folder."""
    found = hashlib.sha256()
    for each in sorted(folder.rglob("*")):
        found.update(f"{each.relative_to(folder)}\0{each.read_bytes().hex() if each.is_file() else ''}\n".encode())
    return found.hexdigest()


def stages(folder: Path, old: Callable[[], object], new: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills `new`, over what `old` made, in the middle, and at each of its last changes, where one takes the other's place."""
    new()
    after = whole(folder)
    old()
    before = whole(folder)
    assert before != after
    changes = killed_at(1 << 20, monkeypatch, new)
    assert whole(folder) == after
    stood = after
    for step in (changes // 2, *range(changes - 2, changes + 1)):
        if stood != before:
            old()
        assert whole(folder) == before, "the same again makes the same, whatever was left lying about"
        assert killed_at(step, monkeypatch, new) >= step
        stood = whole(folder)
        assert stood in (before, after), step


def test_verdicts_are_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = kept(tmp_path / "study")
    made = [lambda page=page: classify.run(study.open(of.directory), Known(packed([page]))) for page in ("192.0.2.80", "192.0.2.81")]
    stages(of.classification(classify.Ours.version), made[0], made[1], monkeypatch)


def test_estimates_are_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of = judged.made(tmp_path / "study", listed=6)
    stages(of.estimates, lambda: estimates.make(of), lambda: estimates.make(of, window=3600), monkeypatch)


def test_where_names_cannot_be_exchanged_the_new_stands_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_exchanged", lambda one, other: False)
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    parts.stand(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old" / "file").read_text() == "new"
    assert (tmp_path / "new" / "file").read_text() == "old"
