"""What tests of people share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority.desk.people.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A desk with its first people, for one test."""
    found = House(tmp_path)
    yield found
    found.close()
