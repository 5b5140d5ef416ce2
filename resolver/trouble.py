"""Says what is wrong with upstreams and what to do about it: an alarm while it lasts, one line in the log for what was learned."""

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

    def away(self, server: Server) -> None:
        """It missed too many questions in a row."""
        log.warning("upstream %s does not answer; others are asked first for %.0f s", server, server.back_off)
        self._alarms.sound(
            f"upstream {server} away",
            f"upstream {server} does not answer, or too late",
            "others are asked meanwhile, and it is probed; check the server and the path to it, or remove it from the configuration",
        )

    def back(self, server: Server) -> None:
        """It answers again."""
        log.info("upstream %s answers again", server)
        self._alarms.clear(f"upstream {server} away")

    def near_missed(self, server: Server) -> None:
        """One question met several datagrams that nearly fitted."""
        if server not in self._near:
            self._near.add(server)
            log.warning("answers from %s do not fit our questions; such questions are asked over TCP", server)
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
        log.error("upstream %s sends our own questions back to us; it is asked nothing until that ends", server)
        self._alarms.sound(
            f"forwarding loop {server}",
            f"upstream {server} forwards questions to Red Hand, which forwards them to it",
            "it is asked nothing until that ends, which is looked for every minute; have it ask a recursor, or name another upstream here",
        )

    def straight(self, server: Server) -> None:
        """It no longer does."""
        log.info("upstream %s no longer sends our questions back", server)
        self._alarms.clear(f"forwarding loop {server}")
        self._alarms.clear(f"upstream {server} away")

    def without_edns(self, server: Server) -> None:
        """It answers only questions without OPT."""
        log.warning("upstream %s refuses EDNS; for 15 minutes it is asked without: no DNSSEC data come from it, and long answers by TCP", server)

    def changes_case(self, server: Server) -> None:
        """It does not repeat a question's letters as they were."""
        log.warning("upstream %s changes the case of letters; for 15 minutes it is asked in lower case, which is easier to forge", server)
