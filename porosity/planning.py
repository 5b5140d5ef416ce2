"""A new study from what a person gives: lists, canaries, resolvers and vectors as they are written on a command line.

Nothing is asked here. What the plan will be is decided by `plan`, who may be asked and how fast by `ethics`.
"""

from __future__ import annotations

import platform
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from random import Random

from porosity import ethics, names, plan, resolvers, study
from porosity import vectors as built_in
from porosity.plan import BadPlan
from porosity.study import Study
from porosity.words import Resolver, Role, Vector

_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})=(.+)", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Wishes:
    """What a study is asked to be, as people write it."""

    lists: Sequence[str]
    """Paths, as `names.read` takes them, each with `ID=` before it or not."""
    canaries: Sequence[str]
    tested: Sequence[str]
    controls: Sequence[str] = ()
    secondary: Sequence[str] = ()
    others: Sequence[str] = ()
    """Resolvers, as `resolvers.parse` takes them."""
    vectors: Sequence[str] = ()
    """Ids, families, and files with vectors of one's own (`.py`); empty: all that are built in."""
    repeats: int = plan.REPEATS
    seed: int | None = None
    """None: a random one, which the plan then holds."""
    neighbours: int = names.NEIGHBOURS
    """At most so many."""
    allow: Path | None = None
    contact: str = ""
    rate: int | None = None
    """As `ethics.promise` takes them."""
    has: frozenset[str] = field(default_factory=frozenset)
    """`zone`, `clock`."""


@dataclass(frozen=True)
class Planned:
    """A study that was made."""

    study: Study
    vectors: list[Vector]
    """Those of the plan, in its order."""
    skipped: list[str]
    """Records of the lists that were not taken, with their reasons."""


def make(directory: Path, wishes: Wishes, now: int) -> Planned:
    """Writes a new study. `now`: unix seconds, at which orders are in force or not.

    Raises BadPlan, BadName, SourceError, StoreError and ethics.NotAllowed, each with what to do; then nothing is written.
    """
    seed = secrets.randbits(48) if wishes.seed is None else wishes.seed
    chosen = select(wishes.vectors)
    asked = parse({"tested": wishes.tested, "control": wishes.controls, "secondary": wishes.secondary, "other": wishes.others})
    promised = ethics.promise(asked, wishes.allow, wishes.contact, wishes.rate)
    lists = [listed for text in wishes.lists for listed in _read(text, now)]
    merged = names.merge(lists)
    canaries = names.canaries(wishes.canaries, merged)
    taken = {each.name for each in canaries}
    near = [each for each in names.neighbours(merged, wishes.neighbours, Random(seed)) if each.name not in taken]  # noqa: S311 - to be repeated
    made, arranged = plan.make(
        [*canaries, *merged, *near],
        chosen,
        asked,
        seed=seed,
        as_of=now,
        repeats=wishes.repeats,
        lists=[each.listing for each in lists],
        has=wishes.has,
        ethics=promised,
        software=software(),
    )
    return Planned(study.create(directory, made, arranged), made.find(chosen), [line for each in lists for line in each.skipped])


def parse(texts: dict[Role, Sequence[str]]) -> list[Resolver]:
    """Resolvers by their roles. Raises BadPlan."""
    return [resolvers.parse(text, role) for role, given in texts.items() for text in given]


def select(texts: Iterable[str]) -> list[Vector]:
    """Vectors by id, by family, or from a file (`.py`), each once; all that are built in, if none is named. Raises BadPlan for one unknown."""
    everything: Sequence[Vector] = built_in.ALL
    found: dict[str, Vector] = {}
    for text in texts:
        if text.endswith(".py"):
            some = built_in.load(Path(text))
        elif not (some := [each for each in everything if text in (each.id, each.family)]):
            families = ", ".join(dict.fromkeys(each.family for each in everything))
            raise BadPlan(f"no vector and no family of vectors is called {text!r}; families are {families}; ids are in docs/vectors.md")
        found.update({each.id: each for each in some})
    return list(found.values()) or list(everything)


def software() -> dict[str, str]:
    """Versions of what decides which questions are planned."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in ("redhand", "dnspython", "publicsuffixlist")}


def _read(text: str, now: int) -> list[names.Listed]:
    named = None if Path(text).exists() else _NAMED.fullmatch(text)
    return names.read(Path(named[2]), now, named[1]) if named else names.read(Path(text), now)
