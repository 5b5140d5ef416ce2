"""The key file: what wraps each object's own key. It belongs on another disk than the database and the store; lost, no evidence is ever readable.

What is wrapped is bound to everything the database says of the object that never changes, so that a row whose case, label or address was exchanged
is noticed. The first key of the file wraps; others are still there while a change of the key is under way.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from authority.desk.errors import DeskError
from authority.desk.evidence.sealing import KEY, Tampered
from authority.places import read
from blocklists.durable import explained, sync_directory
from blocklists.trust import strict

STILL = "no evidence was changed"
ID = 8
"""Octets that name a key: the first of its SHA-256."""
NONCE = 12
BEGINNING = (
    "# Red Hand: wraps the keys of evidence. Without this file no evidence is readable again; with it, the database and the store, all of it is.\n"
    "# Keep a copy where neither of these is kept.\n"
)
_LINE = re.compile(r"key ([A-Za-z0-9+/]{43}=)")


class Secret(NamedTuple):
    """What is wrapped of one object."""

    key: bytes
    salt: bytes
    """Of its commitment."""
    digest: bytes
    """SHA-256 of the text."""


class Keys:
    """The file, read anew each time: a change of the key in another process holds here at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def wrap(self, secret: Secret, bound: dict[str, Any]) -> bytes:
        """The secret under the first key; `bound` is what it belongs to. Raises DeskError when there is no key file."""
        return _wrap(self._read()[0], secret, bound)

    def unwrap(self, wrapped: bytes, bound: dict[str, Any]) -> Secret:
        """The secret. Raises Tampered when it belongs to something else, DeskError when its key is not in the file."""
        name, nonce, sealed = wrapped[:ID], wrapped[ID : ID + NONCE], wrapped[ID + NONCE :]
        key = next((each for each in self._read() if _name(each) == name), None)
        if key is None:
            raise DeskError(
                f"{self.path} has not the key {name.hex()} that wraps this evidence's; put the right key file back (desk.evidence.key_file)"
            )
        try:
            opened = AESGCM(key).decrypt(nonce, sealed, strict.write(bound, "the evidence"))
        except (InvalidTag, ValueError):
            raise Tampered("what the database says of this evidence is not what was stored with it; restore a backup of the database") from None
        return Secret(opened[:KEY], opened[KEY : 2 * KEY], opened[2 * KEY :])

    def current(self) -> bytes:
        """The name of the key that wraps."""
        return _name(self._read()[0])

    def count(self) -> int:
        """How many there are: one, or more while a change is under way."""
        return len(self._read())

    def make(self) -> None:
        """Makes the file with its first key, which only its owner may read; does nothing when there is one. Raises DiskError."""
        with explained(f"writing {self.path}", STILL), self._written([secrets.token_bytes(KEY)]) as new:
            with suppress(FileExistsError):
                os.link(new, self.path)  # unlike a rename, never over one that is there
            sync_directory(self.path.parent)

    def begin_change(self) -> None:
        """Puts a new key before the others."""
        self._replace([secrets.token_bytes(KEY), *self._read()])

    def end_change(self) -> None:
        """Leaves the first key only."""
        self._replace(self._read()[:1])

    def _replace(self, several: list[bytes]) -> None:
        with explained(f"writing {self.path}", STILL), self._written(several) as new:
            new.rename(self.path)
            sync_directory(self.path.parent)

    @contextmanager
    def _written(self, several: list[bytes]) -> Iterator[Path]:
        """A file beside, whole and on the disk, which only its owner may read; gone at the end unless it was renamed."""
        new = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}.new")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(_text(several))
                file.flush()
                os.fsync(descriptor)
            yield new
        finally:
            new.unlink(missing_ok=True)

    def _read(self) -> list[bytes]:
        if not self.path.exists():
            raise DeskError(f"the key file {self.path} is missing; put it back from its copy: without it no evidence is readable")
        mode = self.path.stat().st_mode
        if mode & 0o007:
            raise DeskError(f"every user of this machine may read {self.path}; take it from them: chmod 600 {self.path}")
        lines = read(self.path, "the key file").decode("ascii", "replace").splitlines()
        found = [_LINE.fullmatch(line) for line in lines if line and not line.startswith("#")]
        if not found or None in found:
            raise DeskError(f"{self.path} is no key file of evidence; put the right one back (desk.evidence.key_file)")
        try:
            return [base64.b64decode(each[1], validate=True) for each in found if each]
        except binascii.Error:
            raise DeskError(f"{self.path} is a damaged key file; put it back from its copy") from None


def _text(several: list[bytes]) -> bytes:
    return (BEGINNING + "".join(f"key {base64.b64encode(each).decode()}\n" for each in several)).encode()


def _name(key: bytes) -> bytes:
    return hashlib.sha256(b"redhand evidence key\n" + key).digest()[:ID]


def _wrap(key: bytes, secret: Secret, bound: dict[str, Any]) -> bytes:
    nonce = secrets.token_bytes(NONCE)
    return _name(key) + nonce + AESGCM(key).encrypt(nonce, b"".join(secret), strict.write(bound, "the evidence"))
