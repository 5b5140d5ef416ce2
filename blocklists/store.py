"""Versions on disk, read: verified before they are believed, whole or not at all.

    versions/<serial>/   manifest.json · manifest.sha256 · entries · skipped · index.trie · index.values · index.rules
                         (delta.entries) · (delta.trie · delta.values)
    current              "<serial> <sha256 of its manifest.json>"
    pin                  the serial that builds keep to, if any

A file is opened once; the opened descriptor is hashed and that same descriptor mapped, so that nothing which happens to the name afterwards matters.
What happens to the file itself would: a mapped page whose file was cut short is a SIGBUS, one on a disk that hangs is a wait in the middle of an
answer. Whoever serves therefore opens versions `sealed`: the index is copied into memory that nobody, ourselves included, can change any more
(memfd_create(2), F_ADD_SEALS), hashed on the way, and from then on no disk is asked.
This module writes nothing. Nothing here repairs: a version that is not exactly what its
manifest says is refused with StoreError, and an older one takes its place.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import mmap
import os
import re
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import marisa_trie

from blocklists.errors import StoreError
from blocklists.index import Index, Part, Rule
from blocklists.version import LAYERS, Line, identity, read_line

FORMAT = 2
"""Of the manifest and everything it names; another one is refused, never guessed at."""

MANIFEST, MANIFEST_SUM, ENTRIES, SKIPPED = "manifest.json", "manifest.sha256", "entries", "skipped"
TRIE, VALUES, RULES, DELTA_TRIE, DELTA_VALUES = "index.trie", "index.values", "index.rules", "delta.trie", "delta.values"
DELTA_ENTRIES = "delta.entries"
"""Lines that came after `entries` was written, as if they stood behind it; lines in either that no rule refers to any more are of no effect."""
ALWAYS = frozenset({ENTRIES, SKIPPED, TRIE, VALUES, RULES})
SOMETIMES = frozenset({DELTA_TRIE, DELTA_VALUES})

REBUILD = "run: redhand blocklist build"

_CHUNK = 1 << 20
_SMALL_CHUNK = 1 << 16
"""Octets hashed at a time, at once or beside a serving loop: the hash runs without the interpreter's lock, and rests between small chunks."""

_MANIFEST_MOST = 16 << 20
_CURRENT = re.compile(rb"([1-9][0-9]{0,17}) ([0-9a-f]{64})\n")
_SERIAL = re.compile(r"[1-9][0-9]{0,17}")

log = logging.getLogger(__name__)

Rest = Callable[[], None]


class _Lazy:
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
                _compare(self._mapped, self._digest, self._path)
                self._verified = True
        return self._mapped


class Table(Sequence[bytes]):
    """The lines of a version by their rules' numbers, read where they stand."""

    def __init__(self, index: Index, entries: _Lazy, added: _Lazy | None) -> None:
        self._index = index
        self._files = entries, added
        self._whole: tuple[Any, Any, int] | None = None

    def __len__(self) -> int:
        return int(self._index.rules)

    def __getitem__(self, number: Any) -> Any:
        whole, added, end = self._whole or self._read()
        start, length = self._index.line_span(number)
        if start < end:
            return whole[start : start + length]
        return added[start - end : start - end + length]

    def octets(self, start: int, length: int) -> bytes:
        """Some octets by their place in the entries."""
        whole, added, end = self._whole or self._read()
        found: bytes = whole[start : start + length] if start < end else added[start - end : start - end + length]
        return found

    def added(self) -> bytes:
        """What stands in `delta.entries`."""
        return bytes((self._whole or self._read())[1])

    def verify(self) -> None:
        """Checks now what is otherwise checked at first use. Raises StoreError."""
        self._read()

    def size(self) -> int:
        """Octets of both files."""
        _, added, end = self._whole or self._read()
        return end + len(added)

    def _read(self) -> tuple[Any, Any, int]:
        entries, added = self._files
        view = entries.view()
        # A mapping gives bytes at once when it is sliced; a view of it would need a copy besides.
        self._whole = view.obj, added.view().obj if added else b"", len(view)
        return self._whole


