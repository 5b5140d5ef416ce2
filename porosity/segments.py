"""Segments of a journal: files of frames, each whole or cut off. What a frame holds is the caller's; here its bytes are told from torn ones.

A frame is the magic `RHJ1`, the payload's length, a CRC-32 over both and the payload (all little-endian), and the payload. The first of a segment
holds the plan's id. Since each frame is on the disk before the next is written, only the last can be torn; a damaged one with a sound one behind it
is the disk's fault, and refused.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from blocklists.errors import StoreError

FOLDER = "journal"

_MAGIC = b"RHJ1"
_HEAD = struct.Struct("<4sII")
_SEGMENT = re.compile(r"[0-9]{6,}", re.ASCII)


class Read(NamedTuple):
    """What a segment holds."""

    plan: str
    """Id of the plan; empty when not even that was written."""
    frames: list[bytes]
    """Payloads, without the first."""
    end: int
    """Octets up to the end of the last whole frame."""


def frame(payload: bytes) -> bytes:
    """The payload as it is written."""
    return _HEAD.pack(_MAGIC, len(payload), _checksum(payload)) + payload


def numbers(folder: Path) -> list[int]:
    """Numbers of the segments in a journal's folder, in order; none where there is no folder."""
    try:
        return sorted(int(each) for each in os.listdir(folder) if _SEGMENT.fullmatch(each))
    except FileNotFoundError:
        return []


def path(folder: Path, number: int) -> Path:
    """Where a segment stands."""
    return folder / f"{number:06d}"


def read(file: Path) -> Read:
    """The whole frames of a segment. Raises StoreError when one in the middle is damaged; OSError when it cannot be read."""
    data = file.read_bytes()
    found: list[bytes] = []
    end = 0
    while (payload := _at(data, end)) is not None:
        found.append(payload)
        end += _HEAD.size + len(payload)
    behind = data.find(_MAGIC, end + 1)
    while behind >= 0:
        if _at(data, behind) is not None:
            raise StoreError(f"{file} is damaged at octet {end}, before sound observations; put a copy in its place, or move it away to measure anew")
        behind = data.find(_MAGIC, behind + 1)
    return Read(found[0].decode("ascii", "replace") if found else "", found[1:], end)


def _checksum(payload: bytes) -> int:
    """The length is in it: else a magic with zeros behind it, as a disk may leave them, would be a whole frame of nothing."""
    return zlib.crc32(payload, zlib.crc32(_MAGIC + len(payload).to_bytes(4, "little")))


def _at(data: bytes, start: int) -> bytes | None:
    if len(data) - start < _HEAD.size:
        return None
    magic, length, checksum = _HEAD.unpack_from(data, start)
    payload = data[start + _HEAD.size : start + _HEAD.size + length]
    if magic != _MAGIC or len(payload) < length or _checksum(payload) != checksum:
        return None
    return payload
