"""What changed from one version to another, in the operator's terms: by source and reference, which terms and which names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from blocklists.store import Version
from blocklists.version import read_line

_Slot = tuple[str, str, str, str]


@dataclass(frozen=True)
class Change:
    """One directive or list that is not the same in both versions."""

    layer: str
    source: str
    kind: str
    reference: str
    change: Literal["added", "removed", "changed"]
    terms_before: list[dict[str, Any]]
    """Mode, start and end of each stretch; empty when it was not there."""
    terms_after: list[dict[str, Any]]
    names_added: list[str]
    """As in the entries: a leading dot for a name with everything under it."""
    names_removed: list[str]

    def to_json(self) -> dict[str, Any]:
        """The change as a machine reads it."""
        return asdict(self)


@dataclass
class _Side:
    terms: list[dict[str, Any]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


def compare(old: Version, new: Version) -> list[Change]:
    """Every difference, sorted by layer, source, kind and reference; empty when the identities are equal. Raises StoreError."""
    if old.identity == new.identity:
        return []
    before, after = list(old.lines()), list(new.lines())
    same = set(before) & set(after)
    # A directive's other stretches are shown with the one that changed, so equal lines are left out by slot, not one by one.
    sides = _slots(before), _slots(after)
    touched = {slot for lines in (before, after) for slot in _slots(line for line in lines if line not in same)}
    changes = []
    for slot in sorted(touched):
        was, now = (side.get(slot, _Side()) for side in sides)
        change: Literal["added", "removed", "changed"] = "added" if not was.terms else "removed" if not now.terms else "changed"
        changes.append(Change(*slot, change, was.terms, now.terms, sorted(now.names - was.names), sorted(was.names - now.names)))
    return changes


def _slots(lines: Iterable[bytes]) -> dict[_Slot, _Side]:
    found: dict[_Slot, _Side] = {}
    for line in lines:
        basis, names = read_line(line)
        slot = basis["layer"], str(basis["document"].get("source", "")), basis["kind"], basis["reference"]
        side = found.setdefault(slot, _Side())
        side.terms.append({"mode": basis["mode"], "starts": basis["starts"], "ends": basis["ends"]})
        side.names.update(names)
    return found
