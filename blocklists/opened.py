"""Files of a version, each opened once and compared with its record before it is believed.

The opened descriptor is hashed and that same descriptor mapped, so that nothing which happens to the name afterwards matters.
What happens to the file itself would: a mapped page whose file was cut short is a SIGBUS, one on a disk that hangs is a wait in the middle of an
answer. Whoever serves therefore has the index `sealed`: copied into memory that nobody, ourselves included, can change any more
(memfd_create(2), F_ADD_SEALS), hashed on the way, and from then on no disk is asked.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import marisa_trie

from blocklists.errors import REBUILD, StoreError

_CHUNK = 1 << 20
_SMALL_CHUNK = 1 << 16
"""Octets hashed at a time, at once or beside a serving loop: the hash runs without the interpreter's lock, and rests between small chunks."""

Rest = Callable[[], None]
"""Called after each small chunk, to sleep."""

Opened = dict[str, tuple[str, tuple[int, int], Any]]
"""By name: the SHA-256 of a file, its device and inode, and what it was opened as."""


class Lazy:
    """A file mapped now and verified when it is first used: serving needs only the index at once."""

    def __init__(self, mapped: memoryview, digest: str, path: Path) -> None:
        self._mapped = mapped
        self._digest = digest
        self._path = path
        self._verified = False
        self._lock = threading.Lock()

    def view(self) -> memoryview:
        """Its bytes. Raises StoreError when they are not those that were written."""
        if not self._verified:
            with self._lock:
                _compare(self._mapped, self._digest, self._path, self._release)
                self._verified = True
        return self._mapped

    def _release(self) -> None:
        """Gives the pages back that were read: the system keeps them while it has room, and a process that has the lines besides not twice."""
        mapping = self._mapped.obj
        if isinstance(mapping, mmap.mmap):
            mapping.madvise(mmap.MADV_DONTNEED)


class Files:
    """The files of one version, each opened once and compared with its record before it is believed."""

    def __init__(self, directory: Path, recorded: dict[str, dict[str, Any]], rest: Rest | None, sealed: bool, before: Opened) -> None:
        self.opened: Opened = {}
        self._directory = directory
        self._recorded = recorded
        self._rest = rest
        self._sealed = sealed
        self._before = before

    def view(self, name: str) -> memoryview:
        """A file mapped and compared."""
        found: memoryview = self._again(name) or self._keep(name, *self._view(name))
        return found

    def lazy(self, name: str) -> Lazy:
        """A file mapped, to be compared when it is first used."""
        found: Lazy = self._again(name, sealed=False) or self._keep(name, *self._lazy(name))
        return found

    def trie(self, name: str) -> Any:
        """A trie compared, and mapped by the library."""
        return self._again(name) or self._keep(name, *self._trie(name))

    def _again(self, name: str, sealed: bool | None = None) -> Any:
        """What an earlier version opened, if this one's file is the same: in sealed memory by its bytes, else by its inode besides."""
        sha256, inode, found = self._before.get(name, ("", (0, 0), None))
        if sha256 != self._recorded[name]["sha256"]:
            return None
        if not (self._sealed if sealed is None else sealed):
            try:
                status = os.lstat(self._directory / name)
            except OSError:
                return None
            if (status.st_dev, status.st_ino) != inode or status.st_size != self._recorded[name]["size"]:
                return None
        self.opened[name] = self._before[name]
        return found

    def _keep(self, name: str, inode: tuple[int, int], found: Any) -> Any:
        self.opened[name] = (self._recorded[name]["sha256"], inode, found)
        return found

    def _view(self, name: str) -> tuple[tuple[int, int], memoryview]:
        descriptor, compared, inode = self._open(name)
        try:
            view = _mapped(descriptor, self._directory / name)
        finally:
            os.close(descriptor)
        if not compared:
            self._compare(view, name)
        return inode, view

    def _lazy(self, name: str) -> tuple[tuple[int, int], Lazy]:
        path = self._directory / name
        descriptor = _descriptor(path, self._recorded[name]["size"])
        try:
            return _inode(descriptor), Lazy(_mapped(descriptor, path), self._recorded[name]["sha256"], path)
        finally:
            os.close(descriptor)

    def _trie(self, name: str) -> tuple[tuple[int, int], Any]:
        path = self._directory / name
        descriptor, compared, inode = self._open(name)
        try:
            if not compared:
                self._compare(_mapped(descriptor, path), name)
            # The trie keeps a mapping of its own, of the very descriptor that was hashed: BinaryTrie.map() would borrow ours without holding it.
            trie = marisa_trie.BinaryTrie()
            trie.mmap(f"/proc/self/fd/{descriptor}")
        except RuntimeError as error:
            raise StoreError(
                f"{path} cannot be mapped as a trie ({error}): another release of marisa-trie wrote it, or /proc is missing; {REBUILD}"
            ) from None
        finally:
            os.close(descriptor)
        return inode, trie

    def _open(self, name: str) -> tuple[int, bool, tuple[int, int]]:
        """A descriptor to map, the caller's to close, whether its content was compared already, as it was copied, and the file's inode."""
        path, recorded = self._directory / name, self._recorded[name]
        descriptor = _descriptor(path, recorded["size"])
        inode = _inode(descriptor)
        if not self._sealed:
            return descriptor, False, inode
        try:
            return _sealed_copy(descriptor, recorded, path, self._rest), True, inode
        finally:
            os.close(descriptor)

    def _compare(self, view: memoryview, name: str) -> None:
        _compare(view, self._recorded[name]["sha256"], self._directory / name, self._rest)


