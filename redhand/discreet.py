"""What may be shown of counts that people's doings make up: nothing that tells so few apart that one of them could be meant. Pure.

A count of fewer than LEAST stands as `<10`, none included, so that it is not even said whether there was anybody. A sum over counts that stand so
would give them away by subtraction: none is shown. A count that is looked at again and again while it grows (a metric) is shown in whole tens: the
difference of two looks is a count, too.
"""

from __future__ import annotations

LEAST = 10
"""The smallest count that is shown."""
FEW = f"<{LEAST}"
"""What stands for a smaller one, none included."""


def final(count: int) -> int | str:
    """A count that grows no more, as it may be shown."""
    return count if count >= LEAST else FEW


def growing(count: int) -> int:
    """A count that still grows, as it may be shown: in whole LEASTs, never too high."""
    return count - count % LEAST
