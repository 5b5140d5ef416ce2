"""How soon a server may be asked again: a token bucket, without a clock of its own."""

from __future__ import annotations

AT_ONCE_SECONDS = 0.02
"""Questions of so long a time may go together after a pause: a timer wakes no more exactly than that."""


class Bucket:
    """Lets `rate` questions a second through, evenly: in any time of t seconds at most rate·t + burst."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self.burst = max(1.0, rate * AT_ONCE_SECONDS)
        """How many may go at once after a pause."""
        self._free = float("-inf")

    def reserve(self, now: float) -> float:
        """Takes the next place, and says how many seconds after `now` it is. Whoever takes a place keeps it."""
        place = max(self._free, now - (self.burst - 1) * self._interval)
        self._free = place + self._interval
        return max(0.0, place - now)
