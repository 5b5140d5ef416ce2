"""What of an authority's public directory a request may name: files of the metadata, the targets and the log, by their exact names, and no other.

A name is matched as it stands in the request, before any decoding: what is allowed needs no escapes, so that whatever has some is not there. Each
directory on the way is opened without following symbolic links, as is the file.
"""

from __future__ import annotations

import os
import re
import stat
from email.utils import formatdate
from pathlib import Path
from typing import NamedTuple

from authority.metadata import CHECKPOINT, FIXED

IMMUTABLE = b"public, max-age=31536000, immutable"
ENTRIES = b"private, max-age=31536000, immutable"
"""RFC 9111 section 3.5: what is `public` a shared cache may give to those who have no token."""
MUTABLE = b"no-cache"

_NUMBER = rb"(x\d{3}/){0,6}\d{3}(\.p/[1-9]\d{0,2})?"
_ENTRIES = re.compile(rb"log/tile/entries/" + _NUMBER)
_IMMUTABLE = re.compile(
    rb"metadata/[1-9]\d{0,9}\.(root|targets|snapshot|checkpoint)\.json|"
    rb"targets/[0-9a-f]{64}\.(" + b"|".join(re.escape(name).encode() for name in (*FIXED, CHECKPOINT)) + rb")|"
    rb"log/tile/(0|[1-9]\d?)/" + _NUMBER
)
_MUTABLE = (b"metadata/timestamp.json", b"log/checkpoint")
_RANGE = re.compile(rb"bytes=(\d{0,15})-(\d{0,15})")


class Kind(NamedTuple):
    """How files of one kind are served."""

    cache: bytes
    """Cache-Control."""
    private: bool = False
    """Whether only operators may have it."""


def kind_of(name: bytes) -> Kind | None:
    """How the file of a name is served; None for what is not public."""
    if name in _MUTABLE:
        return Kind(MUTABLE)
    if _ENTRIES.fullmatch(name):
        return Kind(ENTRIES, private=True)
    return Kind(IMMUTABLE) if _IMMUTABLE.fullmatch(name) else None


class File:
    """An open file."""

    def __init__(self, root: Path, name: bytes) -> None:
        """Opens it. Raises OSError for one that is not there, is no plain file, or is reached by a symbolic link."""
        self.descriptor = _open(root, name.decode("ascii"))
        found = os.fstat(self.descriptor)
        if not stat.S_ISREG(found.st_mode):
            self.close()
            raise FileNotFoundError(name)
        self.size = found.st_size
        self.tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"'.encode()
        self.modified = formatdate(found.st_mtime, usegmt=True).encode()

    def read(self, start: int, octets: int) -> bytes:
        """At most so many octets from there."""
        return os.pread(self.descriptor, octets, start)

    def close(self) -> None:
        """Closes it."""
        os.close(self.descriptor)


def _open(root: Path, name: str) -> int:
    *directories, last = name.split("/")
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for each in directories:
            below = os.open(each, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        return os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=descriptor)
    finally:
        os.close(descriptor)


def same(tag: bytes, field: bytes) -> bool:
    """Whether If-None-Match names the tag (RFC 9110 section 13.1.2: weakly)."""
    return field.strip() == b"*" or tag in [each.strip().removeprefix(b"W/") for each in field.split(b",")]


def part(field: bytes, size: int) -> tuple[int, int] | None:
    """The one part that a Range field asks for, as start and stop; None for a field that is ignored. Raises ValueError when no octet is in it.

    RFC 9110 section 14.2: several parts, or another unit, may be answered with the whole.
    """
    match = _RANGE.fullmatch(field.replace(b" ", b""))
    if match is None or match[0] == b"bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    if start >= stop:
        raise ValueError(f"there are {size} octets")
    return start, stop
