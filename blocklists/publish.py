"""Writes versions: in a directory of their own, flushed, read back, renamed into place, and only then named in `current`.

Killed at any instant, it leaves `current` naming a whole version; `clean` removes what it left. Two locks, files of the state directory:

    builder.lock   one process reads sources, goes back or releases a pin at a time; held for seconds
    publish.lock   whatever changes `current`, `pin` or the set of versions; held for milliseconds, by anybody

All that takes time happens to a `Draft`, under neither. A draft is put in force only if what it was made from is still current.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from blocklists import durable, readers, store
from blocklists.errors import Busy, StoreError

_LOOK_SECONDS = 0.05
_PUBLISH_LOOK_SECONDS = 0.001
_PUBLISH_WAIT_SECONDS = 30.0
"""After which who holds the lock for publishing is taken to hang: it is meant to be held for milliseconds."""
_COPIED = 1 << 20


@contextmanager
def locked(state_dir: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """The one builder of a state directory. Raises Busy when another process is it for longer than `wait_seconds`."""
    busy = f"another build is running in {state_dir}; wait for it, or stop it"
    with _holding(state_dir, "builder.lock", wait_seconds, _LOOK_SECONDS, busy):
        yield


@contextmanager
def compacting(state_dir: Path) -> Iterator[None]:
    """The one compaction of a state directory, beside which anything else may run. Raises Busy at once when another process is it."""
    with _holding(state_dir, "compaction.lock", 0.0, _LOOK_SECONDS, "another compaction is running; wait for it, or stop it"):
        yield


@contextmanager
def publishing(state_dir: Path) -> Iterator[None]:
    """The right to change what is in force. Raises Busy when another process has it for half a minute."""
    with _holding(state_dir, "publish.lock", _PUBLISH_WAIT_SECONDS, _PUBLISH_LOOK_SECONDS, "whoever has it hangs; look at the disk, or stop it"):
        yield


@contextmanager
def _holding(state_dir: Path, name: str, wait_seconds: float, look_seconds: float, busy: str) -> Iterator[None]:
    path = state_dir / name
    with durable.explained(f"preparing {state_dir}"):
        store.versions_dir(state_dir).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise Busy(f"{path} is held: {busy}")
            time.sleep(look_seconds)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def next_serial(state_dir: Path) -> int:
    """One more than any serial seen, so that none is used for two contents."""
    seen = store.serials(state_dir)
    with suppress(StoreError):
        seen.append(store.read_current(state_dir)[0])
    return max(seen, default=0) + 1


class Draft:
    """A version being written. Its directory is locked while its process lives, so that nobody takes it for a dead one's. To be closed.

    Its methods raise DiskError.
    """

    def __init__(self, state_dir: Path, held: bool = False) -> None:
        """`held`: whether the caller holds the lock for publishing."""
        self.files: dict[str, dict[str, Any]] = {}
        self.directory = store.versions_dir(state_dir) / f".new-{os.getpid()}-{secrets.token_hex(4)}"
        if held:
            self._descriptor = self._make()
        else:
            with publishing(state_dir):  # or it could be removed between being made and being locked
                self._descriptor = self._make()

    def _make(self) -> int:
        with durable.explained("preparing a version"):
            self.directory.mkdir()
            descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """A file of the version."""
        with durable.explained("writing a version"):
            digest, size = durable.write_new(self.directory / name, chunks)
        self.files[name] = {"sha256": digest, "size": size}

    def link(self, name: str, version: store.Version) -> None:
        """A file that is another version's."""
        with durable.explained("writing a version"):
            _link(version.directory / name, self.directory / name)
        self.files[name] = dict(version.manifest["files"][name])

    def open(self, manifest: dict[str, Any], like: store.Version | None) -> store.Version:
        """The version this is to be, read back: what cannot be opened now could not be opened by a reader. Raises StoreError."""
        version = store.open_files(self.directory, 0, {**manifest, "files": self.files}, like=like)
        version.verify()
        return version

    def put_in_force(self, state_dir: Path, version: store.Version, sound: int | None) -> bytes:
        """Names it in `current`, and returns what stands there. By who holds the lock for publishing. `sound`: the serial in force, if that is sound.

        Raises StoreError, and leaves what was in force before.
        """
        clean(state_dir, sound)
        serial = next_serial(state_dir)
        final = store.versions_dir(state_dir) / str(serial)
        try:
            with durable.explained(f"writing version {serial}"):
                manifest = {**version.manifest, "format": store.FORMAT, "serial": serial, "files": self.files}
                manifest["index"] = {**manifest["index"], "base": manifest["index"]["base"] or serial}
                content = json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n"
                digest = hashlib.sha256(content).hexdigest()
                durable.write_new(self.directory / store.MANIFEST, (content,))
                durable.write_new(self.directory / store.MANIFEST_SUM, (f"{digest}  {store.MANIFEST}\n".encode(),))
                durable.sync_directory(self.directory)
                self.directory.rename(final)
                durable.sync_directory(final.parent)
            version.serial, version.manifest, version.directory = serial, store.read_manifest(state_dir, serial, digest), final
            named = f"{serial} {digest}\n".encode()
            with durable.explained(f"putting version {serial} in force"):
                durable.replace(state_dir / "current", named)
            return named
        except StoreError:
            if not _in_force(state_dir, serial):
                shutil.rmtree(final, ignore_errors=True)
            raise

    def close(self) -> None:
        """Gives it up, unless it came in force."""
        shutil.rmtree(self.directory, ignore_errors=True)
        os.close(self._descriptor)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Not every file system has hard links, and none has endless ones. Whether the copy is true is seen when the version is read back.
        with source.open("rb") as file:
            durable.write_new(target, iter(lambda: file.read(_COPIED), b""))


