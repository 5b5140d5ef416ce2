"""Alarms of one process: what is wrong now, since the process said so, and what to do about it. The supervisor keeps when it began.

An alarm has a short name that stays the same while the fault lasts; raising it again with other words replaces the words, clearing it ends it.
What the supervisor could not be told at once is told at the next `retell`. No alarm names a client or what one asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Alarms:
    """`tell` hands a message to the supervisor and says whether it went out (`blocklists.tell.tell`)."""

    def __init__(self, tell: Callable[[dict[str, Any]], bool]) -> None:
        self._tell = tell
        self._raised: dict[str, tuple[str, str]] = {}
        self._untold: set[str] = set()

    def sound(self, name: str, what: str, remedy: str) -> None:
        """Says that something is wrong: `what` is so, `remedy` says what to do. The same again is not told twice."""
        if self._raised.get(name) != (what, remedy):
            self._raised[name] = (what, remedy)
            self._untold.add(name)
            self.retell()

    def clear(self, name: str) -> None:
        """Says that it is over."""
        if self._raised.pop(name, None) is not None:
            self._untold.add(name)
            self.retell()

    def retell(self) -> None:
        """Tells what could not be told before. Cheap to call often."""
        for name in list(self._untold):
            words = self._raised.get(name)
            message = {"clear": name} if words is None else {"alarm": {"name": name, "what": words[0], "remedy": words[1]}}
            if not self._tell(message):
                return
            self._untold.discard(name)
