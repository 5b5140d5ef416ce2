"""Resolvers that nobody gave the client, which it can reach all the same."""

from __future__ import annotations

from porosity.vectors.asking import Asks, question
from porosity.vectors.transports import CALLED
from porosity.words import TRANSPORTS, Ask, Transport, Vector


def _beside(transport: Transport) -> Asks:
    # The first tells what the second is compared with: at a control, the target's data.
    return lambda name, random: [Ask(question(name.name)), Ask(question(name.name), transport, to="other")]


VECTORS = [
    Vector(
        id=f"other-{transport}",
        family="other resolvers",
        sends=f"The name, type A, to the resolver, and by {CALLED[transport][0]} to the other resolvers.",
        leak="The target's addresses, from another resolver.",
        source=CALLED[transport][1],
        asks=_beside(transport),
        needs=frozenset({"other"}),
    )
    for transport in TRANSPORTS
]
