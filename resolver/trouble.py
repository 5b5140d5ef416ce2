"""Says what is wrong with upstreams and what to do: an alarm while it lasts, which the supervisor logs; a line in the log for what was learned."""

from __future__ import annotations

import logging

from blocklists.alarms import Alarms
from resolver.servers import NEAR_MISS_SECONDS, Server

log = logging.getLogger("resolver.upstreams")


class Trouble:
    """One worker's alarms about its upstreams. No name that was asked for is said."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._near: set[Server] = set()

    def away(self, server: Server, *, alone: bool) -> None:
        """It missed too many questions in a row; `alone`: nobody else is there to be asked in its stead, in some zone at least."""
        self._alarms.sound(
            f"upstream {server} away",
            f"upstream {server} does not answer, or too late",
            "there is no other to ask for its names: they get what is cached, or SERVFAIL; check it and the path to it, and name a second one"
            if alone
            else "others are asked meanwhile, and it is probed; check the server and the path to it, or remove it from the configuration",
        )

    def back(self, server: Server) -> None:
        """It answers again."""
        self._alarms.clear(f"upstream {server} away")

    def near_missed(self, server: Server) -> None:
        """One question met several datagrams that nearly fitted."""
        self._near.add(server)
        self._alarms.sound(
            f"near misses {server}",
            f"datagrams that claim to come from upstream {server} do not fit what it was asked: somebody may be guessing answers, or it is broken",
            "such questions are asked over TCP; reach the upstream by a path that others cannot send into, and see that it answers over TCP",
        )

    def calm(self, now: float) -> None:
        """To be called now and then: alarms about near misses end when there were none for a minute."""
        for server in [server for server in self._near if now - server.near_at > NEAR_MISS_SECONDS]:
            self._near.discard(server)
            self._alarms.clear(f"near misses {server}")

    def looping(self, server: Server) -> None:
        """It sends our questions back to us."""
        self._alarms.sound(
            f"forwarding loop {server}",
            f"upstream {server} forwards questions to Red Hand, which forwards them to it",
            "it is asked nothing until that ends, which is looked for every minute; have it ask a recursor, or name another upstream here",
        )

    def straight(self, server: Server) -> None:
        """It no longer does."""
        self._alarms.clear(f"forwarding loop {server}")
        self._alarms.clear(f"upstream {server} away")

    def without_edns(self, server: Server) -> None:
        """It answers only questions without OPT."""
        log.warning("upstream %s refuses EDNS; for 15 minutes it is asked without: no DNSSEC data come from it, and long answers by TCP", server)

    def changes_case(self, server: Server) -> None:
        """It does not repeat a question's letters as they were."""
        log.warning("upstream %s changes the case of letters; for 15 minutes it is asked in lower case, which is easier to forge", server)
