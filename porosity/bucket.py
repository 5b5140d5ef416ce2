"""How soon a server may be asked again: a token bucket, without a clock of its own."""

from __future__ import annotations

AT_ONCE_SECONDS = 0.02
"""Questions of so long a time may go together after a pause: a timer wakes no more exactly than that."""


class Bucket:
    """Lets `rate` questions a second through, evenly: in any time of t seconds at most rate·t + burst.

    It is empty at `now`, where it begins: who starts anew a hundred times asks no more than who goes on.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._interval = 1 / rate
        self.burst = max(1.0, rate * AT_ONCE_SECONDS)
        """How many may go at once after a pause."""
        self._free = now + self._interval

    def take(self, now: float) -> float:
        """0.0: one may go now, and is counted. Else seconds after which to ask again, and nothing is counted: whoever comes late must ask then."""
        place = max(self._free, now - (self.burst - 1) * self._interval)
        if place > now:
            return place - now
        self._free = place + self._interval
        return 0.0
