"""The two databases that a desk may have, and a desk on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authority.desk import migrations
from authority.desk.store import Store
from tests.authority.desk import postgresql
from tests.authority.desk.storage.house import House, house


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    """A PostgreSQL server for all that asks for no crash."""
    with postgresql.serving() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database."""
    return str(request.param)


@pytest.fixture
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    """Makes a store on an empty database of a kind."""
    made: list[Store] = []

    def make(kind: str) -> Store:
        url = request.getfixturevalue("server").database() if kind == "postgresql" else f"sqlite:///{tmp_path / f'{len(made)}.db'}"
        made.append(Store(url))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def empty(kind: str, new_store: Callable[[str], Store]) -> Store:
    """Each database, without a table."""
    return new_store(kind)


@pytest.fixture
def store(empty: Store) -> Store:
    """Each database, with its tables."""
    migrations.upgrade(empty)
    return empty


@pytest.fixture
def home(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Iterator[House]:
    """A desk with people on each database."""
    made = house(tmp_path, request.getfixturevalue("server").database() if kind == "postgresql" else "")
    yield made
    made.desk.close()
