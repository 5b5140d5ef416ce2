"""Passwords: argon2id, with RFC 9106's second recommended parameters (section 4). Checking takes as long for an account that does not exist.

At most two are computed at once, each of which needs 64 MiB: a flood of tries takes neither the machine's memory nor both its processors for long.
"""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from authority.desk.errors import BadField, TooMany
from blocklists.trust.policy import same_person

SHORTEST = 12
LONGEST = 256
"""Characters."""
AT_ONCE = 2
PATIENCE_SECONDS = 10.0
"""How long a check waits for others."""

_hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
_slots = threading.BoundedSemaphore(AT_ONCE)
_COMMON = ("password", "motdepasse", "qwerty", "azerty", "123456", "letmein", "iloveyou", "admin", "welcome", "bienvenue", "redhand", "changeme")


def require_good(password: str, *about: str) -> None:
    """Raises BadField for one that is short, endless, one character over and over, or made of its holder's name or of a word that everybody tries.

    No rule asks for digits or signs: they make passwords worse (NIST SP 800-63B section 3.1.1.2).
    """
    if len(password) < SHORTEST:
        raise BadField("password", f"take at least {SHORTEST} characters; a few words are good")
    if len(password) > LONGEST:
        raise BadField("password", f"take at most {LONGEST} characters")
    folded = same_person(password)
    rest = folded
    for word in sorted((*_COMMON, *(part for text in about for part in same_person(text).replace("@", " ").replace(".", " ").split())), key=len):
        if len(word) >= 3:
            rest = rest.replace(word, "")
    if folded in map(same_person, about) or len(rest.strip()) < 8 or len(set(rest)) < 5:
        raise BadField("password", "it is easily guessed; take a few words that have nothing to do with you")


def encode(password: str) -> str:
    """What is kept of a password. Raises TooMany when too many wait."""
    with _slot():
        return _hasher.hash(password)


def matches(encoded: str | None, password: str) -> bool:
    """Whether it is the password. None, for an account without one or no account at all, takes as long and is never right. Raises TooMany."""
    with _slot():
        try:
            right = _hasher.verify(encoded or _nobody(_hasher), password[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False
        return right and encoded is not None


def is_old(encoded: str) -> bool:
    """Whether it was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(encoded)


@cache
def _nobody(hasher: PasswordHasher) -> str:
    return hasher.hash("nobody's")


class _slot:
    def __enter__(self) -> None:
        if not _slots.acquire(timeout=PATIENCE_SECONDS):
            raise TooMany("many people sign in just now; try again in 10 s", 10)

    def __exit__(self, *_: object) -> None:
        _slots.release()
