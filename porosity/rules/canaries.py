"""What canaries tell of a way to a resolver: names that everybody answers and nobody blocks. Pure.

When a listed name gets no answer, only a canary that got one by the same way, before and after, makes that the name's and not the way's fault.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter

from porosity.readings import Reading


class Canaries:
    """Those of one repeat at one vantage."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, str, int], Counter[str]] = {}
        self._alive: dict[str, list[tuple[int, bool]]] = {}

    def add(self, resolver: str, vector: str, ask: int, endpoint: str, sent_at: int, reading: Reading, lacks: bool | None = None) -> None:
        """What came of an ask for a canary. `lacks`: whether it had nothing of what a control had; None where no control had anything."""
        outcomes = self._outcomes.setdefault((resolver, vector, ask), Counter())
        outcomes[outcome(reading)] += 1
        if lacks is not None and not reading.failure:
            outcomes["lacked" if lacks else "had"] += 1
        if endpoint:
            insort(self._alive.setdefault(endpoint, []), (sent_at, not reading.failure))

    def gets(self, resolver: str, vector: str, ask: int) -> Counter[str]:
        """How often each outcome came of this ask, as `outcome` names it; and how often it `had` or `lacked` what a control had."""
        return self._outcomes.get((resolver, vector, ask), _NONE)

    def alive(self, endpoint: str, sent_at: int) -> bool | None:
        """Whether the endpoint answered the canaries nearest in time, the one before and the one after; None where there is none."""
        seen = self._alive.get(endpoint)
        if not seen:
            return None
        place = bisect_left(seen, (sent_at, False))
        return all(answered for _, answered in seen[max(0, place - 1) : place + 1])


def outcome(reading: Reading) -> str:
    """`answer`, `silence`, or the RCODE's name where that is an error."""
    if reading.failure:
        return "silence"
    return "answer" if reading.rcode in (0, 3) else reading.called


_NONE: Counter[str] = Counter()
