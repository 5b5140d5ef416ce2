"""Operators' bearer tokens (RFC 6750): the file of their hashes, and whose token a request carries.

A token is 32 random octets, given to the operator once; the authority keeps its SHA-256 alone. Such a hash tells nobody the token, and needs no salt:
nobody can try 2**256 of them.

    operators.json   {"operators": {"operator-1": {"sha256": "…", "since": 1763800000}}, "type": "operators", "version": 1}
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from authority.errors import AuthorityError
from authority.places import STILL, Places
from blocklists.durable import explained, replace
from blocklists.errors import BadDocument
from blocklists.names import clip
from blocklists.trust import strict

MAX_OCTETS = 16 << 20
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]{1,256}=*)")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger("authority")


class Token(NamedTuple):
    """What is kept of one."""

    sha256: str
    since: int
    """Unix seconds."""


def path_of(places: Places) -> Path:
    """The file."""
    return places.directory / "operators.json"


def read(path: Path) -> dict[str, Token]:
    """Tokens by operator; none when there is no file. Raises AuthorityError or BadDocument."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AuthorityError(f"{path} cannot be read ({error.strerror}); mend its owner or mode") from None
    document = strict.read(data, str(path), MAX_OCTETS)
    found: dict[str, Token] = {}
    try:
        if set(document) != {"operators", "type", "version"} or (document["type"], document["version"]) != ("operators", 1):
            raise ValueError("it has other fields")
        for name, each in document["operators"].items():
            made = Token(**each)
            if not _ID.fullmatch(name) or not _HASH.fullmatch(made.sha256) or not isinstance(made.since, int):
                raise ValueError(f"{clip(name)} is not written as it should be")
            found[name] = made
    except (TypeError, ValueError, AttributeError) as error:
        raise BadDocument(f"{path} does not list operators ({clip(str(error))}); put it back from a backup, or give out new tokens") from None
    return found


def issue(places: Places, operator: str, now: int) -> str:
    """A new token for an operator, in place of the one it had: the text to give it, which is kept nowhere. Raises AuthorityError, DiskError."""
    if not _ID.fullmatch(operator):
        raise AuthorityError(f"{clip(operator)!r} is no operator's id; write up to 64 of a-z, 0-9, dot, - and _, such as operator-1")
    text = secrets.token_urlsafe(32)
    with places.locked():
        _write(places, {**read(path_of(places)), operator: Token(sha256(text.encode()).hexdigest(), now)})
    return text


def withdraw(places: Places, operator: str) -> bool:
    """Takes an operator's token away; whether it had one. A server that runs knows within a second."""
    with places.locked():
        found = read(path_of(places))
        if found.pop(operator, None) is None:
            return False
        _write(places, found)
    return True


def _write(places: Places, found: dict[str, Token]) -> None:
    document = {"operators": {name: each._asdict() for name, each in found.items()}, "type": "operators", "version": 1}
    path = path_of(places)
    with explained(f"writing {path}", STILL):
        replace(path, strict.write(document, str(path)))


class Tokens:
    """The tokens in force. `look` notices that the file changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, ...] | None = (0,)
        self._known: tuple[tuple[str, bytes], ...] = ()
        self.look()

    def look(self) -> None:
        """Reads the file if it changed. One that cannot be read lets nobody in."""
        try:
            found = self._path.stat()
            stamp: tuple[int, ...] | None = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError:
            stamp = None
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._known = tuple((name, bytes.fromhex(each.sha256)) for name, each in read(self._path).items())
        except (AuthorityError, BadDocument) as error:
            self._known = ()
            _log.error("no operator is let in: %s", error)

    def operator(self, authorization: bytes | None) -> str | None:
        """Whose token the Authorization field holds; None for nobody's. Takes as long for a good one as for a bad one."""
        match = _BEARER.fullmatch(authorization or b"")
        presented = sha256(match[1] if match else b"").digest()
        found = None
        for name, known in self._known:
            if hmac.compare_digest(known, presented):
                found = name
        return found if match else None
