"""Where sources stand, and whether they changed: paths and stat calls, no file is read."""

from __future__ import annotations

import os
from pathlib import Path

from blocklists.settings import FileSource


def locate(source: FileSource, base_dir: Path) -> Path:
    """Where the source stands: a relative path under `base_dir`."""
    return base_dir / source.path


def stamp(path: Path) -> tuple[object, ...]:
    """What changes when the source is edited, by a few stat calls and no read: compare it with an earlier one; never raises."""
    try:
        return tuple(identify(file.name, file.stat()) for file in files_of(path))
    except OSError as error:
        return ("unreadable", error.errno)


def files_of(path: Path) -> list[Path]:
    """The file itself, or a directory's .yaml and .yml files in the order of their names; hidden ones, and deeper ones, are left alone."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"} and not file.name.startswith("."))


def identify(name: str, status: os.stat_result) -> tuple[str | int, ...]:
    """What changes when a file is edited or replaced, or when another permission to read it is given or taken."""
    return name, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode, status.st_uid, status.st_gid
