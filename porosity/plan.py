"""What a study will do, fixed before it asks anything: names, vectors, resolvers, repeats and a seed. Same plan, same questions in the same order.

A plan has an id, the SHA-256 of its canonical JSON, which everything made from it carries. A *cell* is one vector tried on one name in one repeat, at
every resolver; a *trial* is a cell at one resolver. Trials are numbered ((repeat·names + name)·vectors + vector)·resolvers + resolver, so that the
number alone, with the plan, says what was asked, and the trials of a cell stand side by side.

Pure: no file, no clock, no socket. What cannot be measured is left out of the plan with its reason, never measured half.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from random import Random
from typing import Any, NamedTuple

import dns.name

from blocklists.errors import RedHandError
from blocklists.version import canonical
from porosity.words import TRANSPORTS, Endpoint, Family, Name, Resolver, Vector

FORMAT = 1
"""Of plan.json; another one is refused."""

BATCH = 200
"""Trials of one batch, at most, for up to 66 resolvers: each batch has a canary at every resolver."""

REPEATS = 3

MEASURED = ("tested", "control")
"""Roles of resolvers that have trials of their own; those of other roles are only reached by asks for them."""

_SPECIMEN = Name(dns.name.from_text("www.specimen.example."), "listed", "specimen.example", match="subtree")


class BadPlan(RedHandError, ValueError):
    """What was asked for is no plan, or a file is none: the message says what is missing and how to give it."""


class Trial(NamedTuple):
    """One trial, by its number and by what the number says."""

    number: int
    repeat: int
    name: int
    """Number of the name in the study's names."""
    vector: int
    """Place of the vector in the plan."""
    resolver: int
    """Place of the resolver in the plan."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A vector as a plan holds it: what it says of itself, and the hash of what it sends."""

    id: str
    family: Family
    sends: str
    leak: str
    source: str
    kind: str
    needs: tuple[str, ...]
    sha256: str
    """64 hex digits over all the above and the messages for a name and a seed that never change."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that names were taken from."""

    id: str
    source: str
    """What it was read from, as the study may tell: a file's name, not its path."""
    sha256: str
    """64 hex digits over what was read; of a version, its identity."""
    names: int
    """How many names of the study are under this list; one that several lists have is under the first."""


@dataclass(frozen=True)
class Plan:
    """What a study will do."""

    seed: int
    as_of: int
    """Unix seconds at which orders were in force or not."""
    lists: tuple[Listing, ...]
    names: int
    canaries: int
    """How many of the names are canaries. They are the first."""
    names_sha256: str
    """64 hex digits, as `digest` gives them."""
    vectors: tuple[Declared, ...]
    left_out: Mapping[str, str]
    """Vectors that were asked for and cannot be tried in this study, with the reason."""
    resolvers: tuple[Resolver, ...]
    """Tested ones first, then controls, then those of other roles."""
    repeats: int
    order: str
    """Which rule orders the trials (`porosity.order`)."""
    ethics: Mapping[str, Any]
    """What was promised to those who are asked: contact, hash of the list of allowed targets, rates. Texts and integers."""
    software: Mapping[str, str]

    @cached_property
    def measured(self) -> int:
        """How many resolvers have trials of their own: the first so many."""
        return sum(each.role in MEASURED for each in self.resolvers)

    @property
    def cells(self) -> int:
        """How many cells a repeat has."""
        return self.names * len(self.vectors)

    @property
    def trials(self) -> int:
        """How many numbers trials have."""
        return self.repeats * self.cells * self.measured

    @property
    def made(self) -> int:
        """How many trials are made: vectors that ask nothing of a name are tried on canaries alone."""
        return self.trials - self.repeats * len(self.alike) * (self.names - self.canaries) * self.measured

    @cached_property
    def alike(self) -> frozenset[int]:
        """Places of vectors that are tried on canaries alone."""
        return frozenset(place for place, each in enumerate(self.vectors) if "canary" in each.needs)

    def number(self, repeat: int, name: int, vector: int, resolver: int) -> int:
        """The number of a trial."""
        return ((repeat * self.names + name) * len(self.vectors) + vector) * self.measured + resolver

    def trial(self, number: int) -> Trial:
        """What the number says. Raises BadPlan when no trial has it."""
        if not 0 <= number < self.trials:
            raise BadPlan(f"trial {number} is not in the plan, which has {self.trials}; it belongs to another study")
        cell, resolver = divmod(number, self.measured)
        rest, vector = divmod(cell, len(self.vectors))
        repeat, name = divmod(rest, self.names)
        return Trial(number, repeat, name, vector, resolver)

    def random(self, trial: Trial) -> Random:
        """The source of a trial's random parts: the same at every resolver, so that all are asked the same."""
        return Random(f"{self.seed} {trial.repeat} {trial.name} {self.vectors[trial.vector].id}")  # noqa: S311 - to be repeated, not secret

    def find(self, vectors: Iterable[Vector]) -> list[Vector]:
        """The vectors of this plan, in its order, among those given. Raises BadPlan when one is missing, or sends something else by now."""
        known = {each.id: each for each in vectors}
        found = []
        for declared in self.vectors:
            vector = known.get(declared.id)
            if vector is None:
                raise BadPlan(f"the plan has the vector {declared.id}, which is not known here; give the file that declares it")
            if declare(vector).sha256 != declared.sha256:
                raise BadPlan(f"the vector {declared.id} is not the one that was planned; use the version that it was planned with, or plan anew")
            found.append(vector)
        return found

    @cached_property
    def json(self) -> bytes:
        """Its canonical JSON: what stands in plan.json."""
        return canonical(_plain(self)) + b"\n"

    @cached_property
    def id(self) -> str:
        """64 hex digits."""
        return hashlib.sha256(self.json).hexdigest()


