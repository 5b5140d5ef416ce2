"""How many names were newly blocked within the last hour and day, by the log's own clock. Pure: times come in."""

from __future__ import annotations

from collections import deque

HOUR = 3600
DAY = 86_400


class _Window:
    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._counted: deque[tuple[int, int]] = deque()
        self._sum = 0

    def total(self, at: int) -> int:
        """What was counted in the `seconds` up to `at`, which never goes back."""
        while self._counted and self._counted[0][0] <= at - self._seconds:
            self._sum -= self._counted.popleft()[1]
        return self._sum

    def count(self, at: int, amount: int) -> None:
        earlier = self._counted.pop()[1] if self._counted and self._counted[-1][0] == at else 0
        self._counted.append((at, earlier + amount))
        self._sum += amount


class Rate:
    """Two sliding windows over logged time."""

    def __init__(self) -> None:
        self._hour, self._day = _Window(HOUR), _Window(DAY)

    def excess(self, at: int, amount: int, per_hour: int, per_day: int) -> str | None:
        """Which limit `amount` more names at `at` would pass, in words; None, and they are counted, when they pass none."""
        if not amount:
            return None
        for window, most, name in ((self._hour, per_hour, "hour"), (self._day, per_day, "day")):
            if (total := window.total(at)) + amount > most:
                return f"{amount} new names after {total} within the last {name} are more than the {most} that the policy allows"
        self._hour.count(at, amount)
        self._day.count(at, amount)
        return None
