"""Versions on disk, read: verified before they are believed, whole or not at all.

    versions/<serial>/   manifest.json · manifest.sha256 · entries · skipped · index.trie · index.values · index.rules
                         (delta.entries) · (delta.trie · delta.values)
    current              "<serial> <sha256 of its manifest.json>"
    pin                  the serial that builds keep to, if any

The files are opened and compared by `opened`. Who serves opens versions `sealed`: the index is then in memory that no fault of the disk reaches.
This module writes nothing. Nothing here repairs: a version that is not exactly what its manifest says is refused with StoreError, and an older one
takes its place.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from blocklists.errors import REBUILD, StoreError
from blocklists.index import Index, Part, Rule
from blocklists.opened import Files, Lazy, Opened, Rest
from blocklists.version import LAYERS, Line, identity, read_line

FORMAT = 2
"""Of the manifest and everything it names; another one is refused, never guessed at."""

MANIFEST, MANIFEST_SUM, ENTRIES, SKIPPED = "manifest.json", "manifest.sha256", "entries", "skipped"
TRIE, VALUES, RULES, DELTA_TRIE, DELTA_VALUES = "index.trie", "index.values", "index.rules", "delta.trie", "delta.values"
DELTA_ENTRIES = "delta.entries"
"""Lines that came after `entries` was written, as if they stood behind it; lines in either that no rule refers to any more are of no effect."""
ALWAYS = frozenset({ENTRIES, SKIPPED, TRIE, VALUES, RULES})
SOMETIMES = frozenset({DELTA_TRIE, DELTA_VALUES})

_MANIFEST_MOST = 16 << 20
_CURRENT = re.compile(rb"([1-9][0-9]{0,17}) ([0-9a-f]{64})\n")
_SERIAL = re.compile(r"[1-9][0-9]{0,17}")

log = logging.getLogger(__name__)


class Table(Sequence[bytes]):
    """The lines of a version by their rules' numbers, read where they stand."""

    def __init__(self, index: Index, entries: Lazy, added: Lazy | None) -> None:
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

    def __init__(self, serial: int, manifest: dict[str, Any], index: Index, table: Table, skipped: Lazy, directory: Path, opened: Opened) -> None:
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
    files = Files(directory, manifest["files"], rest, sealed, like.opened if like is not None else {})
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
