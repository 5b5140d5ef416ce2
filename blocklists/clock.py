"""The time that starts and expiries go by, kept honest by a second clock.

Pure: it is fed readings and reads no clock itself. The wall clock says what time it is but can be set, by a mistake or by somebody who wants an
order to begin early or to end late; the monotonic clock cannot be set but does not know the time. Agreed time runs on the monotonic clock from the
last reading on which both agreed, and follows the wall clock while that stays within five minutes of it, so that corrections pass.

When the wall clock jumps further, agreed time stands still: nothing begins, nothing expires, and `jumped` says so (an alarm for a person), until
the wall clock is back within five minutes of where the monotonic clock says it should be. Withdrawals do not ask this clock. If the wall clock was
wrong before and the jump is what set it right, only somebody who knows can say so: `accept` does.

Feed it a monotonic clock that also counts while the machine sleeps (CLOCK_BOOTTIME on Linux): with one that does not, every long sleep is a jump.
"""

from __future__ import annotations

TOLERANCE = 300
"""Seconds by which the wall clock may differ from agreed time and still correct it."""


class AgreedClock:
    """One process's agreed time. Readings are in seconds, of any fraction; what comes out are whole unix seconds that never go back."""

    def __init__(self, floor: int = 0) -> None:
        """`floor`: unix seconds known to have passed, such as the last agreed time kept on disk; a wall clock far below it counts as a jump."""
        self._shown = floor
        self._agreed: float | None = None
        self._at = 0.0
        self.jumped = False
        """Whether the last reading found the clocks apart, so that agreed time stands still."""

    @property
    def shown(self) -> int:
        """Agreed time at the last reading."""
        return self._shown

    @property
    def agreement(self) -> tuple[float, float]:
        """The wall clock and the monotonic one when they last agreed: what another process resumes from. (floor, 0) before any reading."""
        return (float(self._shown), 0.0) if self._agreed is None else (self._agreed, self._at)

    def resume(self, agreed: float, monotonic: float) -> None:
        """Goes on from another clock's agreement, by the same monotonic clock."""
        self._agreed, self._at = agreed, monotonic
        self._shown = max(self._shown, int(agreed))

    def reading(self, wall: float, monotonic: float) -> int:
        """Agreed time after this reading. A monotonic clock that goes back, which none does, counts as having stood still."""
        if self._agreed is None:
            self._agreed, self._at = max(wall, float(self._shown)), monotonic
        expected = self.expected(monotonic)
        self.jumped = not abs(wall - expected) <= TOLERANCE
        if not self.jumped:
            self._agreed, self._at = wall, max(monotonic, self._at)
            self._shown = max(self._shown, int(wall))
        return self._shown

    def expected(self, monotonic: float) -> float:
        """Where the monotonic clock says the wall clock should be, in unix seconds: what deadlines run on, through a jump too."""
        if self._agreed is None:
            return float(self._shown)
        return self._agreed + max(0.0, monotonic - self._at)

    def accept(self, wall: float, monotonic: float) -> int:
        """Takes the wall clock at its word, on the authority of a person or of a signed time. Agreed time does not go back: it waits."""
        self._agreed, self._at = wall, monotonic
        return self.reading(wall, monotonic)