def batch_cells(measured: int) -> int:
    """How many cells a batch has at most, when a cell has so many trials."""
    return max(3, BATCH // measured)


def make(
    names: Iterable[Name],
    vectors: Iterable[Vector],
    resolvers: Iterable[Resolver],
    *,
    seed: int,
    as_of: int,
    repeats: int = REPEATS,
    lists: Sequence[Listing] = (),
    has: frozenset[str] = frozenset(),
    ethics: Mapping[str, Any] | None = None,
    software: Mapping[str, str] | None = None,
) -> tuple[Plan, list[Name]]:
    """A plan, and its names in their order.

    `names`: canaries among them, which come first, over again until every batch has one. `has`: what the study has of `zone` and `clock`.
    `as_of`: unix seconds. Raises BadPlan when there is nothing to measure, nothing tested, no canary, or a name, vector or resolver twice.
    """
    placed = tuple(sorted(resolvers, key=lambda each: ("tested", "control", "secondary", "other").index(each.role)))
    _check_resolvers(placed)
    measured = sum(each.role in MEASURED for each in placed)
    arranged, canaries = _arrange(names, measured)
    kept, left_out = _possible(vectors, placed, has)
    if repeats < 1:
        raise BadPlan(f"{repeats} repeats measure nothing; give 1 or more (3 show what varies by itself)")
    under: dict[str, int] = {}
    for name in (each for each in arranged if each.group in ("listed", "below")):
        under[name.list] = under.get(name.list, 0) + 1
    from porosity.order import RULE  # noqa: PLC0415 - the order is made from plans

    plan = Plan(
        seed=seed,
        as_of=as_of,
        lists=tuple(Listing(each.id, each.source, each.sha256, under.get(each.id, 0)) for each in lists),
        names=len(arranged),
        canaries=canaries,
        names_sha256=digest(map(row, arranged)),
        vectors=tuple(kept),
        left_out=left_out,
        resolvers=placed,
        repeats=repeats,
        order=RULE,
        ethics=dict(ethics or {}),
        software=dict(software or {}),
    )
    try:
        plan.json  # noqa: B018 - what has no canonical form is refused here, not when it is first needed
    except ValueError as error:
        raise BadPlan(f"the plan has no form that every machine agrees on: {error}") from None
    return plan, arranged


def read(data: bytes) -> Plan:
    """The plan that these bytes of a plan.json are. Raises BadPlan for anything that `make` did not write."""
    try:
        found = json.loads(data)
        if found.pop("format") != FORMAT:
            raise BadPlan(f"this plan is not of format {FORMAT}; use the release that wrote it")
        plan = Plan(
            **{
                **found,
                "lists": tuple(Listing(**each) for each in found["lists"]),
                "vectors": tuple(Declared(**{**each, "needs": tuple(each["needs"])}) for each in found["vectors"]),
                "resolvers": tuple(
                    Resolver(each["id"], each["role"], tuple(Endpoint(**endpoint) for endpoint in each["endpoints"])) for each in found["resolvers"]
                ),
            }
        )
        if plan.json != data:
            raise ValueError("it was changed after it was made")
    except BadPlan:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadPlan(f"plan.json is not a plan as it was made ({error}); take the study's own, or plan anew in another directory") from None
    return plan


def declare(vector: Vector) -> Declared:
    """What a plan holds of a vector."""
    sent = [
        {"wire": ask.wire.hex(), "transport": ask.transport, "ipv6": ask.ipv6, "to": ask.to, "after": round(ask.after * 1_000_000)}
        for ask in vector.asks(_SPECIMEN, Random(0))  # noqa: S311 - the same each time is what is wanted
    ]
    said = {
        "id": vector.id,
        "family": vector.family,
        "sends": vector.sends,
        "leak": vector.leak,
        "source": vector.source,
        "kind": vector.kind,
        "needs": sorted(vector.needs),
    }
    sha256 = hashlib.sha256(canonical({**said, "asks": sent})).hexdigest()
    return Declared(vector.id, vector.family, vector.sends, vector.leak, vector.source, vector.kind, tuple(sorted(vector.needs)), sha256)


def row(name: Name) -> tuple[str, str, str, str, str, str, bool]:
    """A name as texts: itself, group, domain, list, directive, match, and whether it is in force."""
    return name.name.to_text(omit_final_dot=True), name.group, name.domain, name.list, name.directive, name.match, name.in_force


def digest(rows: Iterable[tuple[str, str, str, str, str, str, bool]]) -> str:
    """64 hex digits over names in their order, as `row` gives them, whatever file they stand in."""
    found = hashlib.sha256()
    for each in rows:
        found.update(json.dumps(each, separators=(",", ":")).encode() + b"\n")
    return found.hexdigest()


def _plain(plan: Plan) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if hasattr(value, "__dataclass_fields__"):
            return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
        return value

    return {"format": FORMAT, **plain(plan)}


def _check_resolvers(resolvers: Sequence[Resolver]) -> None:
    if not any(each.role == "tested" for each in resolvers):
        raise BadPlan("no resolver is tested; name one with --resolver")
    seen: set[str] = set()
    for each in resolvers:
        if each.id in seen:
            raise BadPlan(f"two resolvers have the id {each.id!r}; give each one of its own, as in ID=ADDRESS")
        if not each.endpoints:
            raise BadPlan(f"the resolver {each.id!r} has no endpoint; say where it is reached")
        seen.add(each.id)


def _arrange(names: Iterable[Name], measured: int) -> tuple[list[Name], int]:
    canaries: list[Name] = []
    others: list[Name] = []
    seen: set[dns.name.Name] = set()
    for each in names:
        if each.name in seen:
            raise BadPlan(f"{each.name} is there twice; keep one, the name of an order rather than a neighbour or a canary")
        seen.add(each.name)
        (canaries if each.group == "canary" else others).append(each)
    if not others:
        raise BadPlan("there is no name to measure; give a list, or a file of names")
    if not canaries:
        raise BadPlan("there is no canary, so that a resolver that is down would look like one that blocks; name one that all answer with --canary")
    # Each batch has one at every resolver. Then there are as many cells of canaries as batches, whatever the number of vectors.
    wanted = -(-len(others) // (batch_cells(measured) - 2))
    repeated = [canaries[number % len(canaries)] for number in range(max(wanted, len(canaries)))]
    return repeated + others, len(repeated)


def _possible(vectors: Iterable[Vector], resolvers: Sequence[Resolver], has: frozenset[str]) -> tuple[list[Declared], dict[str, str]]:
    tested = [endpoint for each in resolvers if each.role == "tested" for endpoint in each.endpoints]
    there = {endpoint.transport for endpoint in tested} | {each.role for each in resolvers} | has | {"canary"}
    if any(":" in endpoint.address for endpoint in tested):
        there |= {"ipv6"}
    kept: list[Declared] = []
    left_out: dict[str, str] = {}
    seen: set[str] = set()
    for vector in vectors:
        if vector.id in seen:
            raise BadPlan(f"two vectors have the id {vector.id!r}; rename the one that is yours")
        seen.add(vector.id)
        missing = sorted(vector.needs - there)
        if missing:
            left_out[vector.id] = "; ".join(map(_lacking, missing))
        else:
            kept.append(declare(vector))
    if not kept:
        raise BadPlan("no vector can be tried: " + ("; ".join(f"{key}: {why}" for key, why in left_out.items()) or "none was given"))
    return kept, left_out


def _lacking(need: str) -> str:
    if need in TRANSPORTS:
        return f"no tested resolver is given with {need}"
    return {
        "ipv6": "no tested resolver is given with an IPv6 address",
        "secondary": "no secondary resolver is given",
        "other": "no other resolver is given",
        "zone": "the names' authoritative servers are not ours",
        "clock": "the study does not put orders in force and withdraw them itself",
    }.get(need, f"the study does not have {need}")
