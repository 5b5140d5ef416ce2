"""What a trial sends, and to whom. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import dns.exception

from porosity.plan import Plan, Trial
from porosity.words import Ask, Endpoint, Name, Resolver, Vector


def messages(plan: Plan, vector: Vector, trial: Trial, name: Name) -> list[Ask]:
    """A vector's messages for a name, the same at every resolver; none when it has no such form, as one more label can be too much."""
    try:
        return list(vector.asks(name, plan.random(trial)))
    except dns.exception.DNSException:
        return []


def targets(plan: Plan, resolver: Resolver, ask: Ask) -> list[Endpoint | None]:
    """Who gets a message of a trial at this resolver, in the order of the plan; None for one that cannot be reached so."""
    asked: Sequence[Resolver] = [resolver] if ask.to == "same" else [each for each in plan.resolvers if each.role == ask.to]
    return [each.endpoint(ask.transport, ask.ipv6) for each in asked]
