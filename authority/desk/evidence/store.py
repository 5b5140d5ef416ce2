"""Where sealed objects lie: a folder, or an S3-compatible store by fsspec. An object's name is the SHA-256 of its octets; none is ever changed.

What is written here is encrypted before it touches any disk. When `put` returns, the object is whole under its name: in a folder flushed to the
disk and then renamed, in another store as that store promises.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from fsspec.core import url_to_fs

from authority.desk.errors import DeskError, NotFound
from authority.desk.evidence.sealing import Tampered
from authority.desk.settings import EvidenceSettings
from blocklists.durable import explained

PIECE = 1 << 20
"""Octets asked of the store at a time."""
PART = 8 << 20
"""Octets of one part of an upload: S3 takes 10,000 parts, each of 5 MiB or more."""
STILL = "nothing was added"
_ADDRESS = re.compile(r"[0-9a-f]{64}")


class Unreachable(DeskError):
    """The store does not answer, or refuses."""

    status = 503


class Missing(NotFound):
    """The store has no object of that name."""


class Stored(NamedTuple):
    """What the store says of an object."""

    address: str
    size: int
    """Of the sealed octets."""
    changed_at: int
    """Unix seconds, by the store's clock."""


class Objects:
    """The store."""

    def __init__(self, settings: EvidenceSettings, base: Path, directory: Path) -> None:
        """`base`: where a relative folder starts; `directory`: the desk's own, for what is on its way. Raises DeskError."""
        self._folder = None if "://" in settings.store else (base / settings.store if settings.store else directory / "evidence").absolute()
        self._incoming = directory / "incoming" if self._folder is None else self._folder / "incoming"
        address = settings.store if self._folder is None else str(self._folder)
        options: dict[str, Any] = {}
        if self._folder is None:
            options = {"skip_instance_cache": True, "use_listings_cache": False} | ({"endpoint_url": settings.endpoint} if settings.endpoint else {})
        try:
            self._system, self._root = url_to_fs(address, **options)
        except ImportError as error:
            raise DeskError(f"desk.evidence.store {address} needs a package more ({error}); for s3:// run: pip install 'redhand[s3]'") from None
        except (ValueError, TypeError) as error:
            raise DeskError(f"desk.evidence.store {address} is no folder and no address of a store ({error}); look at the settings") from None
        self.place = address
        with explained(f"making {self._incoming}", STILL):
            self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def incoming(self, sealed: Iterable[bytes]) -> Iterator[tuple[str, Path]]:
        """Sealed octets in a file of their own on their way to the store, and their address. The file is gone at the end. Raises DiskError."""
        path = self._incoming / f"{secrets.token_hex(16)}.new"
        digest = hashlib.sha256()
        try:
            with explained(f"writing {path}", STILL):
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                for piece in sealed:
                    digest.update(piece)
                    with explained(f"writing {path}", STILL):
                        file.write(piece)
                with explained(f"writing {path}", STILL):
                    file.flush()
                    os.fsync(descriptor)
            yield digest.hexdigest(), path
        finally:
            path.unlink(missing_ok=True)

    def put(self, address: str, path: Path) -> None:
        """Takes the file of `incoming` in under its address. Raises DiskError, Unreachable."""
        size = path.stat().st_size
        target = self._path(address)
        if self._folder is not None:
            with explained(f"storing {target}", STILL):
                self._rename(path, Path(target))
        else:
            with self._asking("stores nothing", address), open(path, "rb") as source:
                self._send(source, target)
            if self.size(address) != size:
                raise Unreachable(f"{self.place} has not stored all of {address}; try again, and look at the store")

    def read(self, address: str) -> Iterator[bytes]:
        """The sealed octets in pieces. Raises Missing, Unreachable."""
        with self._asking("does not give out evidence", address):
            file = self._system.open(self._path(address), "rb", block_size=PIECE, cache_type="readahead")
        with file:
            while True:
                with self._asking("does not give out evidence", address):
                    piece = bytes(file.read(PIECE))
                if not piece:
                    return
                yield piece

    def size(self, address: str) -> int:
        """Octets of the sealed object. Raises Missing, Unreachable."""
        with self._asking("does not say what it has", address):
            return int(self._system.info(self._path(address))["size"])

    def remove(self, address: str) -> bool:
        """Takes an object out; whether there was one. Raises Unreachable."""
        try:
            with self._asking("removes nothing", address):
                self._system.info(self._path(address))
                self._system.rm_file(self._path(address))
        except Missing:
            return False
        return True

    def every(self) -> Iterator[Stored]:
        """All objects, in no order; one first folder of the 256 at a time. What is not named as an object is left out. Raises Unreachable."""
        for folder in self._listed(self._root):
            found = self._listed(folder["name"]) if re.fullmatch(r"[0-9a-f]{2}", folder["name"].rstrip("/").rpartition("/")[2]) else []
            for each in found:
                name = each["name"].rpartition("/")[2]
                if each["type"] == "file" and _ADDRESS.fullmatch(name):
                    yield Stored(name, int(each["size"]), _seconds(each))

    def abandoned(self, before: int) -> list[Path]:
        """Files on their way since before that time (unix seconds): whoever wrote them was ended."""
        return [path for path in sorted(self._incoming.glob("*.new")) if path.stat().st_mtime < before]

    def _path(self, address: str) -> str:
        if not _ADDRESS.fullmatch(address):  # it comes from the database, and becomes a path
            raise Tampered(f"{address[:80]!r} is no address of evidence; the database was changed: restore a backup of it")
        return f"{self._root}/{address[:2]}/{address}"

    def _listed(self, path: str) -> list[dict[str, Any]]:
        try:
            with self._asking("does not list what it has", "the list"):
                return list(self._system.ls(path, detail=True))
        except Missing:
            return []

    def _send(self, source: BinaryIO, target: str) -> None:
        """Part by part: a store's own way to take a file may hold many parts in memory at once."""
        file = self._system.open(target, "wb", block_size=PART)
        try:
            while piece := source.read(PIECE):
                file.write(piece)
        except BaseException:
            with suppress(Exception):
                file.discard()  # to close it would make half of it an object
            raise
        file.close()

    def _rename(self, path: Path, target: Path) -> None:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o400)
        path.rename(target)
        for directory in (target.parent, target.parent.parent):
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextmanager
    def _asking(self, what: str, address: str = "") -> Iterator[None]:
        """Turns whatever a store's client raises into ours; they share no class but Exception."""
        try:
            yield
        except DeskError:
            raise
        except FileNotFoundError:
            raise Missing(f"{self.place} has not {address}; look whether its folder or bucket is the right one, or restore a backup") from None
        except Exception as error:
            said = str(error)[:200] or type(error).__name__
            raise Unreachable(f"{self.place} {what} ({said}); look at desk.evidence, at the network, and whether it is full") from error


def _seconds(info: dict[str, Any]) -> int:
    found = info.get("mtime") or info.get("LastModified") or info.get("created") or 0
    return int(found.timestamp() if isinstance(found, datetime) else found)
