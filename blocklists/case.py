"""One order from its block to its end: its amendments, suspensions and withdrawal, and what these leave in force from when until when. Pure."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from blocklists import directive as orders
from blocklists.directive import NEVER, Directive
from blocklists.guards import Guards
from blocklists.sources import Basis

LAYER = "orders"
SOURCE = "feed"
MODE = "redirect"
"""What visitors of a name ordered through the feed are answered: the way to the page that says why."""
CLOCKS_APART = 300
"""Seconds by which an operator's clock and the log's may differ."""


@dataclass(slots=True, eq=False)
class Order:
    """A block or an amendment that stands."""

    index: int
    logged_at: int
    sha256: bytes
    """Of its payload."""
    starts: int
    expires: int
    emergency: bool
    """Whether it ends after 72 hours: no reviewer has confirmed it."""
    document: bytes
    """Canonical JSON without the targets, deflated."""
    words: bytes
    """Which it was deflated by: tens of thousands of orders are alike in most of their words."""
    named: tuple[bytes, ...]
    """Its targets: `=` and a key for an exact name, `.` and a key for a subtree."""
    refused: Mapping[bytes, str]
    """Those that the guards refuse, and why."""
    held: str = ""
    """Why it is held, if it is."""

    @property
    def digest(self) -> str:
        return "sha256:" + self.sha256.hex()

    @property
    def ends(self) -> int:
        return min(self.expires, self.starts + orders.EMERGENCY_SECONDS) if self.emergency else self.expires

    def basis(self, identity: str, starts: int, ends: int, demonstration: bool) -> Basis:
        """What it puts in force for one stretch of time."""
        inflating = zlib.decompressobj(zdict=self.words)
        document = json.loads(inflating.decompress(self.document))
        document |= {"source": SOURCE, "layer": LAYER, "verified": True, "digest": self.digest, "index": self.index}
        if demonstration:
            document["demonstration"] = True
        listed = [(name[1:], name[:1] == b"=") for name in self.named if name not in self.refused]
        return Basis("directive", MODE, identity, starts, ends, LAYER, document, listed)


def make_order(directive: Directive, payload: bytes, index: int, logged_at: int, guards: Guards, words: bytes = b"") -> Order:
    """A block or an amendment as it is kept; each of its targets is judged on its own. `words`: those of another order; without, its own are."""
    document = json.loads(payload)
    del document["targets"]
    named: dict[bytes, None] = {}
    refused = {}
    for target in directive.targets or ():
        key = target.key
        name = (b"=" if target.match == "exact" else b".") + key
        named[name] = None
        if why := guards.refusal(key, target.match):
            refused[name] = f"{target.fqdn} {why}"
    text = orders.canonical(document)
    words = words or text
    deflating = zlib.compressobj(1, zdict=words)
    return Order(
        index=index,
        logged_at=logged_at,
        sha256=sha256(payload).digest(),
        starts=directive.starts,
        expires=int(directive.expires_at.timestamp()) if directive.expires_at else NEVER,
        emergency=directive.emergency is not None,
        document=deflating.compress(text) + deflating.flush(),
        words=words,
        named=tuple(named),
        refused=refused or _NONE,
    )


@dataclass(slots=True, eq=False)
class Case:
    """All that concerns one id."""

    id: str
    authority: str
    """Whose officers ordered it, by its id in the policy."""
    chain: tuple[Order, ...] = ()
    """The block and its amendments, each following the one before."""
    gaps: Mapping[int, int] = field(default_factory=lambda: _NO_GAPS)
    """Suspensions: from when until when."""
    over: int = NEVER
    """When it was withdrawn."""
    by_hand: tuple[tuple[int, int], ...] = ()
    """Suspensions carried in by hand, and withdrawals: from 0 until NEVER."""
    decided: Mapping[str, tuple[int, str]] = field(default_factory=lambda: _NOTHING)
    """What the operator decided (hold, release, suspend): when, and by whom and why."""

    def by_log(self) -> list[tuple[Order, int, int]]:
        """What is in force from when until when by the log alone, whatever this operator does."""
        return orders.stretches([order for order in self.chain if not order.held], self.gaps.items(), self.over)

    def here(self) -> list[tuple[Order, int, int]]:
        """The same with what was carried in by hand, and with the operator's decisions."""
        if "suspend" in self.decided or "hold" in self.decided:
            return []
        return orders.stretches([order for order in self.chain if not self._holds(order)], [*self.gaps.items(), *self.by_hand], self.over)

    def is_withdrawn(self, at: int) -> bool:
        return self.over <= at or any(closes == NEVER for _, closes in self.by_hand)

    def is_suspended(self, at: int) -> bool:
        return "suspend" in self.decided or any(opens <= at < closes for opens, closes in (*self.gaps.items(), *self.by_hand))

    def held(self) -> list[dict[str, Any]]:
        """`index`, `id` and `why` of each order that waits for the operator."""
        if "hold" in self.decided:
            return [{"index": self.chain[0].index, "id": self.id, "why": self.decided["hold"][1]}]
        return [{"index": order.index, "id": self.id, "why": order.held} for order in self.chain if self._holds(order)]

    def _holds(self, order: Order) -> bool:
        return bool(order.held) and not ("release" in self.decided and order.logged_at <= self.decided["release"][0] + CLOCKS_APART)


class Naming:
    """Which orders name a target: the rate counts no name that is in force already."""

    def __init__(self) -> None:
        self._orders: dict[bytes, tuple[tuple[Order, Case], ...]] = {}

    def fresh(self, order: Order, at: int) -> int:
        """How many targets of an order no other names that is in force at `at` by the log alone; a subtree and its exact name are two."""
        return sum(not self._is_named(name, at) for name in order.named)

    def add(self, order: Order, case: Case, at: int) -> None:
        """An order that stands from `at` on."""
        alone = ((order, case),)
        for name in order.named:
            others = tuple(each for each in self._orders.get(name, ()) if each[0].ends > at)
            self._orders[name] = others + alone if others else alone

    def _is_named(self, name: bytes, at: int) -> bool:
        return any(found is order and starts <= at < ends for order, case in self._orders.get(name, ()) for found, starts, ends in case.by_log())


_NONE: Mapping[bytes, str] = {}
_NO_GAPS: Mapping[int, int] = {}
_NOTHING: Mapping[str, tuple[int, str]] = {}
