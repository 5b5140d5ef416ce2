"""The names of a study, from lists as they are kept: a text or hosts file, directives, or the version in force of a state directory.

Lists are read by `blocklists`, as the operator's resolver reads them; what is measured with them is not. A name that several lists or orders have is
measured once, under the first. Canaries and neighbours are derived, so that a resolver that is down, or that blocks too much, shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import dns.name

from blocklists import names, suffixes
from porosity.plan import Listing
from porosity.words import Name


class Listed(NamedTuple):
    """What a list holds."""

    listing: Listing
    names: list[Name]


def of_text(file: Path, identity: str, form: str = "domains") -> Listed:
    """A list of names (`domains`: each with all below it; `hosts`: each exactly). Raises SourceError as for an operator's own list."""
    raise NotImplementedError


def of_directives(path: Path, identity: str, as_of: int) -> Listed:
    """YAML directives in a file or a directory, with whether each is in force at `as_of` (unix seconds). Raises SourceError."""
    raise NotImplementedError


def of_state(state_dir: Path, identity: str, as_of: int) -> Listed:
    """The block list in force in a state directory of Red Hand. Raises StoreError when there is none."""
    raise NotImplementedError


def merge(lists: Iterable[Listed]) -> list[Name]:
    """The names of all lists, each once, under the first that has it."""
    found: dict[dns.name.Name, Name] = {}
    for each in lists:
        for name in each.names:
            found.setdefault(name.name, name)
    return list(found.values())


def canaries(texts: Iterable[str], listed: Sequence[Name]) -> list[Name]:
    """Names that everybody answers and nobody blocks. Raises BadPlan for one that a list covers."""
    return [make(text, "canary") for text in texts]


def neighbours(listed: Sequence[Name], most: int, random: Random) -> list[Name]:
    """At most so many names close to listed ones and not covered by any: parents, siblings, look-alikes; drawn from `random`."""
    raise NotImplementedError


def make(text: str, group: str = "listed", **more: object) -> Name:
    """A name as people write it, with its registrable domain. Raises BadName."""
    key = names.key(names.listed(text))
    return Name(dns.name.from_wire(names.from_key(key), 0)[0], group, names.key_text(suffixes.registrable(key)), **more)  # type: ignore[arg-type]
