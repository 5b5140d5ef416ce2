"""The online keys, for roles that sign without a person. Their owner alone may read them; not encrypted, for the server starts unattended."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from authority.errors import AuthorityError
from authority.keys import KeyInMemory, generate, read_private, write_private
from blocklists.durable import explained

ROLES = ("snapshot", "timestamp", "checkpoint", "log")


def path_of(directory: Path, role: str, keyid: str) -> Path:
    """Where a role's key lies; several may while one takes over from another."""
    return directory / f"{role}-{keyid[:16]}.pem"


def make(directory: Path, role: str) -> KeyInMemory:
    """A new key for a role, on the disk when this returns. Raises DiskError."""
    key = generate()
    write_private(path_of(directory, role, key.key.keyid), key, None)
    return key


def load(directory: Path, role: str, keyid: str) -> KeyInMemory:
    """A role's key. Raises AuthorityError when it is not here, or is another."""
    path = path_of(directory, role, keyid)
    if not path.exists():
        raise AuthorityError(f"the {role} key {keyid[:16]}… is not in {directory}; put it back, or: redhand authority rotate DIR {role}")
    if path.stat().st_mode & 0o077:
        raise AuthorityError(f"{path} can be read by others than its owner; find out who has, and: chmod 600 {path}")
    found = read_private(path, None)
    if found.key.keyid != keyid:
        raise AuthorityError(f"{path} holds another key than the {role} role has; put it back from the backup")
    return found


def forget(directory: Path, role: str, keyids: Iterable[str]) -> None:
    """Removes keys that have been replaced."""
    with explained("removing a replaced key", "it counts for nothing any more"):
        for keyid in keyids:
            path_of(directory, role, keyid).unlink(missing_ok=True)
