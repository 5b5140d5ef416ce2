"""Where labs that stay up have their files: a directory of the user's own, and nothing there goes that is not a lab's."""

from __future__ import annotations

from pathlib import Path

import pytest

from porosity.lab import hold
from porosity.lab.places import LabError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return hold.root()


def test_a_link_that_somebody_laid_there_is_not_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "home" / "letters").mkdir(parents=True)
    root.rmdir()
    root.symlink_to(tmp_path / "home")
    with pytest.raises(LabError, match="only you"):
        hold.running()
    assert (tmp_path / "home" / "letters").is_dir()


def test_a_directory_that_others_can_write_to_is_not_used(root: Path) -> None:
    root.chmod(0o777)
    with pytest.raises(LabError, match="only you"):
        hold.running()


def test_what_a_killed_lab_left_goes_and_nothing_else(root: Path, tmp_path: Path) -> None:
    (root / "killed").mkdir()
    (root / "killed" / hold.LOG).touch()
    (root / "killed" / hold.FACTS).touch()
    (root / "other").mkdir()
    (root / "other" / "letter").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / hold.LOG).touch()
    (root / "link").symlink_to(tmp_path / "elsewhere")
    assert hold.running() == {}
    assert {each.name for each in root.iterdir()} - {"other", "link"} == set()
    assert (root / "other" / "letter").exists()
    assert (tmp_path / "elsewhere" / hold.LOG).exists()
