"""The state directory's disk is full, or refuses: what was in force stays, the fault is said, and a look after room was made brings all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocklists.errors import DiskError, StoreError
from tests.blocklists.feed.authority import Authority, order
from tests.blocklists.feed.mirror import Mirror
from tests.blocklists.feed.operator import Operator
from tests.faults.test_disk import full, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as path:
        yield path


@pytest.fixture
def settled(disk: Path, authority: Authority, mirror: Mirror) -> Iterator[Operator]:
    """An operator on the small disk with one order in force."""
    operator = Operator(disk / "operator", authority.root_json(), mirror.url)
    authority.log(order("XX-1", ".site.example"))
    authority.publish()
    assert operator.look().news
    yield operator
    operator.close()


def test_a_full_disk(disk: Path, authority: Authority, settled: Operator) -> None:
    authority.log(order("XX-2", "next.test"))
    authority.publish()
    with full(disk):
        for _ in range(2):
            with pytest.raises(DiskError) as refused:
                settled.look()
            assert "the disk is full: free space there" in str(refused.value)
            assert settled.blocked() == {".site.example"}
            settled.restart()
    assert settled.look().code == 0
    assert settled.blocked() == {".site.example", "next.test"}


def test_a_disk_that_fills_up_at_any_point_of_a_look(disk: Path, authority: Authority, settled: Operator) -> None:
    """With so much room left that a look gets somewhere, and no further: the old list or the new, and never less."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    stands = {".site.example"}
    refused = 0
    for number in range(25):
        authority.log(order(f"XX-a{number}", f"n{number}.test"))
        authority.publish()
        after = stands | {f"n{number}.test"}
        with full(disk):
            (disk / "filler").open("r+b").truncate((disk / "filler").stat().st_size - 4096 * chance.randrange(1, 60))
            try:
                settled.look()
            except StoreError:
                refused += 1
            assert settled.blocked() in (stands, after), number
        if chance.random() < 0.5:
            settled.restart()
        assert settled.look().faults == {}
        assert settled.blocked() == after, number
        stands = after
    assert 2 < refused < 25, refused
