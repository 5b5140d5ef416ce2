"""What these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.authority.desk.orders.house import House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for a file: each test has cases of its own, and leaves lists and clock as they were."""
    made = House(tmp_path_factory.mktemp("house"), limits={"names_per_hour": 1000, "names_per_day": 5000})
    yield made
    made.desk.close()
