"""An authority, its mirror, and an operator who follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.blocklists.feed.authority import Authority
from tests.blocklists.feed.mirror import Mirror
from tests.blocklists.feed.operator import Operator


@pytest.fixture(scope="session")
def young() -> Authority:
    """An authority that has just begun: made once, copied for each test."""
    return Authority()


@pytest.fixture
def authority(young: Authority) -> Authority:
    return young.fork()


@pytest.fixture
def mirrors() -> Iterator[Callable[[Authority], Mirror]]:
    """Makes mirrors, which end with the test."""
    made: list[Mirror] = []

    def make(authority: Authority) -> Mirror:
        made.append(Mirror(lambda: authority.files))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def mirror(authority: Authority, mirrors: Callable[[Authority], Mirror]) -> Mirror:
    return mirrors(authority)


@pytest.fixture
def operator(tmp_path: Path, authority: Authority, mirror: Mirror) -> Iterator[Operator]:
    found = Operator(tmp_path, authority.root_json(), mirror.url)
    yield found
    found.close()
