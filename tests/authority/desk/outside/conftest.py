"""What these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.authority.desk.outside.programs import Programs


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """One for a file: each test has cases of its own."""
    made = Programs(tmp_path_factory.mktemp("house"), limits={"names_per_hour": 1000, "names_per_day": 5000})
    yield made
    made.close()
