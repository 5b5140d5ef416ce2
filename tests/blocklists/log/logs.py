"""Logs on disk for tests: entries that can be told from their index, and what may stand in a log's directory."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from blocklists.log import tiles
from tests.blocklists.log import twin


def entry(index: int, kind: str = "") -> bytes:
    """Some octets, none to 199 of them, always the same for an index and a kind."""
    seed = sha256(f"{kind}{index}".encode()).digest()
    return (seed * 7)[: seed[0] * 200 // 256]


def entries(start: int, stop: int, kind: str = "") -> list[bytes]:
    """These entries."""
    return [entry(index, kind) for index in range(start, stop)]


def files(directory: Path) -> dict[str, bytes]:
    """Every file of the log by its path, except the record."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != "size":
            found[str(path.relative_to(directory))] = path.read_bytes()
    return found


def expected(path: str, held: Sequence[bytes]) -> bytes | None:
    """What a log of these entries has in a file, by the specification, said slowly; None where it may have no such file."""
    match = re.fullmatch(r"tile/(entries|[0-9]+)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", path)
    if match is None:
        return None
    level = 0 if match[1] == "entries" else int(match[1])
    index = int(match[2].replace("x", "").replace("/", ""))
    width = int(match[3] or 256)
    leaves = 256**level
    if (index * 256 + width) * leaves > len(held):
        return None
    within = held[index * 256 * leaves : (index * 256 + width) * leaves]
    if match[1] == "entries":
        return b"".join(len(each).to_bytes(2, "big") + each for each in within)
    return b"".join(twin.mth(within[at : at + leaves]) for at in range(0, len(within), leaves))


def required(size: int) -> set[str]:
    """The files that a log of this size must have to be served."""
    found = set()
    for level in range(tiles.levels(size)):
        for index in range(-(-tiles.hashes_at(level, size) // 256)):
            width = tiles.width_of(level, index, size)
            found |= {tiles.tile_path(level, index, width), *([tiles.bundle_path(index, width)] if level == 0 else [])}
    return found


def check(directory: Path, held: Sequence[bytes]) -> None:
    """Fails unless every file there is one of a log of exactly these entries, and none that a client would ask for is missing."""
    found = files(directory)
    assert required(len(held)) <= set(found)
    wrong = [path for path, data in found.items() if data != expected(path, held)]
    assert wrong == [], f"not of this log: {wrong}"
    assert not [name for name in os.listdir(directory) if name not in ("size", "tile")]
