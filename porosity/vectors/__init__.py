"""The ways round a block that are known here, one module a family; and a researcher's own, from a file of theirs.

A vector's id is never given to something else. One that changes what it sends gets another id, so that two studies can be compared by it.
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from random import Random
from typing import get_args

import dns.name

from blocklists.errors import RedHandError
from porosity.vectors import dnssec, edns, failover, names, namespace, others, spellings, times, transports, types, upgrades
from porosity.words import TRANSPORTS, Ask, Family, Name, Role, Transport, Vector

_TRIED_ON = tuple(
    Name(dns.name.from_text(text), "listed", "specimen.example", match="subtree")
    for text in ("specimen.example.", "www.specimen.example.", "xn--bcher-kva.specimen.example.")
)


def _needing(vector: Vector) -> Vector:
    """The vector, with the transports it uses among what it needs: a resolver without them is not asked."""
    used = {ask.transport for ask in vector.asks(_TRIED_ON[0], Random(0)) if ask.to == "same"}  # noqa: S311 - to be repeated, not secret
    return replace(vector, needs=vector.needs | used)


ALL: tuple[Vector, ...] = tuple(
    _needing(vector)
    for module in (types, spellings, names, edns, transports, failover, times, dnssec, upgrades, others, namespace)
    for vector in module.VECTORS
)
"""All vectors of Red Hand, in the order of the families."""

FAMILIES: tuple[Family, ...] = get_args(Family)
NEEDS = frozenset({*TRANSPORTS, *get_args(Role), "ipv6", "zone", "clock", "canary"})
"""What a vector can need of a study."""

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MOST_WIRE = 65535
_MOST_ASKS = 2_000


class BadVectors(RedHandError, ValueError):
    """No such vector, or a file that declares none: the message says which and what to do."""


def by_id(id: str, known: Sequence[Vector] = ALL) -> Vector:
    """The vector with this id. Raises BadVectors, which names those that are spelt alike."""
    for vector in known:
        if vector.id == id:
            return vector
    alike = get_close_matches(id, [vector.id for vector in known])
    raise BadVectors(f"there is no vector {id!r}; " + (f"did you mean {' or '.join(alike)}?" if alike else "docs/vectors.md has them all"))


def load(file: Path) -> list[Vector]:
    """The vectors of a researcher's own file: Python that sets `VECTORS`. It is run, so take it only from whom you trust.

    Each is tried on sample names. Raises BadVectors when the file cannot be run, or one of them is not whole, says too little, or asks differently
    each time.
    """
    try:
        found = runpy.run_path(str(file)).get("VECTORS")
    except OSError as error:
        raise BadVectors(f"{file} cannot be read: {error.strerror}; give the path of a Python file that sets VECTORS") from None
    except Exception as error:  # whatever a stranger's module raises is told, with where it stands
        raise BadVectors(f"{file} cannot be run: {type(error).__name__}: {error}; mend it and try it with Python itself first") from error
    if not isinstance(found, list | tuple) or not found:
        raise BadVectors(f"{file} sets no VECTORS; end it with VECTORS = [Vector(…), …]")
    for number, vector in enumerate(found, start=1):
        if not isinstance(vector, Vector):
            raise BadVectors(f"{file}: number {number} of VECTORS is {type(vector).__name__}; make it a porosity.words.Vector")
        try:
            check(vector)
        except BadVectors as error:
            raise BadVectors(f"{file}: {error}") from None
    ids = [vector.id for vector in (*ALL, *found)]
    for vector in found:
        if ids.count(vector.id) > 1:
            raise BadVectors(f"{file}: the id {vector.id} is there already; give yours another, with your initials before it")
    return list(map(_needing, found))


def over(transport: Transport, given: Iterable[Vector], ipv6: bool = False) -> list[Vector]:
    """The same vectors by another transport, such as record types over HTTPS; `doh-` or `doh-ipv6-` stands before their ids."""

    def moved(vector: Vector) -> Vector:
        def asks(name: Name, random: Random) -> list[Ask]:
            return [replace(ask, transport=transport, ipv6=ipv6) if ask.to == "same" else ask for ask in vector.asks(name, random)]

        return replace(
            vector,
            id=f"{transport}-{'ipv6-' if ipv6 else ''}{vector.id}",
            sends=f"{vector.sends} All of it to the resolver by {transports.CALLED[transport][0]}{' over IPv6' if ipv6 else ''}.",
            needs=(vector.needs - set(TRANSPORTS)) | {transport} | ({"ipv6"} if ipv6 else set()),
            asks=asks,
        )

    return [moved(vector) for vector in given]


def check(vector: Vector) -> None:
    """Raises BadVectors, which says what is wrong with a vector."""
    what = f"the vector {vector.id!r}"
    if not isinstance(vector.id, str) or not _ID.fullmatch(vector.id):
        raise BadVectors(f"{what}: an id has lower case letters, digits and hyphens, such as type-https")
    if vector.family not in FAMILIES:
        raise BadVectors(f"{what} is of the family {vector.family!r}; take one of: {', '.join(FAMILIES)}")
    if vector.kind not in ("data", "signal"):
        raise BadVectors(f"{what} is of the kind {vector.kind!r}; say data or signal")
    for field in ("sends", "leak", "source"):
        if not isinstance(getattr(vector, field), str) or not getattr(vector, field).strip():
            raise BadVectors(f"{what} does not say its {field}; write one sentence")
    if unknown := set(vector.needs) - NEEDS:
        raise BadVectors(f"{what} needs {', '.join(sorted(map(str, unknown)))}, which no study has; a study can have {', '.join(sorted(NEEDS))}")
    for name in _TRIED_ON:
        _check_asks(vector, what, name)


def _check_asks(vector: Vector, what: str, name: Name) -> None:
    try:
        asks, again = (list(islice(vector.asks(name, Random(1)), _MOST_ASKS + 1)) for _ in range(2))  # noqa: S311 - to be repeated, not secret
    except Exception as error:  # as above
        raise BadVectors(f"{what} fails for {name.name}: {type(error).__name__}: {error}") from error
    if not asks:
        raise BadVectors(f"{what} asks nothing for {name.name}; ask one question at least")
    if len(asks) > _MOST_ASKS:
        raise BadVectors(f"{what} asks more than {_MOST_ASKS:,} times for {name.name}; let it end")
    if asks != again:
        raise BadVectors(f"{what} asks differently each time; take what is random from the source that it is given, and from nothing else")
    for ask in asks:
        if not isinstance(ask, Ask) or not isinstance(ask.wire, bytes):
            raise BadVectors(f"{what} gives {type(ask).__name__}; give Ask(message(name.name), …)")
        if not 12 <= len(ask.wire) <= _MOST_WIRE or ask.wire[:2] != b"\0\0":
            raise BadVectors(f"{what}: a message has 12 to {_MOST_WIRE} octets, and its ID is 0: the sender puts one in")
        if ask.transport not in TRANSPORTS or ask.to not in ("same", "secondary", "other") or not 0 <= ask.after < 3600:
            raise BadVectors(f"{what}: {ask.transport}, {ask.to} and {ask.after:g} s are not all possible; see porosity.words.Ask")
