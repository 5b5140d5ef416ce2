"""What the authority's signed policy says of an order: its category's own words, how soon an operator must restore, where its orders have pages.

The policy lies beside the version, in trust/policy.json, and is believed only if its SHA-256 is the one that the version's manifest names: that was
written after every signature on it was verified. Another file, or none, says nothing, and the page does with what orders say themselves.
An order is spoken of by the policy's epoch at its own log position, by which it was judged; words of a later epoch are not put in its mouth.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from blocklists import store

MAX_OCTETS = 4 << 20
"""Of a policy (`blocklists.trust.policy`, which is not loaded here: it brings all that verifies signatures)."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the policy says of one order; empty where it says nothing."""

    category: Mapping[str, str] = field(default_factory=dict)
    """Why sites of its category are blocked, by language, as the authority wrote it."""
    restore_hours: int | None = None
    """Within how many hours of a withdrawal operators must restore access."""
    reviewed: bool = False
    """Whether an independent reviewer holds an office of the policy, and may suspend the order."""
    register: str = ""
    """The address under which each order of the authority has its public page: its reference follows."""


NOTHING = Words()


class Ground:
    """One policy, by its epochs. Its file was verified; what is not as a policy has it is left out."""

    def __init__(self, digest: str, document: Mapping[str, Any]) -> None:
        self.digest = digest
        """SHA-256 of its file, 64 hex digits."""
        epochs = [epoch for epoch in document.get("epochs", ()) if isinstance(epoch, dict) and isinstance(epoch.get("begins"), int)]
        self._begins = [epoch["begins"] for epoch in epochs]
        self._epochs = [_Epoch(epoch) for epoch in epochs]

    def of(self, basis: Mapping[str, Any]) -> Words:
        """What it says of the order that a basis holds; nothing of one that the log did not bring, which the policy never judged."""
        index, category = basis.get("index"), basis.get("category")
        if basis.get("layer") != "orders" or basis.get("verified") is not True or not isinstance(index, int) or not isinstance(category, str):
            return NOTHING
        at = bisect_right(self._begins, index) - 1
        issuer = basis.get("issuer")
        return self._epochs[at].of(category, issuer.get("authority") if isinstance(issuer, dict) else None) if at >= 0 else NOTHING


class _Epoch:
    """One epoch, without the keys, which are most of it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._categories = _group(document, "categories")
        self._authorities = _group(document, "authorities")
        self._reviewed = any(isinstance(office, dict) and office.get("role") == "reviewer" for office in _group(document, "officers").values())

    def of(self, name: str, authority: object) -> Words:
        category = self._categories.get(name)
        if not isinstance(category, dict):
            return NOTHING
        hours = _group(category, "clocks").get("restore_hours")
        return Words(
            category={language: text for language, text in _group(category, "texts").items() if isinstance(text, str) and text},
            restore_hours=hours if isinstance(hours, int) and not isinstance(hours, bool) else None,
            reviewed=self._reviewed,
            register=self._register(category, authority),
        )

    def _register(self, category: Mapping[str, Any], authority: object) -> str:
        """Of the authority that ordered it: the one that may order the category, or of several the one whose name the order gives."""
        able = [found for each in category.get("authorities", ()) if isinstance(found := self._authorities.get(each), dict)]
        if len(able) > 1:
            able = [each for each in able if each.get("name") == authority]
        found = able[0].get("register_url") if len(able) == 1 else None
        return found if isinstance(found, str) else ""


def is_due(version: store.Version, ground: Ground | None) -> bool:
    """Whether the orders of a version were judged by another policy than this one, which is to be loaded."""
    return _wanted(version) not in {"", ground.digest if ground is not None else ""}


def load(state_dir: Path, version: store.Version, before: Ground | None) -> Ground | None:
    """The policy by which a version's orders were judged; `before` when that is it, or when the file is not there yet. Reads the file.

    The feed puts a version in force a moment before it replaces the file. Until then the policy before says nothing wrong: it is never changed for
    orders that were logged under it. To be tried again while it `is_due`.
    """
    digest = _wanted(version)
    if not is_due(version, before):
        return before
    try:
        with (state_dir / "trust" / "policy.json").open("rb") as file:
            data = file.read(MAX_OCTETS + 1)
    except OSError:
        return before
    return Ground(digest, json.loads(data)) if sha256(data).hexdigest() == digest else before


def _wanted(version: store.Version) -> str:
    orders = version.manifest["orders"]
    return str(orders["policy"]) if orders is not None else ""


def _group(document: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = document.get(field)
    return value if isinstance(value, dict) else {}
