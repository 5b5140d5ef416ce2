"""One object sealed under a key of its own: AES-256-GCM in chunks, so that a large one is written and read in little memory. Pure.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015, section 7): the nonce of a chunk is its number and whether it is the last. A
chunk that was changed, left out, moved, added or cut off is therefore refused before any of its octets is given out. A key seals one object only.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from authority.desk.errors import DeskError

KEY = 32
"""Octets of a key, and of a salt."""
CHUNK = 1 << 16
"""Octets of each chunk but the last, before encryption."""
TAG = 16
HEADER = b"redhand evidence 1\n"
"""With which a sealed object begins; what it says is authenticated with every chunk."""


class Tampered(DeskError):
    """Evidence is not what was stored: octets, or what the database says of them, were changed, cut off or exchanged."""

    status = 500


def seal(key: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The sealed octets of a text that comes in pieces of any length."""
    cipher = AESGCM(key)
    yield HEADER
    for number, (chunk, last) in enumerate(_rechunked(pieces, CHUNK)):
        yield cipher.encrypt(_nonce(number, last), chunk, HEADER)


def unseal(key: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The text of sealed octets that come in pieces of any length. Raises Tampered at the first chunk that is not what was sealed.

    What was given out before is what was sealed; whether it is all is known at the end only, so a reader must not take a prefix for the whole.
    """
    cipher = AESGCM(key)
    for number, (chunk, last) in enumerate(_rechunked(_headless(pieces), CHUNK + TAG)):
        try:
            yield cipher.decrypt(_nonce(number, last), chunk, HEADER)
        except (InvalidTag, ValueError):
            raise Tampered(f"chunk {number + 1} of the evidence is not what was stored; leave it, and restore the store's backup elsewhere") from None


def sealed_size(size: int) -> int:
    """Octets of a sealed object whose text has so many."""
    return len(HEADER) + size + TAG * max(1, -(-size // CHUNK))


def new_key() -> bytes:
    """A key, or a salt."""
    return secrets.token_bytes(KEY)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


def _headless(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces behind the header. Raises Tampered when they do not begin with it."""
    begin = b""
    several = iter(pieces)
    while len(begin) < len(HEADER):
        piece = next(several, None)
        if piece is None:
            break
        begin += piece
    if not begin.startswith(HEADER):
        raise Tampered("the evidence does not begin as what the desk stores does; restore a backup of the store")
    yield begin[len(HEADER) :]
    yield from several


def _rechunked(pieces: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """All octets in chunks of `size`, and whether each is the last; one empty last chunk when there are none."""
    held = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), size):
            held += view[start : start + size]
            while len(held) > size:  # a full chunk waits until it is known whether another follows
                yield bytes(held[:size]), False
                del held[:size]
    yield bytes(held), True