def _in_force(state_dir: Path, serial: int) -> bool:
    try:
        return store.read_current(state_dir)[0] == serial
    except StoreError:
        return False


def clean(state_dir: Path, current: int | None) -> None:
    """Removes what a killed process left: half-written files, and versions later than `current`, which never came in force.

    By who holds the lock for publishing: a version later than `current` is otherwise one that comes in force just now. Raises StoreError.
    """
    with durable.explained(f"cleaning {state_dir}"):
        versions = store.versions_dir(state_dir)
        for path in versions.iterdir():
            if path.name.startswith(".gone-") or (path.name.startswith(".new-") and _abandoned(path)):
                shutil.rmtree(path)
        for path in state_dir.iterdir():
            if path.name.startswith((".current.", ".pin.")) and path.name.endswith(".new"):
                path.unlink()
        if current is not None:
            for serial in store.serials(state_dir):
                if serial > current:
                    _remove(versions, serial)


def _abandoned(path: Path) -> bool:
    """Whether nobody alive writes this draft."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False  # given up just now
    try:
        return _try_lock(descriptor)
    finally:
        os.close(descriptor)


def prune(state_dir: Path, current: int, keep: int, pinned: Iterable[int]) -> None:
    """Keeps the current version, pinned ones, those that living readers have in force, `keep` others, and the last of each of `keep` earlier days.

    Of the others, what says the same as a later one goes first, then the oldest: a source that fails now and then makes a version each time, and must
    not push out every one that an operator could go back to. Nor must orders, each of which makes one: therefore the days, which are those (UTC) on
    which anything came in force. By who holds the lock for publishing. Raises StoreError.
    """
    held = {current, *readers.live(state_dir).values(), *pinned}
    others = [serial for serial in store.serials(state_dir) if serial not in held]
    if len(others) <= keep:
        return
    known = {serial: _known(state_dir, serial) for serial in (*others, current)}
    lasts = {day: serial for serial, (identity, day) in known.items() if identity and day < known[current][1]}
    stays = {lasts[day] for day in sorted(lasts)[-keep:]}
    repeated = _repeated(known)
    goes = [serial for serial in (*repeated, *(serial for serial in others if serial not in repeated)) if serial not in stays]
    with durable.explained(f"removing old versions in {state_dir}"):
        for serial in goes[: max(0, len(goes) - keep)]:
            _remove(store.versions_dir(state_dir), serial)


def _known(state_dir: Path, serial: int) -> tuple[str, int]:
    """A version's identity, and the day since 1970 on which it came in force; an empty one of a damaged version."""
    try:
        manifest = store.read_manifest(state_dir, serial)
    except StoreError:
        return "", 0
    return manifest["identity"], manifest["machine"]["built_at"] // 86_400


def _repeated(known: Mapping[int, tuple[str, int]]) -> list[int]:
    """Those of these versions, oldest first, whose entries are those of a later one; damaged ones too, which help nobody. The last is the current."""
    current, *others = sorted(known, reverse=True)
    seen = {known[current][0]}
    found = []
    for serial in others:
        identity = known[serial][0]
        if not identity or identity in seen:
            found.append(serial)
        seen.add(identity)
    return found[::-1]


def _remove(versions: Path, serial: int) -> None:
    # Renamed first: a removal that is cut short must not leave something that looks like a version.
    gone = versions / f".gone-{serial}"
    (versions / str(serial)).rename(gone)
    shutil.rmtree(gone)


def pin(state_dir: Path, content: bytes | None, serial: int | None = None) -> None:
    """Writes the pin, or removes it. `serial`: a version that must be there when it is written. Raises StoreError."""
    with publishing(state_dir), durable.explained(f"writing {state_dir / 'pin'}"):
        if serial is not None:
            store.require(state_dir, serial)
        if content is None:
            (state_dir / "pin").unlink(missing_ok=True)
            durable.sync_directory(state_dir)
        else:
            durable.replace(state_dir / "pin", content)
