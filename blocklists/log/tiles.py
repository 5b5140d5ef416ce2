"""How the log lies in files (C2SP tlog-tiles): tiles of 256 hashes, bundles of 256 entries, and their paths. Pure.

A tile of level 0 holds leaves' hashes, one of level 1 the roots of whole tiles of level 0, and so on. The last of a level is partial: its path ends
in its width. A file never changes; the next state of a partial one is another file.
"""

from __future__ import annotations

from collections.abc import Iterable

from blocklists.errors import BadDocument
from blocklists.log.merkle import HASH, root, root_of

HEIGHT = 8
WIDTH = 1 << HEIGHT
"""Hashes in a whole tile, entries in a whole bundle."""

MAX_ENTRY = 65_535
"""Octets of an entry: its length is two octets."""

MAX_BUNDLE = WIDTH * (2 + MAX_ENTRY)

Edge = tuple[list[bytes], ...]
"""By level, the hashes of the last, partial tile; none where the level ends in a whole one."""


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Where a tile stands: `tile/0/x001/x234/067`, or `tile/0/x001/x234/067.p/8` when only 8 wide."""
    return f"tile/{level}/{_number(index, width)}"


def bundle_path(index: int, width: int = WIDTH) -> str:
    """Where a bundle of entries stands: `tile/entries/000`, or `tile/entries/000.p/8` when it holds only 8."""
    return f"tile/entries/{_number(index, width)}"


def _number(index: int, width: int) -> str:
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return path if width == WIDTH else f"{path}.p/{width}"


def hashes_at(level: int, size: int) -> int:
    """How many hashes stand on a tile level in a tree of `size` leaves."""
    return size >> HEIGHT * level


def width_of(level: int, index: int, size: int) -> int:
    """How wide a tile is in a tree of `size` leaves (a bundle: level 0); 0 when it is not there."""
    return max(0, min(WIDTH, hashes_at(level, size) - index * WIDTH))


def levels(size: int) -> int:
    """How many tile levels a tree of `size` leaves has."""
    return -(-size.bit_length() // HEIGHT)


def read_tile(data: bytes, width: int, what: str = "the tile") -> list[bytes]:
    """The hashes in a tile. Raises BadDocument, naming `what`, unless there are exactly `width`."""
    if len(data) != width * HASH:
        raise BadDocument(f"{what} has {len(data)} octets, and {width} hashes have {width * HASH}; fetch it again, or from another mirror")
    return [data[at : at + HASH] for at in range(0, len(data), HASH)]


def write_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries as they stand in a bundle. Raises BadDocument for one that is too long."""
    found: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise BadDocument(f"an entry has {len(entry)} octets, and {MAX_ENTRY} fit; split the order into several")
        found += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(found)


def read_bundle(data: bytes, what: str = "the bundle of entries") -> list[bytes]:
    """The entries in a bundle, or in its tail. Raises BadDocument, naming `what`, when the last one is cut short or they are more than 256."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[start - 2 : start], "big")
        found.append(data[start:at])
    if at != len(data) or len(found) > WIDTH:
        raise BadDocument(f"{what} of {len(data)} octets is cut short or holds more than {WIDTH} entries; fetch it again, or from another mirror")
    return found


def grow(size: int, edge: Edge, fresh: list[bytes]) -> tuple[Edge, dict[str, list[bytes]]]:
    """The edge of a tree of `size` leaves with fresh ones appended, and all tiles that differ, by path."""
    grown: list[list[bytes]] = []
    tiles: dict[str, list[bytes]] = {}
    level = 0
    while fresh or level < len(edge):
        together = [*edge[level], *fresh] if level < len(edge) else fresh
        index = hashes_at(level, size) // WIDTH
        parts = [together[at : at + WIDTH] for at in range(0, len(together), WIDTH)]
        if fresh:
            tiles |= {tile_path(level, index + number, len(part)): part for number, part in enumerate(parts)}
        grown.append(parts.pop() if parts and len(parts[-1]) < WIDTH else [])
        fresh = [root_of(part) for part in parts]
        level += 1
    return tuple(grown), tiles


def edge_root(size: int, edge: Edge) -> bytes:
    """The root of a tree, for which its edge is enough: every whole subtree that makes it up lies there."""

    def node(level: int, index: int) -> bytes:
        level, height = divmod(level, HEIGHT)
        start = (index << height) % WIDTH
        return root_of(edge[level][start : start + (1 << height)])

    return root(size, node)
