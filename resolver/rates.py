"""Rate limits by client prefix, for UDP only, where a source address proves nothing; they cost nothing while nobody abuses.

Two limits, each per client (an IPv4 address, an IPv6 /64) and second: queries, and answers of the same content (response rate limiting, as BIND and
NSD have it). Of what is over, every second query gets an empty answer with TC: a real client comes back over TCP, a forged one is sent nothing
larger than what came. The rest is dropped.

Nobody is counted exactly until a sample says that he may be over: of each few dozen datagrams one is looked at and stands for all of them. Whose
estimate passes twice the smaller limit is *watched*: his queries leave the fast path and are counted one by one, until he has kept to both limits
for WATCH_SECONDS. An error of the sample costs a client a few microseconds and no answer. All tables are bounded; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from itertools import islice

from resolver.prefixes import Networks, as_address, client_of, site_of

WATCH_SECONDS = 10
MOST_WATCHED = 1024
MOST_SAMPLED = 1024
"""Clients whose samples are counted in one second. One that is over a limit is among the first so many unless it sends less than their average."""
MOST_CONTENTS = 256
"""Contents counted for one client and second. The answers a client gets too often are among the first so many; others are bounded by its queries."""
STRANGER_ANSWERS = 5
"""REFUSED for each site (IPv4 /24, IPv6 /56) of those who may not ask, a second; beyond it they meet silence."""
MOST_STRANGERS = 1024
"""Such sites answered in one second."""


class Fate(Enum):
    """What becomes of a query or an answer."""

    ANSWER = 0
    SLIP = 1
    """An empty answer with TC."""
    DROP = 2


class Watched:
    """One client that is counted exactly."""

    __slots__ = ("_contents", "_queries", "_second", "over", "since")

    def __init__(self, second: int) -> None:
        self._second = second
        self._queries = 0
        self._contents: dict[int, int] = {}
        self.over = 0
        """Queries and answers that were too many, in all."""
        self.since = second
        """The last second in which something was."""

    def _turn(self, second: int) -> None:
        if second != self._second:
            self._second = second
            self._queries = 0
            self._contents = {}

    def _too_many(self, second: int) -> Fate:
        self.since = second
        self.over += 1
        return Fate.DROP if self.over & 1 else Fate.SLIP

    def asks(self, second: int, most: int) -> Fate:
        """What becomes of its next query, at most `most` of which are answered in a second."""
        self._turn(second)
        self._queries += 1
        return Fate.ANSWER if self._queries <= most else self._too_many(second)

    def hears(self, reply: bytes, second: int, most: int) -> Fate:
        """What becomes of this reply (all but its ID), at most `most` of whose content are sent in a second."""
        self._turn(second)
        content = hash(_content(reply))
        contents = self._contents
        if content in contents:
            contents[content] += 1
            if contents[content] > most:
                return self._too_many(second)
        elif len(contents) < MOST_CONTENTS:
            contents[content] = 1
        return Fate.ANSWER


def _content(reply: bytes) -> bytes:
    """What a reply says, whatever the question was: RCODE, and all behind the question. So negative answers of one zone count together."""
    position = 10
    if reply[3]:
        while length := reply[position]:
            position += length + 1
        position += 5
    return reply[1:2] + reply[position:]


class Rates:
    """The limits of one worker. `second` is the monotonic clock's."""

    def __init__(self, queries: int, identical: int, unlimited: Iterable[str]) -> None:
        """`queries` and `identical` answers for each client and second; `unlimited` networks have no limit."""
        self.queries = queries
        self.identical = identical
        self.watched: dict[str, Watched] = {}
        self._unlimited = Networks(dict.fromkeys(unlimited, True))
        self._suspicious = 2 * min(queries, identical)
        self._second = 0
        self._samples: dict[str, int] = {}
        self._strangers_second = 0
        self._strangers: dict[str, int] = {}

    def sample(self, address: str, datagrams: int, second: int) -> str | None:
        """Counts the sender of one datagram for the `datagrams` that it stands for. The client, if it is to be watched from now on."""
        samples = self._samples
        if second != self._second:
            self._second = second
            self._samples = samples = {}
            self._release(second)
        client = client_of(address)
        if client in samples:
            samples[client] += datagrams
        elif len(samples) < MOST_SAMPLED:
            samples[client] = datagrams
        else:
            return None
        if samples[client] <= self._suspicious or client in self.watched:
            return None
        if len(self.watched) >= MOST_WATCHED or self._unlimited.find(as_address(address)):
            return None
        self.watched[client] = Watched(second)
        return client

    def _release(self, second: int) -> None:
        """Ends the watch over those who kept to the limits; looks at a few each second, in turn."""
        for client in list(islice(self.watched, 32)):
            watched = self.watched.pop(client)
            if second - watched.since < WATCH_SECONDS:
                self.watched[client] = watched

    def answers_stranger(self, address: str, second: int) -> bool:
        """Whether one who may not ask is told so."""
        if second != self._strangers_second:
            self._strangers_second = second
            self._strangers = {}
        strangers = self._strangers
        site = site_of(address)
        count = strangers.get(site, 0)
        if count >= STRANGER_ANSWERS or (not count and len(strangers) >= MOST_STRANGERS):
            return False
        strangers[site] = count + 1
        return True
