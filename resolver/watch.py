"""Looks for forwarding loops while serving: sends each upstream a question of our own and marks those that send it back to us (`loops`).

Every upstream is asked once at the start, when it returns, and each minute while it is away or looping. One that loops is asked nothing else. Pure:
it is told the time and given what sends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from resolver import loops
from resolver.groups import Lookup
from resolver.servers import CHECK_SECONDS, Server
from resolver.tries import LOOP, Try
from resolver.trouble import Trouble


class LoopWatch:
    """One worker's watch; `found` counts the loops found. `roll` gives a number to 65,535; `changed` is told when one begins or ends."""

    def __init__(
        self,
        servers: Sequence[Server],
        nonce: str,
        roll: Callable[[], int],
        send: Callable[[Try], None],
        changed: Callable[[], None],
        trouble: Trouble,
    ) -> None:
        self._servers = servers
        self._nonce = nonce
        self._roll = roll
        self._send = send
        self._changed = changed
        self._trouble = trouble
        self._now = 0.0
        self.found = 0

    def look(self, now: float) -> None:
        """Asks the servers whose turn it is. To be called about every second."""
        self._now = now
        for index, server in enumerate(self._servers):
            if now >= server.check_at:
                server.check_at = now + CHECK_SECONDS
                self._send(Try(cast(Lookup, loops.Probe(self._nonce, index, self._roll())), LOOP, server, now))

    def came_round(self, index: int) -> None:
        """A question that only this Red Hand sends, to its upstream `index`, was asked of us."""
        if index < len(self._servers):
            self._loops(self._servers[index])

    def answered(self, server: Server, data: bytes) -> None:
        """A server answered our question."""
        if loops.says_loop(data):
            self._loops(server)
            return
        if server.looping:
            server.looping = server.away = False
            self._trouble.straight(server)
            self._changed()
        server.check_at = float("inf")

    def _loops(self, server: Server) -> None:
        if not server.looping:
            self.found += 1
            server.looping = server.away = True
            self._trouble.looping(server)
            self._changed()
        server.check_at = self._now + CHECK_SECONDS
