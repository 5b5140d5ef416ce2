"""The list that the log's first entries order at a time, from the log and the trust directory alone: its identity is the same on every machine.

Nothing of an operator's own enters: no local list, no own names, no decision, no file by hand, no pin. Where there are none of these, the version in
force has this identity; where there are, its orders layer is compared.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from blocklists.docket import RULES, Docket
from blocklists.errors import BadDocument, ConfigurationError, StoreError
from blocklists.log.tree import Tree
from blocklists.replay import data_of
from blocklists.trust import policy
from blocklists.version import assemble


class Rebuilt(NamedTuple):
    """A list, by its digests."""

    origin: str
    size: int
    root: str
    """Hex, of the log's first `size` entries."""
    at: int
    """Unix seconds."""
    policy: str
    """SHA-256 of each file it is judged by, hex."""
    protected: str
    suffixes: str
    rules: int
    """Version of the docket's rules."""
    identity: str
    orders: str
    """SHA-256 of the orders layer, hex: compare it with `layers` in a version's manifest."""
    names: int


def rebuild(state_dir: Path, upto: int, at: int) -> Rebuilt:
    """The list of the log's first `upto` entries at `at` (unix seconds). Raises ConfigurationError for more than there are, StoreError for damage."""
    trust = state_dir / "trust"
    tree = Tree(state_dir / "log")
    if not 0 <= upto <= tree.size:
        raise ConfigurationError(f"--upto: our copy of the log has {tree.size} entries, and never had {upto}; name fewer, or run redhand sync")
    files = {name: _read(trust / name) for name in ("policy.json", "protected.json", "suffixes.dat")}
    try:
        judged_by = policy.load(files["policy.json"])
        demonstration = json.loads(_read(trust / "authority"))["demonstration"] is True
        data = data_of(judged_by, files["protected.json"], files["suffixes.dat"], demonstration)
    except (BadDocument, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"what {trust} holds cannot be used ({error}); run: redhand sync --once") from None
    held = Docket(data)
    for position, entry in enumerate(tree.entries(0, upto)):
        held.take(position, entry)
    found = assemble(held.state(at), at)
    return Rebuilt(
        origin=judged_by.log.origin,
        size=upto,
        root=tree.root_at(upto).hex(),
        at=at,
        policy=_digest(files["policy.json"]),
        protected=_digest(files["protected.json"]),
        suffixes=_digest(files["suffixes.dat"]),
        rules=RULES,
        identity=found.identity,
        orders=found.layers["orders"].sha256,
        names=found.names,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}): nothing was verified here yet, or it was removed; run: redhand sync") from None


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
