"""Small studies for tests: real files, and observations that say what they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from porosity import names, plan, study
from porosity.plan import Plan
from porosity.study import Study
from porosity.words import Ask, Endpoint, Name, Observation, Resolver, Role, Vector, message

AS_OF = 1_800_000_000


def vector(type: str, **more: object) -> Vector:
    """One that asks for a type."""
    said = {"sends": f"a question for {type}", "leak": "the target's data", "source": "RFC 1035 section 3.2.2", **more}
    return Vector(f"type-{type.lower()}", "record type", asks=lambda name, random: [Ask(message(name.name, type))], **said)  # type: ignore[arg-type]


def resolver(identity: str, role: Role = "control", address: str = "127.0.0.1", port: int = 5300) -> Resolver:
    """One reached by UDP and TCP."""
    return Resolver(identity, role, (Endpoint("udp", address, port), Endpoint("tcp", address, port)))


VECTORS = [vector(type) for type in ("A", "AAAA", "HTTPS")]
RESOLVERS = [resolver("ours", "tested"), resolver("one"), resolver("two")]


def planned(listed: int = 20, vectors: Sequence[Vector] = VECTORS, resolvers: Sequence[Resolver] = RESOLVERS, **more: int) -> tuple[Plan, list[Name]]:
    """A plan for so many listed names and a canary."""
    given = [names.make(f"n{number}.blocked.test", match="subtree", list="orders") for number in range(listed)]
    return plan.make([*given, names.make("ok.example", "canary")], vectors, resolvers, **{"seed": 7, "as_of": AS_OF, "repeats": 2, **more})


def made(directory: Path, listed: int = 20, **more: int) -> Study:
    """The same on disk."""
    return study.create(directory, *planned(listed, **more))


def observed(of: Study, trial: int, asks: int = 1, answer: bytes = b"\x80answer") -> list[Observation]:
    """What came of a trial, as if somebody had answered."""
    number, repeat, name, vector, resolver = of.plan.trial(trial)
    return [
        Observation(
            number, ask, of.plan.resolvers[resolver].id, of.names[name].name.to_text(omit_final_dot=True), of.plan.vectors[vector].id, repeat,
            "127.0.0.1:5300", 1_800_000_000_000_000 + number, 1200 + ask, 1, "", b"\x00query%d" % number, answer,
        )
        for ask in range(asks)
    ]  # fmt: skip
