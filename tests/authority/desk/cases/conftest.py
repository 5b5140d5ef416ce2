"""What these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.authority.desk.cases.house import House


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A new desk, whose messages become files."""
    made = House(tmp_path_factory.mktemp("house"), hook="/bin/true")
    yield made
    made.desk.close()
