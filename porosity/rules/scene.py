"""All that a vantage observed of one name in one repeat: by every vector, at the resolvers and their controls. Pure.

Verdicts are made with this whole scene in view, because what a control shows by one vector tells the target's data by another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import dns.exception
import dns.name

from porosity import readings
from porosity.plan import Declared, Plan
from porosity.readings import ANY, Asked, Reading
from porosity.rules.facts import Known, Learned, Orders, nobodys
from porosity.rules.lazy import lazy
from porosity.words import Name, Observation, Resolver

BLOCKING = frozenset((15, 16, 17))
"""INFO-CODEs Blocked, Censored and Filtered (RFC 8914, sections 4.16 to 4.18)."""

_OTHERS = frozenset(("secondary", "other"))

_UNPOOLED = frozenset(("upgrade", "namespace"))
"""Families that ask for other sites than the name's."""

_HINFO, _DS, _SVCB, _HTTPS = 13, 43, 64, 65
_MINIMAL = '"rfc8482"'
"""What resolvers give of any name to who asks for ANY (RFC 8482, section 4.2)."""
_SERVFAIL = 2


class Seen(NamedTuple):
    """One observation, read."""

    observation: Observation
    asked: Asked
    reading: Reading
    items: frozenset[object]
    """What it shows of what was asked for."""


class Trial:
    """What came of a trial."""

    __slots__ = ("asks", "elsewhere", "here", "number", "resolver", "vector")

    def __init__(self, number: int, vector: Declared, resolver: Resolver, asks: Sequence[Seen]) -> None:
        self.number, self.vector, self.resolver, self.asks = number, vector, resolver, asks
        self.here: Sequence[Seen] = asks
        """Asks that went to the trial's resolver."""
        self.elsewhere: Sequence[Seen] = ()
        """Asks that went to other resolvers: a client's second, or one that it can reach."""
        if len(asks) > 1 and _OTHERS & set(vector.needs):
            own = {str(endpoint) for endpoint in resolver.endpoints}
            # Where nobody could be asked, the first is for the resolver itself.
            here = [each.observation.endpoint in own or not (each.observation.endpoint or each.observation.ask) for each in asks]
            self.here = [each for each, so in zip(asks, here, strict=True) if so]
            self.elsewhere = [each for each, so in zip(asks, here, strict=True) if not so]


class Scene:
    """One name in one repeat."""

    def __init__(
        self, plan: Plan, name: Name, repeat: int, observations: Iterable[Observation], known: Known, learned: Learned, orders: Orders
    ) -> None:
        self.plan, self.name, self.repeat = plan, name, repeat
        self.known, self.learned, self.orders = known, learned, orders
        rows: dict[int, list[Seen]] = {}
        for each in observations:
            asked, reading = readings.asked(each.query), readings.answer(each.failure, each.answer)
            rows.setdefault(each.trial, []).append(Seen(each, asked, reading, self._items(asked, reading)))
        self.trials = [self._trial(number, rows[number]) for number in sorted(rows)]

    def _items(self, asked: Asked, reading: Reading) -> frozenset[object]:
        """What an answer shows of what was asked for.

        An alias that leads to an order's name is none: who follows it asks for that name. Nor is what stands in place of an answer to ANY.
        """
        found = reading.items(asked.types)
        if ANY in asked.types:
            found -= {each for each in found if isinstance(each, tuple) and each[0] == _HINFO and each[1].startswith(_MINIMAL)}
        if not asked.types & {_SVCB, _HTTPS} or not any(map(_alias, found)) or any(map(self.orders.cover, asked.names)):
            return found
        return frozenset(each for each in found if not (target := _alias(each)) or not self.orders.cover(target))

    def _trial(self, number: int, asks: Sequence[Seen]) -> Trial:
        placed = self.plan.trial(number)
        return Trial(number, self.plan.vectors[placed.vector], self.plan.resolvers[placed.resolver], asks)

    @lazy
    def _of_controls(self) -> Mapping[str, Sequence[Trial]]:
        """By vector."""
        found: dict[str, list[Trial]] = {}
        for trial in self.trials:
            if trial.resolver.role == "control" and trial.resolver.id not in self.learned.liars:
                found.setdefault(trial.vector.id, []).append(trial)
        return found

    def controls(self, trial: Trial, ask: int) -> list[Seen]:
        """What the controls, but for the trial's own resolver, answered to the same ask, where they did not block it themselves."""
        found = []
        for each in self._of_controls.get(trial.vector.id, ()):
            if each.resolver.id != trial.resolver.id:
                found += [seen for seen in each.here if seen.observation.ask == ask and self._tells(each.resolver, seen)]
        return found

    @lazy
    def _pools(self) -> Mapping[str, frozenset[object]]:
        """What each control showed of the name, whatever the vector."""
        found: dict[str, set[object]] = {}
        for trials in self._of_controls.values():
            for trial in trials:
                pool = found.setdefault(trial.resolver.id, set())
                if trial.vector.kind == "data" and trial.vector.family not in _UNPOOLED:
                    for seen in trial.here:
                        if self._tells(trial.resolver, seen):
                            pool |= seen.items
        return {resolver: frozenset(pool) for resolver, pool in found.items()}

    def pool(self, trial: Trial) -> frozenset[object]:
        """What the controls showed of the name by any vector."""
        return frozenset().union(*(pool for resolver, pool in self._pools.items() if resolver != trial.resolver.id))

    @lazy
    def signed(self) -> bool:
        """Whether a control's answer for the name has signatures."""
        return any(each.reading.signed for each in self._own_answers)

    @lazy
    def secure(self) -> bool:
        """Whether the name's signatures are good: a control says so, or the zone above vouches for its keys (RFC 4035, section 4.3); and none fails.

        Keys may be good, and what vouches for them, where the signatures of all else are not: a control that validates then fails at that.
        """
        if any(each.reading.rcode == _SERVFAIL for each in self._own_answers):
            return False
        vouched = any(isinstance(item, tuple) and item[0] == _DS for each in self._own_answers for item in each.items)
        return vouched or any(each.reading.verified for each in self._own_answers)

    @lazy
    def _own_answers(self) -> list[Seen]:
        """What controls answered for the name itself or what is below it."""
        return [
            seen for trials in self._of_controls.values() for trial in trials for seen in trial.here
            if not seen.reading.failure and seen.asked.names and all(each.is_subdomain(self.name.name) for each in seen.asked.names)
        ]  # fmt: skip

    def _tells(self, resolver: Resolver, seen: Seen) -> bool:
        return not seen.reading.failure and not self.made_up(resolver, seen.reading)

    def made_up(self, resolver: Resolver, reading: Reading) -> bool:
        """Whether an answer shows by itself that it is a block."""
        return bool(
            BLOCKING & set(reading.ede)
            or reading.addresses & self.known.landing
            or reading.addresses & self.known.block_pages.keys()
            or reading.addresses & self.learned.unrelated.get(resolver.id, frozenset())
            or any(map(nobodys, reading.addresses))
        )


def _alias(item: object) -> dns.name.Name | None:
    """Where an HTTPS or SVCB record in alias mode (RFC 9460, section 2.4.2) leads; None for all else, and for one too long to stand as it is."""
    if isinstance(item, tuple) and item[0] in (_SVCB, _HTTPS) and item[1].startswith("0 "):
        with suppress(dns.exception.DNSException, UnicodeError):
            return dns.name.from_text(item[1].split()[1])
    return None
