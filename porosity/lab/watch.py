"""Watches for a lab that puts its orders in force and withdraws them within half a minute: as the vectors of time, four times a second."""

from __future__ import annotations

from random import Random

from porosity.vectors.asking import below, label
from porosity.words import Ask, Name, Vector, message

SECONDS, EVERY = 24.0, 0.25
_SCHEDULE = (0.0, *(EVERY,) * int(SECONDS / EVERY))


def _itself(name: Name, random: Random) -> list[Ask]:
    return [Ask(message(name.name), after=after) for after in _SCHEDULE]


def _fresh(name: Name, random: Random) -> list[Ask]:
    if name.match == "exact":
        return _itself(name, random)
    return [Ask(message(below(name.name, label(random))), after=after) for after in _SCHEDULE]


VECTORS = [
    Vector(
        id="lab-cached",
        family="time",
        sends=f"The name, type A, {1 / EVERY:.0f} times a second for {SECONDS:.0f} s, in which the order begins and ends.",
        leak="The target's addresses while the order is in force.",
        source="RFC 1035, section 7.4",
        asks=_itself,
        needs=frozenset({"udp", "clock"}),
    ),
    Vector(
        id="lab-fresh",
        family="time",
        sends=f"Random names below the name, type A, {1 / EVERY:.0f} times a second for {SECONDS:.0f} s, in which the order begins and ends.",
        leak="The target's addresses while the order is in force: no cache can have had them.",
        source="RFC 4592",
        asks=_fresh,
        needs=frozenset({"udp", "clock"}),
    ),
]
