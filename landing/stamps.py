"""Stamps on the form of a report: when it was given out, and the reference that its report will have, signed.

So a program that posts without having asked for a form, or sooner than a person writes, is told so; and a form that is sent twice, even over a
restart, is one report. A stamp says nothing of who asked for it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path

from blocklists import report
from blocklists.durable import sync_directory

SOONEST = 3
"""Seconds before which nobody has filled in the form."""
LATEST = 24 * 3600
"""Seconds after which it is given out anew, with what was written in it."""
KEY = ".key"
"""Name of the file beside the reports; no report is called so."""


class TooOld(Exception):
    """The form needs a new stamp: its own is too old, or none of ours."""


class TooSoon(Exception):
    """The form came back sooner than a person writes."""


class Stamps:
    """Of one directory, whose key is made at the first need: a form outlives the process."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = b""

    def make(self, now: int) -> str:
        """A stamp for a form that is given out at `now` (unix seconds). Raises OSError when the key can be neither read nor made."""
        text = f"{now}.{report.new_reference()}"
        return f"{text}.{self._sign(text)}"

    def reference(self, stamp: str, now: int) -> str:
        """The reference of the report in a form that comes back. Raises TooOld, TooSoon; OSError as `make`."""
        text, _, signature = stamp.rpartition(".")
        made, _, reference = text.partition(".")
        right = hmac.compare_digest(signature.encode(errors="replace"), self._sign(text).encode())
        if not right or not (made.isascii() and made.isdigit()) or not now - LATEST <= int(made) <= now:
            raise TooOld
        if now < int(made) + SOONEST:
            raise TooSoon
        return reference

    def _sign(self, text: str) -> str:
        if not self._key:
            self._key = _key(self._directory)
        return hmac.new(self._key, text.encode(errors="replace"), hashlib.sha256).hexdigest()


def _key(directory: Path) -> bytes:
    path = directory / KEY
    with suppress(FileNotFoundError):
        if len(found := path.read_bytes()) == 32:
            return found
    part = directory / f"{KEY}.{secrets.token_hex(4)}.new"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)  # whole, or not at all
    sync_directory(directory)
    return path.read_bytes()
