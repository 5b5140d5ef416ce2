"""The tests of two persons once more, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority.desk import postgresql
from tests.authority.desk.people.house import House
from tests.authority.desk.people.test_two_persons import *  # noqa: F403


@pytest.fixture
def house(server: postgresql.Server, tmp_path: Path) -> Iterator[House]:
    """As the people's own, on the other database."""
    found = House(tmp_path, database=server.database())
    assert found.desk.store.is_postgresql
    yield found
    found.close()
