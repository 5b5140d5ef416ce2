"""Writes versions: in a directory of their own, flushed, renamed into place, read back, and only then named in `current`.

Killed at any instant, it leaves `current` naming a whole version; `clean` removes what it left. Only the holder of the builder's lock comes here.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from blocklists import durable, readers, store
from blocklists.errors import Busy, StoreError

_LOOK_SECONDS = 0.05
_COPIED = 1 << 20


@contextmanager
def locked(state_dir: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """The one builder of a state directory. Raises Busy when another process is it for longer than `wait_seconds`."""
    path = state_dir / "builder.lock"
    with durable.explained(f"preparing {state_dir}"):
        store.versions_dir(state_dir).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise Busy(f"{path} is held: another build is running in {state_dir}; wait for it, or stop it")
            time.sleep(_LOOK_SECONDS)
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


def write(
    state_dir: Path, serial: int, files: Mapping[str, Iterable[bytes]], manifest: dict[str, Any], *, links: Mapping[str, dict[str, Any]], linked: int
) -> store.Version:
    """The version, on disk and in force. `links`: files that are those of version `linked`, with their hash and size.

    Raises StoreError, and leaves what was in force before.
    """
    versions = store.versions_dir(state_dir)
    temporary, final = versions / f".new-{serial}", versions / str(serial)
    try:
        with durable.explained(f"writing version {serial}"):
            temporary.mkdir()
            found = {name: dict(facts) for name, facts in links.items()}
            for name in links:
                _link(versions / str(linked) / name, temporary / name)
            for name, chunks in files.items():
                digest, size = durable.write_new(temporary / name, chunks)
                found[name] = {"sha256": digest, "size": size}
            content = json.dumps({**manifest, "format": store.FORMAT, "serial": serial, "files": found}, indent=1, sort_keys=True).encode() + b"\n"
            digest = hashlib.sha256(content).hexdigest()
            durable.write_new(temporary / store.MANIFEST, (content,))
            durable.write_new(temporary / store.MANIFEST_SUM, (f"{digest}  {store.MANIFEST}\n".encode(),))
            durable.sync_directory(temporary)
            temporary.rename(final)
            durable.sync_directory(versions)
        # Read back before anyone is sent there: what cannot be opened now could not be opened by a reader.
        version = store.open_version(state_dir, serial, digest)
        version.verify()
        with durable.explained(f"putting version {serial} in force"):
            durable.replace(state_dir / "current", f"{serial} {digest}\n".encode())
    except StoreError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not _in_force(state_dir, serial):
            shutil.rmtree(final, ignore_errors=True)
        raise
    return version


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
    """Removes what a killed builder left: half-written files, and versions later than `current`, which never came in force. Raises StoreError."""
    with durable.explained(f"cleaning {state_dir}"):
        versions = store.versions_dir(state_dir)
        for path in versions.iterdir():
            if path.name.startswith((".new-", ".gone-")):
                shutil.rmtree(path)
        for path in state_dir.iterdir():
            if path.name.startswith((".current.", ".pin.")) and path.name.endswith(".new"):
                path.unlink()
        if current is not None:
            for serial in store.serials(state_dir):
                if serial > current:
                    _remove(versions, serial)


def prune(state_dir: Path, current: int, keep: int, pinned: int | None) -> None:
    """Keeps the current version, the pinned one, those that living readers have in force, and `keep` others. Raises StoreError.

    Of these, what says the same as a later one goes first, then the oldest: a source that fails now and then makes a version each time, and must not
    push out every one that an operator could go back to.
    """
    held = {current, *readers.live(state_dir).values()}
    if pinned is not None:
        held.add(pinned)
    others = [serial for serial in store.serials(state_dir) if serial not in held]
    surplus = len(others) - keep
    if surplus <= 0:
        return
    repeated = _repeated(state_dir, others, current)
    goes = [*repeated, *(serial for serial in others if serial not in repeated)][:surplus]
    with durable.explained(f"removing old versions in {state_dir}"):
        for serial in goes:
            _remove(store.versions_dir(state_dir), serial)


def _repeated(state_dir: Path, serials: list[int], current: int) -> list[int]:
    """Those of the serials, oldest first, whose entries are those of a later one or of the current; damaged ones too, which help nobody."""
    seen: set[str] = set()
    found = []
    for serial in (current, *reversed(serials)):
        try:
            identity = store.read_manifest(state_dir, serial)["identity"]
        except StoreError:
            identity = ""
        if serial != current and (not identity or identity in seen):
            found.append(serial)
        seen.add(identity)
    return found[::-1]


def _remove(versions: Path, serial: int) -> None:
    # Renamed first: a removal that is cut short must not leave something that looks like a version.
    gone = versions / f".gone-{serial}"
    (versions / str(serial)).rename(gone)
    shutil.rmtree(gone)


def pin(state_dir: Path, content: bytes | None) -> None:
    """Writes the pin, or removes it. Raises StoreError."""
    with durable.explained(f"writing {state_dir / 'pin'}"):
        if content is None:
            (state_dir / "pin").unlink(missing_ok=True)
            durable.sync_directory(state_dir)
        else:
            durable.replace(state_dir / "pin", content)
