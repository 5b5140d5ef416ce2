"""A layer's hash, taken again after a change from where its lines are still the same.

Pure. Sixty megabytes of lines take a twentieth of a second to hash, every time one order comes or goes; most come last, where the hash of all before
them is known. It is the same hash that `version.entries_of` takes, of the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from blocklists.version import Layer, Line

EVERY = 512
"""Lines from one mark to the next."""


class LayerHash:
    """Of a layer whose lines are given again and again: those not changed as the same objects."""

    def __init__(self) -> None:
        self._lines: Sequence[Line] = ()
        self._marks = [(hashlib.sha256(), 0)]
        """The hash of as many lines as stand before each, and how many names they list."""

    def of(self, lines: Sequence[Line]) -> Layer:
        """The layer that these lines are, sorted as in the entries."""
        shorter = min(len(lines), len(self._lines))
        same = 0
        while same < shorter and lines[same] is self._lines[same]:
            same += 1
        del self._marks[same // EVERY + 1 :]
        at = EVERY * (len(self._marks) - 1)
        digest, names = self._marks[-1][0].copy(), self._marks[-1][1]
        for start in range(at, len(lines), EVERY):
            piece = lines[start : start + EVERY]
            digest.update(b"".join([line.encoded for line in piece]))
            names += sum([line.names for line in piece])
            if len(piece) == EVERY:
                self._marks.append((digest.copy(), names))
        self._lines = lines
        return Layer(digest.hexdigest(), len(lines), names)
