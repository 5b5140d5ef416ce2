"""What a trial sends, and to whom. Pure. A vector may be somebody's own: what it gives for a name is looked at before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import dns.exception

from porosity.plan import BadPlan, Plan, Trial
from porosity.words import TRANSPORTS, Ask, Endpoint, Name, Resolver, Vector

MOST_ASKS = 2_000
"""Of a trial: more than any watch of ours, by far."""
MOST_WIRE, MOST_AFTER = 65_535, 3600.0


def messages(plan: Plan, vector: Vector, trial: Trial, name: Name) -> list[Ask]:
    """A vector's messages for a name, the same at every resolver; none when it has no such form, as one more label can be too much.

    Raises BadPlan when the vector fails for this name, or gives what cannot be sent.
    """
    try:
        asks = list(islice(vector.asks(name, plan.random(trial)), MOST_ASKS + 1))
    except dns.exception.DNSException:
        return []
    except Exception as error:  # a vector is a researcher's own program, which may fail for one name in a thousand
        raise BadPlan(f"the vector {vector.id} fails for {name.name}: {type(error).__name__}: {error}; {_REMEDY}") from error
    if len(asks) > MOST_ASKS:
        raise BadPlan(f"the vector {vector.id} asks more than {MOST_ASKS:,} times for {name.name}; {_REMEDY}")
    for ask in asks:
        if not _possible(ask):
            raise BadPlan(f"the vector {vector.id} gives for {name.name} what cannot be sent; {_REMEDY}")
    return asks


_REMEDY = "mend the file that declares it, and go on with the same command: what came is on record"


def _possible(ask: object) -> bool:
    return (
        isinstance(ask, Ask)
        and isinstance(ask.wire, bytes)
        and 2 <= len(ask.wire) <= MOST_WIRE
        and ask.transport in TRANSPORTS
        and ask.to in ("same", "secondary", "other")
        and 0 <= ask.after < MOST_AFTER
    )


def targets(plan: Plan, resolver: Resolver, ask: Ask) -> list[Endpoint | None]:
    """Who gets a message of a trial at this resolver, in the order of the plan; None for one that cannot be reached so."""
    asked: Sequence[Resolver] = [resolver] if ask.to == "same" else [each for each in plan.resolvers if each.role == ask.to]
    return [each.endpoint(ask.transport, ask.ipv6) for each in asked]
