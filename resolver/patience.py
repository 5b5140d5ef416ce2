"""When a server keeps questions for too long: which of them are asked of others, and when.

One that is old gets a copy, which the budget pays for. All that a server has are asked anew when it is doubted, or away: that is the tries' time-out
come early, and no copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from time import monotonic
from typing import cast

from resolver.groups import Lookup
from resolver.servers import Server
from resolver.strategies import Budget
from resolver.tries import TRY_SECONDS, Progress, Try

MOVED_AT_ONCE = 50
"""Lookups asked anew because their server went away or is doubted, before the event loop may do something else."""


class Patience:
    """`running` gives the tries whose time is running; `ask_next(lookup, state, now)` begins a lookup's next try and says whom it went to; `changed`
    is told when servers are to be put in order anew."""

    def __init__(
        self,
        budget: Budget,
        running: Callable[[], Iterator[Try]],
        ask_next: Callable[[Lookup, Progress, float], Server | None],
        changed: Callable[[], None],
    ) -> None:
        self._budget = budget
        self._running = running
        self._ask_next = ask_next
        self._changed = changed
        self._stopped = False
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Asks nobody any more."""
        self._stopped = True

    def look(self, server: Server, now: float) -> None:
        """To be called at every tick for a server that has young questions or may be silent."""
        silent: Try | None = server.seems_silent(self._hedge(server, now), now)
        if silent is None or server.doubted or server.away:
            return
        order = cast(Progress, silent.lookup.state).order
        if any(other is not server and not other.away and not other.doubted for other in order):
            server.doubt(silent.deadline)
            self._changed()
            self.move(server)

    def _hedge(self, server: Server, now: float) -> Try | None:
        """Sends another server a copy of what this one has had for longer than usual, while the budget lasts. The oldest that is open."""
        asked = server.asked
        oldest = None
        old = now - server.hedge_after()
        while asked and (asked[0].sent_at <= old or asked[0].lookup.done or asked[0].over):
            attempt = asked.popleft()
            lookup = attempt.lookup
            if lookup.done or attempt.over:
                continue
            oldest = oldest or attempt
            state = lookup.state
            if state.begun == 1 and state.other_server() and self._budget.spend():
                other = self._ask_next(lookup, state, now)
                if other is not None:
                    other.hedges += 1
        return oldest or (asked[0] if asked else None)

    def move(self, server: Server) -> None:
        """Asks others what this server was asked last."""
        self._move(server, self._running())

    def _move(self, server: Server, attempts: Iterator[Try]) -> None:
        now = monotonic()
        moved = 0
        for attempt in attempts:
            if not (server.away or server.doubted) or self._stopped:
                return
            lookup = attempt.lookup
            if attempt.server is server and not lookup.done and not attempt.over:
                state = cast(Progress, lookup.state)
                if state.begun == attempt.number + 1 < len(TRY_SECONDS) and not (other := state.next_server()).away and other is not server:
                    self._ask_next(lookup, state, now)
                    moved += 1
                    if moved == MOVED_AT_ONCE:
                        self._loop.call_soon(self._move, server, attempts)
                        return
