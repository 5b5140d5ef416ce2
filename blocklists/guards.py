"""Which names no entry may block, whatever a list or an order says.

A pure judge over index keys (see `names`): it is built once from the names to protect and from the bundled public-suffix data, and answers with
a reason or with None. It reads no settings, file or clock, and it never changes a name to make it acceptable.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Match = Literal["exact", "subtree"]


class Guards:
    """The guards for one set of own and protected names (texts as `names.parse` takes them)."""

    def __init__(self, own: Iterable[str] = (), protected: Iterable[str] = ()) -> None:
        self.own = tuple(own)
        self.protected = tuple(protected)

    def refusal(self, key: bytes, match: Match) -> str | None:
        """Why this key may not be blocked in this way, with the remedy; None when it may."""
        return None if key else "is the root"
