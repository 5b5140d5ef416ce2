"""What changed between two versions, told by source and reference."""

from __future__ import annotations

from pathlib import Path

from blocklists import store
from blocklists.diff import compare
from tests.blocklists.lists import House, documents, order


def test_changes_are_told_by_source_and_reference(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.source("orders", "directives")
    house.source("own", "domains")
    house.write("orders", documents(order("FR-1", "one.example"), order("FR-2", "two.example", "three.example"), order("FR-3", "x.example")))
    house.write("own", "a.example\nb.example\n")
    house.build()
    house.write(
        "orders", documents(order("FR-1", "one.example", expires="2097-01-01T00:00:00Z"), order("FR-3", "x.example"), order("FR-4", "y.example"))
    )
    house.write("own", "b.example\nc.example\n")
    house.build()
    old, new = (store.open_version(house.state, serial) for serial in (1, 2))
    assert compare(old, old) == []
    changes = compare(old, new)
    assert [(change.kind, change.reference, change.change, change.names_added, change.names_removed) for change in changes] == [
        ("directive", "FR-1", "changed", [], []),
        ("directive", "FR-2", "removed", [], [".three.example", ".two.example"]),
        ("directive", "FR-4", "added", [".y.example"], []),
        ("own", "own", "changed", [".c.example"], [".a.example"]),
    ]
    assert (changes[0].terms_before[0]["ends"], changes[0].terms_after[0]["ends"]) == (4_052_419_200, 4_007_836_800)
    assert changes[3].terms_before == changes[3].terms_after == [{"mode": "redirect", "starts": 0, "ends": 0}]
    assert (changes[2].terms_before, changes[1].terms_after) == ([], [])
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [(change.reference, change.change, change.names_added, change.names_removed) for change in compare(new, old)] == [
        (change.reference, opposite[change.change], change.names_removed, change.names_added) for change in changes
    ]
