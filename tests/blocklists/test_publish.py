"""Which versions stay on disk."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from blocklists import store, succession
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


def test_however_often_the_list_changes_one_can_go_back_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four changes a day: the latest three stay, and the last of each of the three days before today, though one of them is said again later."""
    house = House(tmp_path, keep_versions=3)
    house.source("own", "domains")
    noon = int(time.time()) // 86_400 * 86_400 + 43_200
    number = 0
    for day in range(5):
        for hour in range(4):
            monkeypatch.setattr(succession, "time", SimpleNamespace(time=lambda now=noon + day * 86_400 + hour * 3600: now))
            number += 1
            house.write("own", "again.example\n" if number in (12, 18) else f"n{number}.example\n")
            assert house.build().serial == number
    assert store.serials(house.state) == [8, 12, 16, 17, 18, 19, 20]
