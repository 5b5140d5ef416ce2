"""The log on disk: entries appended, hashes and proofs read, every octet checked against the recorded root before it is believed.

    size                              "<leaves> <root> <earlier sizes whose partial files still stand>"; replaced by rename: what it says is the log
    tile/<level>/… tile/entries/…     tiles and bundles, whole and partial (C2SP tlog-tiles), read-only, never changed: they can be served as they are
    .new/                             what an append is about to add, and `plan`, which names it; gone when it is done

An append writes and flushes everything to the disk beside the log, then moves it into place, then replaces `size`. Killed at any instant, or refused
by the disk, it leaves the old state or the new. The next append removes what a killed one had moved into place but never recorded. One process
appends at a time (a lock on the directory); others may read meanwhile, each the state it opened. Nothing here repairs: the same file stands in every
other copy of the log, and takes the place of a damaged one.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from blocklists import durable
from blocklists.errors import BadDocument, Busy, StoreError
from blocklists.log import merkle
from blocklists.log.merkle import EMPTY, HASH, leaf_hash, root_of
from blocklists.log.tiles import (
    HEIGHT,
    MAX_BUNDLE,
    WIDTH,
    Edge,
    bundle_path,
    edge_root,
    grow,
    hashes_at,
    levels,
    read_bundle,
    read_tile,
    tile_path,
    width_of,
    write_bundle,
)

KEPT = 4
"""Earlier sizes whose partial files stand on: a client that holds one of their checkpoints may still ask for them."""

REMEDY = "put the same file back from a backup or another copy of the log (a mirror's, an operator's): it has the same octets everywhere"

RECORD_REMEDY = "put it back from a backup, or write one line into it: size and root (in hex) of the last checkpoint"

_CACHED = 64
"""Whole tiles kept in memory once checked; 8 kB each."""
_RECORD = re.compile(rb"((?:0|[1-9][0-9]{0,15})) ([0-9a-f]{64})((?: [1-9][0-9]{0,15})*)\n")
_STILL = "the log has none of what was to be added, or all of it"


class Tree:
    """The log in a directory, at the state its record named when this was opened, or at the one that `append` made."""

    def __init__(self, directory: Path) -> None:
        """Opens it; a directory that is not there, or is empty, is the empty log. Raises StoreError naming what is missing or damaged."""
        self.directory = directory
        self.size = 0
        self.root = EMPTY
        self._earlier: tuple[int, ...] = ()
        self._edge: Edge = ()
        self._cache: dict[tuple[int, int], list[bytes]] = {}
        self._open()

    def append(self, entries: Sequence[bytes]) -> None:
        """Adds entries at the end; they are on the disk when this returns.

        Raises BadDocument for an entry that is too long, DiskError when the disk refuses, Busy or StoreError when another process appends or has
        appended, StoreError when the record is older than the log. `size` and `root` then still say what the log is.
        """
        if not entries:
            return
        with self._locked():
            if self._record() != (self.size, self.root, self._earlier):
                raise StoreError(f"the log in {self.directory} was changed by another process since it was opened here; open it again")
            size, root, edge, files = self._grown(entries)
            earlier = (*self._earlier, self.size)[-KEPT:] if self.size else ()
            try:
                with durable.explained(f"adding {len(entries)} entries to the log", _STILL):
                    self._cut()
                    self._check_ends()
                    self._path(".new").mkdir()
                    if not self._path("size").exists():
                        self._replace_record(0, EMPTY, ())
                        durable.sync_directory(self.directory.parent)
                    self._place(files)
                    self._prune(set(self._earlier) - set(earlier), earlier)
                    self._replace_record(size, root, earlier)
            except StoreError:
                with suppress(StoreError):
                    self._open()  # the last step may have been done all the same
                with suppress(OSError, StoreError):
                    self._cut()
                raise
            self.size, self.root, self._edge, self._earlier = size, root, edge, earlier
            with suppress(OSError):
                shutil.rmtree(self._path(".new"))

    def preview(self, entries: Sequence[bytes]) -> tuple[int, bytes]:
        """Size and root as they would be with these entries appended; nothing is written."""
        edge = grow(self.size, self._edge, [leaf_hash(entry) for entry in entries])[0]
        size = self.size + len(entries)
        return size, edge_root(size, edge)

    def root_at(self, size: int) -> bytes:
        """The root when the log had so many entries. Raises ValueError when it never had, StoreError for damage, as all that follow."""
        return merkle.root(self._known(size), self._node)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The proof that entry `index` is among the first `size`."""
        return merkle.inclusion(index, self._known(size), self._node)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the log of `new` entries begins with that of `old`."""
        return merkle.consistency(old, self._known(new), self._node)

    def leaf(self, index: int) -> bytes:
        """The hash of an entry."""
        self._known(index)
        self._known(index + 1)
        return self._tile(0, index // WIDTH)[index % WIDTH]

    def entry(self, index: int) -> bytes:
        """One entry, checked against its hash."""
        return next(self.entries(index, index + 1))

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """The entries from `start` to before `stop`, each checked against its hash."""
        self._known(start)
        self._known(stop)
        at = start
        while at < stop:
            number, first = divmod(at, WIDTH)
            last = min(WIDTH, first + stop - at)
            yield from self._bundle(number, first, last)
            at += last - first

    # --- reading

    def _known(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ValueError(f"the log has {self.size} entries and never had {size}")
        return size

    def _path(self, name: str) -> Path:
        return self.directory / name

    def _open(self) -> None:
        size, root, earlier = self._record()
        edge = tuple(
            self._read_tile(level, hashes_at(level, size) // WIDTH, size) if hashes_at(level, size) % WIDTH else [] for level in range(levels(size))
        )
        if edge_root(size, edge) != root:
            named = [tile_path(level, hashes_at(level, size) // WIDTH, len(tile)) for level, tile in enumerate(edge) if tile]
            raise StoreError(f"in {self.directory} one of the files size, {', '.join(named)} is not what was written; {REMEDY}")
        self.size, self.root, self._earlier, self._edge = size, root, earlier, edge
        self._cache.clear()

    def _record(self) -> tuple[int, bytes, tuple[int, ...]]:
        path = self._path("size")
        try:
            with path.open("rb") as file:
                content = file.read(1024)
        except FileNotFoundError:
            if self._path("tile").exists():
                raise StoreError(f"{path} is missing, and tiles of a log stand beside it; {RECORD_REMEDY}") from None
            return 0, EMPTY, ()
        except OSError as error:
            raise StoreError(f"{path} cannot be read ({error.strerror}); mend its owner or mode") from None
        match = _RECORD.fullmatch(content)
        if match is None:
            raise StoreError(f"{path} holds {content[:80]!r}, not a size and a root; {RECORD_REMEDY}")
        return int(match[1]), bytes.fromhex(match[2].decode()), tuple(map(int, match[3].split()))

    def _node(self, level: int, index: int) -> bytes:
        """The root of a whole subtree, from the one tile that holds its hashes."""
        level, height = divmod(level, HEIGHT)
        first = index << height
        tile = self._tile(level, first // WIDTH)
        return root_of(tile[first % WIDTH : first % WIDTH + (1 << height)])

    def _tile(self, level: int, index: int) -> list[bytes]:
        """A tile, checked: the last one at opening, a whole one against its root, which stands in the tile above it."""
        if index == hashes_at(level, self.size) // WIDTH:
            return self._edge[level]
        found = self._cache.get((level, index))
        if found is None:
            found = self._read_tile(level, index, self.size)
            if root_of(found) != self._tile(level + 1, index // WIDTH)[index % WIDTH]:
                raise StoreError(f"{self._path(tile_path(level, index))} is not what was written: its root is another; {REMEDY}")
            while len(self._cache) >= _CACHED:
                del self._cache[next(iter(self._cache))]
            self._cache[level, index] = found
        return found

    def _read_tile(self, level: int, index: int, size: int) -> list[bytes]:
        width = width_of(level, index, size)
        path = self._path(tile_path(level, index, width))
        data = self._read(path, self._path(tile_path(level, index)), WIDTH * HASH)
        try:
            return read_tile(data, WIDTH, str(path))[:width] if len(data) == WIDTH * HASH else read_tile(data, width, str(path))
        except BadDocument:
            raise StoreError(f"{path} has {len(data)} octets, and {width * HASH} were written; {REMEDY}") from None

    def _bundle(self, number: int, first: int, last: int) -> list[bytes]:
        width = width_of(0, number, self.size)
        path = self._path(bundle_path(number, width))
        data = self._read(path, self._path(bundle_path(number)), MAX_BUNDLE)
        try:
            found = read_bundle(data, str(path))[first:last]
        except BadDocument:
            found = []
        if [leaf_hash(entry) for entry in found] != self._tile(0, number)[first:last]:
            raise StoreError(f"{path} is not what was written: its entries do not have the hashes in the log; {REMEDY}")
        return found

    def _read(self, path: Path, whole: Path, most: int) -> bytes:
        """A file; for a partial one that is gone, because another process appended meanwhile, the whole one that holds the same and more."""
        for each in (path, whole):
            try:
                with each.open("rb") as file:
                    return file.read(most + 1)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreError(f"{each} cannot be read ({error.strerror}); mend its owner or mode, or {REMEDY}") from None
        raise StoreError(f"{path} is missing; {REMEDY}")

    # --- writing

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time appends."""
        with durable.explained(f"preparing {self.directory}", _STILL):
            self.directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"another process is adding to the log in {self.directory}; wait for it, or stop it") from None
            yield
        finally:
            os.close(descriptor)

    def _grown(self, entries: Sequence[bytes]) -> tuple[int, bytes, Edge, dict[str, bytes]]:
        """Size, root and edge with these entries appended, and the files that differ, by path."""
        number, held = divmod(self.size, WIDTH)
        together = [*self._bundle(number, 0, held), *entries] if held else list(entries)
        files = {}
        for at in range(0, len(together), WIDTH):
            bundle = together[at : at + WIDTH]
            files[bundle_path(number + at // WIDTH, len(bundle))] = write_bundle(bundle)
        edge, tiles = grow(self.size, self._edge, [leaf_hash(entry) for entry in entries])
        files |= {path: b"".join(tile) for path, tile in tiles.items()}
        size = self.size + len(entries)
        return size, edge_root(size, edge), edge, files

    def _place(self, files: Mapping[str, bytes]) -> None:
        """Writes all files beside the log and the plan that names them, then moves them into place; on the disk when this returns. Raises OSError."""
        fresh = self._path(".new")
        for number, data in enumerate(files.values()):
            durable.write_new(fresh / str(number), (data,))
        durable.replace(fresh / "plan", "\n".join((str(self.size), *files)).encode())
        durable.sync_directory(self.directory)
        changed: set[Path] = set()
        for number, name in enumerate(files):
            path = self._path(name)
            self._make(path.parent, changed)
            (fresh / str(number)).rename(path)
            changed.add(path.parent)
        for directory in changed:
            durable.sync_directory(directory)

    def _make(self, directory: Path, changed: set[Path]) -> None:
        if not directory.exists():
            self._make(directory.parent, changed)
            directory.mkdir()
            changed.add(directory.parent)

    def _cut(self) -> None:
        """Removes what an append that did not end left: all that it had moved into place, unless the record names it. Raises OSError."""
        fresh = self._path(".new")
        if not fresh.exists():
            return
        with suppress(FileNotFoundError):
            size, *names = (fresh / "plan").read_text("ascii").split("\n")
            if int(size) == self._record()[0]:
                for path in map(self._path, names):
                    path.unlink(missing_ok=True)
                    if path.parent.exists():
                        durable.sync_directory(path.parent)
        shutil.rmtree(fresh)

    def _check_ends(self) -> None:
        """Raises StoreError when entries stand after the recorded end: a record put back from an older backup would make a second log of this one."""
        number, held = divmod(self.size, WIDTH)
        whole = self._path(bundle_path(number))
        partial = self._path(bundle_path(number, 1)).parent
        names = os.listdir(partial) if partial.exists() else []
        if beyond := [whole] * whole.exists() + [partial / name for name in names if name.isdigit() and int(name) > held]:
            raise StoreError(
                f"{beyond[0]} has entries after the {self.size} that {self._path('size')} records, which is older than the log;"
                " put the newest record back, or, if no checkpoint was ever signed over those entries, move such files away"
            )

    def _prune(self, dropped: set[int], kept: Sequence[int]) -> None:
        """Removes partial files that only dropped sizes, and sizes before them, need, where the whole file stands. Raises OSError."""
        for size in dropped:
            for level in range(levels(size)):
                index, width = divmod(hashes_at(level, size), WIDTH)
                if not width or width_of(level, index, self.size) < WIDTH:
                    continue
                needed = {width_of(level, index, other) for other in kept}
                for path in (tile_path(level, index, width), *([bundle_path(index, width)] if level == 0 else [])):
                    _prune_partials(self._path(path).parent, set(range(1, width + 1)) - needed)

    def _replace_record(self, size: int, root: bytes, earlier: Sequence[int]) -> None:
        """What it says is the log from now on. Raises OSError."""
        fresh = self._path(".new") / "size"
        durable.write_new(fresh, (" ".join((str(size), root.hex(), *map(str, earlier))).encode() + b"\n",))
        fresh.rename(self._path("size"))
        durable.sync_directory(self.directory)


def _prune_partials(directory: Path, widths: set[int]) -> None:
    with suppress(FileNotFoundError):
        names = set(os.listdir(directory))
        gone = names & set(map(str, widths))
        for name in gone:
            (directory / name).unlink()
        if len(gone) == len(names):
            directory.rmdir()