class Version:
    """One opened version; its index is verified, its entries are verified before they are first read."""

    def __init__(self, serial: int, manifest: dict[str, Any], index: Index, table: Table, skipped: _Lazy, directory: Path, opened: _Opened) -> None:
        self.serial = serial
        self.identity: str = manifest["identity"]
        self.manifest = manifest
        self.index = index
        self.table = table
        self.directory = directory
        self.opened = opened
        """Its files as they were opened, for a later version that has the same ones."""
        self.notice = ""
        """Why this version stands in for a newer one; empty when it does not."""
        self._skipped = skipped

    def basis(self, rule: Rule) -> dict[str, Any]:
        """The directive behind a rule of this version, without its targets, or its list's description; with `layer` and `source`."""
        return self.document(rule.number)

    def document(self, number: int) -> dict[str, Any]:
        """As `basis`, by the rule's number."""
        found = json.loads(self.table.octets(*self.index.basis_span(number)))
        return {"layer": found["layer"], **found["document"]}

    def lines(self) -> Iterator[bytes]:
        """The entries' lines, each with its newline, in the order of their rule numbers."""
        for number in range(self.index.rules):
            yield self.table[number]

    def layer(self, layer: str) -> list[Line]:
        """The lines of one layer, which stay on disk until they are asked for."""
        first = 0
        for name in LAYERS[: LAYERS.index(layer)]:
            first += self.manifest["layers"][name]["rules"]
        return [self.index.line(number, layer, self.table) for number in range(first, first + self.manifest["layers"][layer]["rules"])]

    def skipped(self) -> list[dict[str, Any]]:
        """What was skipped when it was built: source, where, line, value and reason of each."""
        return [json.loads(line) for line in _lines(self._skipped.view())]

    def verify(self) -> None:
        """Checks now what is otherwise checked at first use. Raises StoreError."""
        self.table.verify()
        self._skipped.view()


def _lines(view: memoryview) -> Iterator[bytes]:
    start = 0
    whole = cast("mmap.mmap | bytes", view.obj)
    while start < len(view):
        end = whole.find(b"\n", start) + 1 or len(view)
        yield bytes(view[start:end])
        start = end


def versions_dir(state_dir: Path) -> Path:
    """Where versions stand."""
    return state_dir / "versions"


def serials(state_dir: Path) -> list[int]:
    """The serials on disk, sound or not, oldest first."""
    try:
        found = [int(name) for name in os.listdir(versions_dir(state_dir)) if _SERIAL.fullmatch(name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"{versions_dir(state_dir)} cannot be read ({error.strerror}); mend its owner or mode") from None
    return sorted(found)


def has_list(state_dir: Path) -> bool:
    """Whether a version is there that could be served until a new one is built: not one of another format. Only manifests are looked at."""
    try:
        found = serials(state_dir)
    except StoreError:
        return False
    for serial in reversed(found):
        with suppress(StoreError):
            read_manifest(state_dir, serial)
            return True
    return False


def require(state_dir: Path, serial: int) -> None:
    """Raises StoreError, naming those that are, when there is no version of that number on disk."""
    kept = serials(state_dir)
    if serial not in kept:
        raise StoreError(f"version {serial} is not on disk; those that are: {', '.join(map(str, kept)) or 'none'}")


def read_current(state_dir: Path) -> tuple[int, str]:
    """The serial in force and the SHA-256 (hex) of its manifest. Raises StoreError."""
    path = state_dir / "current"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise StoreError(
            f"{path} is missing: no version was ever put in force there, or it was deleted; {REBUILD}, or name the settings in use with --config"
        ) from None
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); mend its owner or mode") from None
    match = _CURRENT.fullmatch(content)
    if match is None:
        raise StoreError(f"{path} holds {content[:80]!r}, not a serial and a hash; {REBUILD}")
    return int(match[1]), match[2].decode()


