"""How much each operator may ask for: so many requests a second on average, and so many at once. Pure: the caller gives the time."""

from __future__ import annotations


class Allowance:
    """One for all operators, who are as many as there are tokens. `rate` requests a second, and `burst` after a pause."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, who: str, now: float) -> bool:
        """Whether it may have one more at `now` (monotonic seconds)."""
        left, then = self._left.get(who, (self._burst, now))
        left = min(self._burst, left + (now - then) * self._rate)
        self._left[who] = (left - 1 if left >= 1 else left, now)
        return left >= 1
