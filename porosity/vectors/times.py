"""A watch: the same question over two minutes, in which whoever holds the study's clock puts an order in force, or withdraws it.

The instants of the order are not the vector's to know. Each ask is an observation with its time at the socket, so that time to enforce and to restore
are read from the observations beside the instants that the study wrote down; what had not happened at the end is censored there.
"""

from __future__ import annotations

from itertools import chain, repeat
from random import Random

from porosity.vectors.asking import Asks, below, label, question
from porosity.words import Ask, Name, Vector

WATCH = (0.0, *chain(repeat(0.5, 20), repeat(1.0, 20), repeat(5.0, 18)))
"""Seconds before each ask: close at first, because what is quick should be told apart; 120 s in all."""
CLOSE = (0.0, *repeat(0.5, 120))
"""So close that a resolver which prefetches names in use does (Unbound: in the last tenth of a record's life): 60 s in all."""


def _itself(schedule: tuple[float, ...]) -> Asks:
    def asks(name: Name, random: Random) -> list[Ask]:
        wire = question(name.name)
        return [Ask(wire, after=after) for after in schedule]

    return asks


def _fresh(name: Name, random: Random) -> list[Ask]:
    if name.match == "exact":
        return list(_itself(WATCH)(name, random))
    return [Ask(question(below(name.name, label(random))), after=after) for after in WATCH]


def _time(id: str, sends: str, leak: str, source: str, asks: Asks, *needs: str) -> Vector:
    return Vector(id=f"time-{id}", family="time", sends=sends, leak=leak, source=source, asks=asks, needs=frozenset({"clock", *needs}))


VECTORS = [
    _time(
        "enforce",
        "A random name below the name (the name itself where the order covers only that), type A, over 120 s in which the order begins.",
        "The target's data after the order began: no cache can have had it.",
        "RFC 4592",
        _fresh,
    ),
    _time(
        "cached",
        "The name, type A, over 120 s in which the order begins: the resolver has it in its cache.",
        "The target's addresses after the order began.",
        "RFC 1035, section 7.4",
        _itself(WATCH),
    ),
    _time(
        "prefetch",
        "The name, type A, twice a second for 60 s in which the order begins.",
        "The target's addresses after the order began, with a time to live that grew: they were fetched anew.",
        "unbound.conf(5), `prefetch`",
        _itself(CLOSE),
    ),
    _time(
        "stale",
        "The name, type A, over 120 s in which the order begins and the name's servers fall silent.",
        "The target's addresses after the order began, kept beyond their time to live.",
        "RFC 8767",
        _itself(WATCH),
        "zone",
    ),
    _time(
        "restore",
        "The name, type A, over 120 s in which the order is withdrawn.",
        "None: what lasts is the block, after the order.",
        "RFC 2308, section 5",
        _itself(WATCH),
    ),
]