def open_version(
    state_dir: Path, serial: int, digest: str | None = None, rest: Rest | None = None, sealed: bool = False, like: Version | None = None
) -> Version:
    """One version, verified; `digest` is its manifest's SHA-256 (hex) if the caller knows it. Raises StoreError naming the file and the remedy.

    `rest`: called after each 64 KiB read, to sleep, so that a loop which serves on the same core is not held up. `sealed`: the index in memory of
    its own, about 8 octets a name, which no fault of the disk reaches; entries stay in their file. `like`: a version opened in the same way, whose
    files are used again, neither read nor compared, where both have the same ones.
    """
    return open_files(versions_dir(state_dir) / str(serial), serial, read_manifest(state_dir, serial, digest), rest, sealed, like)


def open_files(
    directory: Path, serial: int, manifest: dict[str, Any], rest: Rest | None = None, sealed: bool = False, like: Version | None = None
) -> Version:
    """As `open_version`, for a directory whose manifest the caller vouches for."""
    files = _Files(directory, manifest["files"], rest, sealed, like.opened if like is not None else {})
    base = Part(files.trie(TRIE), files.view(VALUES))
    delta = Part(files.trie(DELTA_TRIE), files.view(DELTA_VALUES)) if DELTA_TRIE in manifest["files"] else None
    index = Index(base, files.view(RULES), delta)
    layers = manifest["layers"].values()
    if index.rules != sum(layer["rules"] for layer in layers):
        raise StoreError(f"{directory / RULES} holds {index.rules} rules, and its layers another number; {REBUILD}")
    table = Table(index, files.lazy(ENTRIES), files.lazy(DELTA_ENTRIES) if DELTA_ENTRIES in manifest["files"] else None)
    return Version(serial, manifest, index, table, files.lazy(SKIPPED), directory, files.opened)


def open_current(state_dir: Path, thorough: bool = False, rest: Rest | None = None, sealed: bool = False, like: Version | None = None) -> Version:
    """The version in force, or the newest sound one not later than it, with a `notice` that says so. Raises StoreError when there is none.

    `thorough`: only if its entries, too, are sound. `rest`, `sealed` and `like` as for `open_version`.
    """
    serial: int | None = None
    try:
        serial, digest = read_current(state_dir)
        try:
            version = open_version(state_dir, serial, digest, rest, sealed, like)
        except StoreError:
            # It may have been replaced, and then pruned, between the two looks.
            serial, digest = read_current(state_dir)
            version = open_version(state_dir, serial, digest, rest, sealed, like)
        if thorough:
            version.verify()
        return version
    except StoreError as error:
        first = error
    # The named one first, in case only `current` is damaged; then older ones, newest first; a newer one only because nothing else is sound.
    for other in sorted(serials(state_dir), key=lambda other: (serial is not None and other > serial, -other)):
        try:
            version = open_version(state_dir, other, rest=rest, sealed=sealed)
            version.verify()
        except StoreError as error:
            log.warning("version %d cannot stand in: %s", other, error)
            continue
        version.notice = f"version {other} stands in, because the current one cannot be had: {first}"
        log.warning("%s", version.notice)
        return version
    raise StoreError(f"{first}; no other version is sound" if serials(state_dir) else str(first))


