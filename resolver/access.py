"""Reviewers' access in one worker: clients of a granted network hear what a blocked name really resolves to, until the grant ends.

Each grant has a group of its own while it is in force, so that neither its answers nor its lookups are anybody else's; the engine asks that group
(`Group.access_until`) once a name was found to be listed, and nothing else knows of it. Ends are boundaries of the policy, like those of orders: with
the second, cached replies are judged again, open connections included. While the clock is known to be wrong nobody has access, lest an end be missed.

Nothing is verified here: the supervisor tells what it has verified (`redhand.granting`), and a worker that was told nothing grants nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from resolver.caches import Kept
from resolver.clients import Clients
from resolver.groups import Front, Group
from resolver.packetcache import Clock
from resolver.policy import Policy

MOST_GRANTS = 16
"""In force at a time."""
MOST_BYTES = 4 << 20
"""Of each one's caches, beside `resolver.cache_mb`: half for answers, so that those of up to 4 KiB are kept, the rest for ready replies."""

Entrances = Callable[[str], tuple[Group, Front, Front]]
"""Makes a group of that name, and its fronts for UDP and TCP."""


class Granted(NamedTuple):
    """A grant as far as a worker needs it."""

    reference: str
    networks: tuple[str, ...]
    until: int
    """Unix seconds, of the agreed time."""


class Access:
    """Who has access now. `kept` are the worker's caches: those of the grants stand after the others, so that they are flushed and shown as well."""

    def __init__(self, policy: Policy, clock: Clock, clients: tuple[Clients[Front], Clients[Front]], kept: list[Kept], make: Entrances) -> None:
        """`clients`: for UDP and for TCP."""
        self._policy = policy
        self._clock = clock
        self._udp, self._tcp = clients
        self._kept = kept
        self._others = len(kept)
        self._make = make
        self._told: Sequence[Granted] = ()
        self._open: dict[Granted, Kept] = {}

    def take(self, grants: Iterable[Granted], now: int, sound: bool) -> None:
        """These are all grants from now on. `now` in agreed unix seconds; `sound`: whether the clock is not known to be wrong."""
        self._told = sorted(grants, key=lambda grant: (grant.until, grant.reference))[-MOST_GRANTS:]
        self.settle(now, sound)

    def settle(self, now: int, sound: bool) -> None:
        """Opens and closes what is due. To be called a few times a second."""
        due = [grant for grant in self._told if sound and now < grant.until]  # the longest last: of the same network it stands
        if due == list(self._open):
            return
        for grant in set(self._open).difference(due):
            self._open[grant].group.access_until = 0  # what was handed out before, to a connection or a lookup, has no access either
        self._open = {grant: self._open.get(grant) or self._begin(grant) for grant in due}
        self._kept[self._others :] = self._open.values()
        self._udp.set_apart({network: kept.udp for grant, kept in self._open.items() for network in grant.networks})
        self._tcp.set_apart({network: kept.tcp for grant, kept in self._open.items() for network in grant.networks})
        self._policy.also_at(grant.until for grant in due)
        self._clock.set(self._clock.second, self._policy.generation)

    def _begin(self, grant: Granted) -> Kept:
        kept = Kept(*self._make(grant.reference))
        kept.group.access_until = grant.until
        return kept


def told(message: Mapping[str, Any]) -> list[Granted]:
    """The grants in what the supervisor says (`redhand.granting`)."""
    return [Granted(each["reference"], tuple(each["networks"]), each["until"]) for each in message["grants"]]
