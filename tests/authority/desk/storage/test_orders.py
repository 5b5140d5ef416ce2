"""The orders' own tests once more, on PostgreSQL: drafted, signed, published, found in the log, lifted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authority.desk import desk as desks
from authority.desk.store import Store
from tests.authority.desk import postgresql
from tests.authority.desk.orders.house import House
from tests.authority.desk.orders.test_life import *  # noqa: F403
from tests.authority.desk.orders.test_publishing import *  # noqa: F403


@pytest.fixture(scope="module")
def house(server: postgresql.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """As the orders' own, on the other database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desks, "Store", lambda _: Store(server.database()))
        made = House(tmp_path_factory.mktemp("house"), limits={"names_per_hour": 1000, "names_per_day": 5000})
    assert made.desk.store.is_postgresql
    yield made
    made.desk.close()
