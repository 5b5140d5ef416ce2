"""The tries whose time is running, and the clock's hand that looks at them: each deque is in order of time, so only what is due is looked at."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic

from resolver.tries import TRY_SECONDS, Try

TICK_SECONDS, IDLE_TICK_SECONDS = 0.02, 1.0
DUE_AT_ONCE = 50
"""Tries found overdue before the event loop may do something else: each may have the next one sent."""
_DONE_COST, _LANDED_COST = 0.2, 0.01
"""What one counts for whose lookup is answered already, and which has landed itself as well."""


class Timing:
    """Calls `overdue(attempt, now)` for each try whose time is over, and `each_tick(now)`: every 20 ms while any is waited for, else every second."""

    def __init__(self, overdue: Callable[[Try, float], None], each_tick: Callable[[float], None]) -> None:
        self._overdue = overdue
        self._each_tick = each_tick
        self._deques: tuple[deque[Try], ...] = tuple(deque() for _ in range(len(TRY_SECONDS) + 1))
        """By the time they have; the last is for those that nobody waits for."""
        self._timer: asyncio.TimerHandle | None = None
        self._ticking = False
        self._loop = asyncio.get_running_loop()

    def add(self, attempt: Try) -> None:
        """Begins a try's time."""
        self._deques[attempt.number if attempt.number >= 0 else -1].append(attempt)

    def run(self) -> None:
        """Looks every 20 ms from now on."""
        if not self._ticking:
            self._arm(TICK_SECONDS)

    def stop(self) -> None:
        """Never looks again."""
        if self._timer is not None:
            self._timer.cancel()

    def running(self) -> Iterator[Try]:
        """The tries whose time is running that somebody may wait for, as of now."""
        for attempts in self._deques[:-1]:
            yield from list(attempts)

    def _arm(self, seconds: float) -> None:
        self.stop()
        self._ticking = seconds <= TICK_SECONDS
        self._timer = self._loop.call_later(seconds, self._tick)

    def _tick(self) -> None:
        """Runs again whatever came of it, because no lookup ends without it."""
        waiting, rest = True, TICK_SECONDS
        try:
            now = monotonic()
            self._each_tick(now)
            rest = 0.0 if self._look(now) else TICK_SECONDS
            waiting = any(self._deques)
        finally:
            self._arm(rest if waiting else IDLE_TICK_SECONDS)

    def _look(self, now: float) -> bool:
        """Whether more than DUE_AT_ONCE were overdue, so that some still are."""
        left = float(DUE_AT_ONCE)
        for attempts in self._deques:
            while attempts:
                attempt = attempts[0]
                settled = attempt.lookup.done and not attempt.waits
                if not settled and attempt.deadline > now:
                    break
                if left <= 0:
                    return True
                attempts.popleft()
                if settled:  # let go of at once, whatever its time: what the next ones need is then still near in memory
                    left -= _LANDED_COST
                else:
                    left -= _DONE_COST if attempt.lookup.done else 1.0
                    self._overdue(attempt, now)
        return False
