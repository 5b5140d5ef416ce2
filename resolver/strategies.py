"""Which upstream is asked first, and in which order the others follow. Pure: from how servers are doing to an order.

`fastest`: the one with the shortest smoothed round trip; `ordered`: the first listed; `parallel`: the three fastest at once; `weighted`: each its
share of first questions by `weight`. Whatever the strategy, servers that are doubted come after the others, those that are away last, and looping
ones never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from resolver.servers import Server

Strategy = Literal["fastest", "ordered", "parallel", "weighted"]
Order = Callable[[Iterable[Server]], list[Server]]

AT_ONCE = 3
"""Servers asked at once by `parallel`, at most."""


def ordered(servers: Iterable[Server]) -> list[Server]:
    """As listed."""
    return sorted((server for server in servers if not server.looping), key=lambda server: (server.away, server.doubted))


def fastest(servers: Iterable[Server]) -> list[Server]:
    """The shortest round trip first; those never measured after those that were, as listed."""
    usable = (server for server in servers if not server.looping)
    return sorted(usable, key=lambda server: (server.away, server.doubted, not server.measured, server.round_trip))


def weighted(servers: Iterable[Server]) -> list[Server]:
    """One whose turn it is first: in every `sum of weights` turns each server has `weight`, spread evenly (smooth weighted round robin)."""
    usable = [server for server in servers if not server.looping]
    usable.sort(key=lambda server: (server.away, server.doubted))
    present = [server for server in usable if not server.away and not server.doubted]
    others = usable[len(present) :]
    for server in present:
        server.credit += server.weight
    if present:
        chosen = max(present, key=lambda server: server.credit)
        chosen.credit -= sum(server.weight for server in present)
        present.remove(chosen)
        present.insert(0, chosen)
    return present + others


ORDERS: dict[Strategy, Order] = {"fastest": fastest, "ordered": ordered, "parallel": fastest, "weighted": weighted}


class Budget:
    """Extra copies of questions: never more than a share of all questions asked so far, and no more than a few at once.

    It begins empty, so that the share holds from the first question on.
    """

    __slots__ = ("_left",)

    SHARE = 20
    """One extra copy for so many questions: 5 %."""
    MOST = 10
    """Copies that may be saved up."""

    def __init__(self) -> None:
        self._left = 0

    def earn(self) -> None:
        """A question is asked."""
        if self._left < self.SHARE * self.MOST:
            self._left += 1

    def spend(self) -> bool:
        """Whether an extra copy may be sent; if so, it is paid for."""
        if self._left < self.SHARE:
            return False
        self._left -= self.SHARE
        return True
