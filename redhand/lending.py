"""Which worker answers at the sockets of one that is not ready: a sibling that is, until the successor is ready.

With one worker there is no sibling; what comes waits in the kernel's queue for the successor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from redhand.children import Keeper
from redhand.processes import Life
from resolver.channel import MOST_FILES


class Lending:
    """Lends each socket to one sibling at most. `settle` after every change of a worker's state."""

    def __init__(self) -> None:
        self._holders: dict[str, tuple[Keeper, Life]] = {}
        """Who answers for a worker: which sibling, and which process of it."""

    def settle(self, workers: Sequence[Keeper]) -> None:
        """Lend what nobody reads, take back what its own worker reads again."""
        for keeper in workers:
            name = keeper.child.name
            holder = self._holders.get(name)
            if keeper.state == "ready":
                if holder is not None:
                    del self._holders[name]
                    holder[1].tell({"do": "release", "for": name})
            elif holder is None or holder[0].state != "ready" or holder[0].life is not holder[1]:
                self._lend(keeper, workers)

    def _lend(self, keeper: Keeper, workers: Sequence[Keeper]) -> None:
        """To the sibling that answers for the fewest others."""
        name = keeper.child.name
        self._holders.pop(name, None)
        lent = Counter(id(sibling) for sibling, _ in self._holders.values())
        ready = [sibling for sibling in workers if sibling is not keeper and sibling.state == "ready" and sibling.life is not None]
        for sibling in sorted(ready, key=lambda sibling: lent[id(sibling)]):
            if sibling.life is not None and _adopt(sibling.life, keeper):
                self._holders[name] = sibling, sibling.life
                return


def _adopt(life: Life, keeper: Keeper) -> bool:
    child = keeper.child
    described = child.job["sockets"]
    parts = [slice(start, start + MOST_FILES) for start in range(0, len(child.fds), MOST_FILES)]
    return all(life.tell({"do": "adopt", "for": child.name, "sockets": described[part]}, child.fds[part]) for part in parts)
