"""Which signatures in the log were found good, kept beside it, so that a start need not verify 50,000 orders again.

    log/verdicts      a JSON line an entry, in log order: ["<SHA-256 of the entry>", {"<key id>": good}]

A cache of arithmetic and nothing else: what an entry comes to is judged anew every time (blocklists.docket), which takes a line only for the entry
whose hash it names. A line that is missing, torn or another entry's costs the arithmetic from there on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from blocklists import durable
from blocklists.docket import Verdict
from blocklists.errors import DiskError

NAME = "verdicts"
_LINES = 1024
"""Kept in memory before they are written."""


class Verdicts:
    """The file, read once from its beginning and then added to, entry by entry."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._sound = 0
        """Octets that hold for the entries so far."""
        self._new: list[bytes] = []
        self._kept = self._read()

    def next(self) -> Verdict | None:
        """What is kept of the next entry, if anything."""
        return next(self._kept, (None, 0))[0] if not self._new else None

    def add(self, known: Verdict | None, verdict: Verdict) -> None:
        """What came of the next entry, of which `next` had known this."""
        line = _encode(verdict)
        if known is not None and not self._new and _encode(known) == line:
            self._sound += len(line)
            return
        self._kept = iter(())
        self._new.append(line)
        if len(self._new) >= _LINES:
            self.flush()

    def flush(self) -> None:
        """Writes what is new. A disk that refuses costs time at the next start, and nothing else."""
        if not self._new:
            return
        data = b"".join(self._new)
        try:
            with durable.explained(f"writing {self._path}"), self._path.open("ab") as file:
                file.truncate(self._sound)
                file.write(data)
        except DiskError:
            return
        self._sound += len(data)
        self._new.clear()

    def _read(self) -> Iterator[tuple[Verdict, int]]:
        try:
            with self._path.open("rb") as file:
                for line in file:
                    leaf, signatures = json.loads(line)
                    yield Verdict(bytes.fromhex(leaf), tuple((str(keyid), good is True) for keyid, good in signatures.items())), len(line)
        except (OSError, ValueError, AttributeError, TypeError):
            return


def _encode(verdict: Verdict) -> bytes:
    return json.dumps([verdict.leaf.hex(), dict(verdict.signatures)], separators=(",", ":")).encode() + b"\n"