def _descriptor(path: Path, size: int) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened ({error.strerror}); {REBUILD}") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size != size:
        os.close(descriptor)
        raise StoreError(f"{path} has {status.st_size} octets, and {size} were written; {REBUILD}")
    return descriptor


def _inode(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _mapped(descriptor: int, path: Path) -> memoryview:
    if not os.fstat(descriptor).st_size:
        return memoryview(b"")
    try:
        return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be mapped ({error}); {REBUILD}") from None


def _sealed_copy(descriptor: int, recorded: dict[str, Any], path: Path, rest: Rest | None) -> int:
    """The file's bytes in memory that cannot be changed, its size neither. Raises StoreError when they are not those that were written."""
    found = hashlib.sha256()
    left = int(recorded["size"])
    try:
        copy = os.memfd_create(f"redhand {path.name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:
        raise StoreError(f"{path} cannot be held in memory ({error.strerror}); free memory, or raise the limit of open files") from None
    try:
        while left and (piece := os.read(descriptor, min(left, _SMALL_CHUNK))):
            found.update(piece)
            left -= len(piece)
            while piece:
                piece = piece[os.write(copy, piece) :]
            if rest:
                rest()
        if left or found.hexdigest() != recorded["sha256"]:
            raise _altered(path, found.hexdigest(), recorded["sha256"])
        fcntl.fcntl(copy, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        # Opened again, for reading alone: before Linux 6.7 what is sealed cannot be mapped by a descriptor that could have written.
        return os.open(f"/proc/self/fd/{copy}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{path} cannot be copied into memory ({error.strerror}); see the system's own logs, or {REBUILD}") from None
    finally:
        os.close(copy)


def _altered(path: Path, found: str, recorded: str) -> StoreError:
    return StoreError(f"{path} is not what was written: its SHA-256 is {found}, and {recorded} is recorded; {REBUILD}")


def _compare(view: memoryview, digest: str, path: Path, rest: Rest | None = None) -> None:
    found = hashlib.sha256()
    chunk = _SMALL_CHUNK if rest else _CHUNK
    for start in range(0, len(view), chunk):
        found.update(view[start : start + chunk])
        if rest:
            rest()
    if found.hexdigest() != digest:
        raise _altered(path, found.hexdigest(), digest)
