"""An authority with orders, its mirror, and an operator who has fetched them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blocklists.feed.authority import Authority
from tests.blocklists.feed.conftest import mirrors, young
from tests.blocklists.feed.mirror import Mirror
from tests.blocklists.feed.operator import Operator
from tests.blocklists.proof.history import written

__all__ = ["mirrors", "young"]


@pytest.fixture(scope="session")
def authority() -> Authority:
    """With a history: see `history`."""
    return written()


@pytest.fixture(scope="session")
def followed(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Somebody who has all of it; tests only read."""
    mirror = Mirror(lambda: authority.files)
    found = Operator(tmp_path_factory.mktemp("operator"), authority.root_json(), mirror.url)
    assert found.fault() == ""
    yield found
    found.close()
    mirror.stop()


@pytest.fixture(scope="session")
def state_dir(followed: Operator) -> Path:
    return followed.state_dir
