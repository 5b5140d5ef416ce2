"""Makes a proof file from what an operator has verified: its trust directory and its copy of the log. Nothing is fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from blocklists import names
from blocklists.errors import BadDocument, FeedError, StoreError
from blocklists.feed.trusted import Trusted
from blocklists.finding import when
from blocklists.log.note import parse_note
from blocklists.log.tree import Tree
from blocklists.proof import Pin, Proof, Shown
from blocklists.replay import bearing
from blocklists.verification import verify

_TRIES = 5

SMALL = 1_000
"""Entries up to which the whole log goes into a proof unasked: some megabytes."""


def prove(state_dir: Path, name: str, at: int | None = None, full: bool | None = None) -> Proof:
    """The proof about a name at a time, which is that of our checkpoint unless given; checked as a reader will check it.

    `full`: with the whole log, so that it shows what was in force; None: if that is small. Raises BadName, FeedError when nothing can be proved, and
    StoreError for damage.
    """
    for _ in range(_TRIES):
        trusted = Trusted(state_dir)
        before = trusted.stamp()
        try:
            made, bootstrap = _made(state_dir, name, at, full)
            verify(made.encode(), bootstrap)
        except (BadDocument, StoreError):
            if trusted.stamp() == before:
                raise
        else:
            return made
    raise StoreError(f"{state_dir / 'trust'} changed each time it was read; try again")


def _made(state_dir: Path, name: str, at: int | None, full: bool | None) -> tuple[Proof, bytes]:
    """The proof, and the root file it begins with. The feed may replace files meanwhile: `prove` sees to that."""
    trust = state_dir / "trust"
    asked = names.to_text(names.listed(name))
    note = _read(trust / "checkpoint")
    checkpoint, _ = parse_note(note)
    time = checkpoint.time if at is None else at
    tree = Tree(state_dir / "log")
    if tree.size < checkpoint.size:
        raise StoreError(f"the copy of the log in {tree.directory} has {tree.size} entries, and {checkpoint.size} are believed; run: redhand sync")
    log = list(tree.entries(0, checkpoint.size))
    whole = checkpoint.size <= SMALL if full is None else full
    if whole and time > checkpoint.time:
        raise FeedError(
            f"our newest checkpoint was signed at {when(checkpoint.time)}, and proves nothing about {when(time)}; run redhand sync, or ask earlier"
        )
    found = bearing(log, asked)
    if not found and not whole:
        raise FeedError(f"no entry of the log concerns {asked}; to prove that none is in force, add --full")
    roots = _roots(trust)
    targets = _read(trust / "metadata" / "targets.json")
    made = Proof(
        name=asked,
        at=time,
        roots=roots[1:],
        targets=targets,
        policy=_read(trust / "policy.json"),
        checkpoint=note,
        pins=[Pin(by, tree.consistency(_pinned(data), checkpoint.size)) for by, data in (("root", roots[-1]), ("targets", targets))],
        entries=[Shown(index, log[index], tree.inclusion(index, checkpoint.size)) for index in found],
        protected=_read(trust / "protected.json") if whole else None,
        suffixes=_read(trust / "suffixes.dat") if whole else None,
        prefix=log if whole else None,
    )
    return made, roots[0]


def _roots(trust: Path) -> list[bytes]:
    """The root file that trust began with, and those that follow it."""
    found = [_read(trust / "root.json")]
    version = int(_signed(found[0])["version"]) + 1
    while (path := trust / "metadata" / "root_history" / f"{version}.root.json").exists():
        found.append(_read(path))
        version += 1
    return found


def _signed(data: bytes) -> dict[str, Any]:
    signed: dict[str, Any] = json.loads(data)["signed"]
    return signed


def _pinned(data: bytes) -> int:
    return int(_signed(data)["redhand"]["pinned"]["size"])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}): nothing was verified here yet, or it was removed; run: redhand sync") from None
