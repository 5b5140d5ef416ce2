"""Which versions stay on disk."""

from __future__ import annotations

from pathlib import Path

from blocklists import store
from tests.blocklists.lists import House


def test_a_source_that_fails_now_and_then_does_not_push_out_what_one_could_go_back_to(tmp_path: Path) -> None:
    house = House(tmp_path, keep_versions=3)
    house.source("own", "domains")
    for name in ("one", "two", "three"):
        house.write("own", f"{name}.example\n")
        house.build()
    for _ in range(6):
        house.write("own", "")
        house.build()
        house.write("own", "three.example\n")
        assert house.build().changed
    kept = store.serials(house.state)
    assert kept == [1, 2, 14, 15]
    found = {store.read_manifest(house.state, serial)["identity"] for serial in kept}
    assert len(found) == 3, "one, two, and three as it stands"


def test_versions_that_differ_go_oldest_first_and_damaged_ones_before_them(tmp_path: Path) -> None:
    house = House(tmp_path, keep_versions=3)
    house.source("own", "domains")
    for number in range(4):
        house.write("own", f"n{number}.example\n")
        house.build()
    assert store.serials(house.state) == [1, 2, 3, 4]
    manifest = house.state / "versions" / "2" / "manifest.json"
    manifest.unlink()
    manifest.write_bytes(b"{}")
    for number, kept in ((4, [1, 3, 4, 5]), (5, [3, 4, 5, 6])):
        house.write("own", f"n{number}.example\n")
        house.build()
        assert store.serials(house.state) == kept
