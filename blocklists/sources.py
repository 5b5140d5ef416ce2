"""One source of the operator's, read whole: what it lists, by which right, and what of it was skipped and why.

This is the thin shell around the pure readers of `formats` and `directive`: it opens files, and leaves every judgement on their bytes to them.
It refuses a source whole, with SourceError, rather than put half of one in force: the version before stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from blocklists.guards import Guards
from blocklists.settings import FileSource


@dataclass(frozen=True, slots=True)
class Skipped:
    """One record that is not in force."""

    where: str
    """Name of the file, without its directories."""
    line: int
    """Its line, from 1."""
    value: str
    """What stood there, clipped to 80 characters, odd characters escaped."""
    reason: str
    """Why it was skipped and what to do about it."""


@dataclass(frozen=True)
class Basis:
    """By what right names are listed: the terms of one directive for one stretch of time, or one plain list.

    An amendment or a suspension gives one directive several stretches, each a basis of its own under the same reference.
    """

    kind: Literal["directive", "own", "pass"]
    mode: str
    """The source's mode: redirect, nxdomain, nodata or refused."""
    reference: str
    """A directive's public id; for a list, its source's id."""
    starts: int
    """Unix seconds, inclusive; 0 for always."""
    ends: int
    """Unix seconds, exclusive; 0 for never."""
    layer: str
    """`local`: the operator's own files, transcriptions included."""
    document: dict[str, Any]
    """Text, integers, booleans, lists and dicts only, so that it has one canonical JSON form. A directive without its targets, or a list's description;
    with `source`, `layer` and, for a directive, `verified` (false: a transcription) and `digest` (`sha256:` and 64 hex digits)."""
    listed: list[tuple[bytes, bool]]
    """Keys, each with True for exact and False for subtree, in the order met; a name may stand there twice."""


@dataclass(frozen=True)
class Content:
    """What one source says, after the guards."""

    source: FileSource
    bases: list[Basis]
    skipped: list[Skipped]
    records: int
    """Records met, skipped ones included: names for a list, directives for directive files."""
    sha256: str
    """64 hex digits over the file's bytes; for a directory, over its files' names and digests."""
    withdrawn: tuple[str, ...] = ()
    """Ids of directives withdrawn, whether or not what they withdraw was met."""


def locate(source: FileSource, base_dir: Path) -> Path:
    """Where the source stands: `builtin:sample` in this package, a relative path under `base_dir`."""
    raise NotImplementedError


def stamp(path: Path) -> tuple[object, ...]:
    """What changes when the source is edited, by a few stat calls and no read: compare it with an earlier one; never raises."""
    raise NotImplementedError


def read(source: FileSource, path: Path, guards: Guards, max_bad_share: float, as_of: int) -> Content:
    """Everything the source at `path` (see `locate`) puts in force at `as_of` (unix seconds) or later.

    Raises SourceError when it cannot be read, is empty, is too large, or holds a larger share of bad records than `max_bad_share`.
    """
    raise NotImplementedError