def read_manifest(state_dir: Path, serial: int, digest: str | None = None) -> dict[str, Any]:
    """A version's manifest, verified, without looking at what it names. Raises StoreError."""
    path = versions_dir(state_dir) / str(serial) / MANIFEST
    content = _read_small(path)
    actual = hashlib.sha256(content).hexdigest()
    recorded = _read_small(path.with_name(MANIFEST_SUM))
    if recorded != f"{actual}  {MANIFEST}\n".encode() or digest not in (None, actual):
        raise StoreError(f"{path} is not the one that was written (its SHA-256 is {actual}); {REBUILD}")
    try:
        manifest: dict[str, Any] = json.loads(content)
        _check_manifest(manifest, serial, path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is no manifest that was ever written ({error!r}); {REBUILD}") from None
    return manifest


def _check_manifest(manifest: dict[str, Any], serial: int, path: Path) -> None:
    if manifest["format"] != FORMAT:
        raise StoreError(f"{path} has format {manifest['format']!r}, and this release reads {FORMAT}; {REBUILD}")
    if manifest["serial"] != serial:
        raise StoreError(f"{path} is that of version {manifest['serial']!r}, moved here; {REBUILD}")
    names = set(manifest["files"])
    if not names >= ALWAYS or names - ALWAYS - {DELTA_ENTRIES} not in (set(), SOMETIMES):
        raise StoreError(f"{path} names the files {', '.join(sorted(names))}, which are not a version's; {REBUILD}")
    if manifest["identity"] != identity({layer: found["sha256"] for layer, found in manifest["layers"].items()}):
        raise StoreError(f"{path} has an identity that is not its layers'; {REBUILD}")


def _read_small(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MANIFEST_MOST + 1)
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); {REBUILD}") from None
    if len(content) > _MANIFEST_MOST:
        raise StoreError(f"{path} is larger than {_MANIFEST_MOST} octets, as none is written; {REBUILD}")
    return content


_Opened = dict[str, tuple[str, tuple[int, int], Any]]
"""By name: the SHA-256 of a file, its device and inode, and what it was opened as."""


class _Files:
    """The files of one version, each opened once and compared with its record before it is believed."""

    def __init__(self, directory: Path, recorded: dict[str, dict[str, Any]], rest: Rest | None, sealed: bool, before: _Opened) -> None:
        self.opened: _Opened = {}
        self._directory = directory
        self._recorded = recorded
        self._rest = rest
        self._sealed = sealed
        self._before = before

    def view(self, name: str) -> memoryview:
        """A file mapped and compared."""
        found: memoryview = self._again(name) or self._keep(name, *self._view(name))
        return found

    def lazy(self, name: str) -> _Lazy:
        """A file mapped, to be compared when it is first used."""
        found: _Lazy = self._again(name, sealed=False) or self._keep(name, *self._lazy(name))
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

    def _lazy(self, name: str) -> tuple[tuple[int, int], _Lazy]:
        path = self._directory / name
        descriptor = _descriptor(path, self._recorded[name]["size"])
        try:
            return _inode(descriptor), _Lazy(_mapped(descriptor, path), self._recorded[name]["sha256"], path)
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


class Follower:
    """Watches `current` for one serving process: a cheap look as often as one likes, and a load when it says so.

    Both ask the disk, and a disk may hang: to be called in a thread beside whatever serves.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._path = state_dir / "current"
        self._loaded: tuple[int, ...] | str = "nothing yet"
        self._version: Version | None = None

    def changed(self) -> bool:
        """Whether `current` is another one than at the last successful load; one stat. True until a first load succeeds."""
        return self._look() != self._loaded

    def load(self, rest: Rest | None = None) -> Version:
        """The version in force now, as `open_current`. Raises StoreError; then `changed` stays true, and the caller paces its next try."""
        seen = self._look()
        version = open_current(self.state_dir, rest=rest, sealed=True, like=self._version)
        self._loaded = seen
        self._version = version
        return version

    def _look(self) -> tuple[int, ...]:
        try:
            status = os.stat(self._path)
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_ino, status.st_size


def read_pin(state_dir: Path) -> dict[str, Any] | None:
    """What `pin` says: serial, reason and time of the rollback; None when nothing is pinned. Raises StoreError when it is unreadable."""
    path = state_dir / "pin"
    try:
        found = json.loads(path.read_bytes())
        return {"serial": int(found["serial"]), "reason": str(found["reason"]), "at": int(found["at"])}
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); mend its owner or mode") from None
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({error}); run: redhand blocklist unpin, then roll back again if need be") from None


def entries_of(version: Version) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Each basis of a version with its marked names, in order."""
    for encoded in version.lines():
        yield read_line(encoded)
