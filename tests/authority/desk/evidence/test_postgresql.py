"""Evidence with a real PostgreSQL server as the database: kept, read, shredded, checked, and the destroyed key gone from the table's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from authority.desk.evidence import checking, rekeying, sweeping
from authority.desk.evidence.keeping import Gone
from authority.desk.roles import SETUP
from tests.authority.desk import postgresql
from tests.authority.desk.evidence.house import MARK, NOW, ONE, OTHER, House, house


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Server]:
    with postgresql.serving() as made:
        yield made


@pytest.fixture
def home(server: postgresql.Server, tmp_path: Path) -> Iterator[House]:
    made = house(tmp_path, database=server.database())
    yield made
    made.desk.close()


def test_the_whole_life_of_evidence(home: House) -> None:
    kept, other = home.add(MARK), home.add(b"other", OTHER)
    assert home.text(kept.id) == MARK
    assert rekeying.change_key(home.desk, SETUP, NOW) == 2
    home.shredded(kept.id)
    assert sweeping.sweep(home.desk, NOW).shredded == 1
    with pytest.raises(Gone):
        home.text(kept.id)
    assert checking.verify(home.desk, SETUP, NOW) == (1, 5, 1, ())
    with home.desk.store.writing() as session:
        session.delete(home.row(other.id))
    assert [fault.evidence for fault in checking.verify(home.desk, SETUP, NOW).faults] == [other.id]


def test_the_destroyed_key_is_nowhere_in_the_tables(home: House, server: postgresql.Server) -> None:
    kept = home.add(MARK, ONE)
    wrapped = home.row(kept.id).wrapped
    assert wrapped is not None

    def found() -> bool:
        with psycopg.connect(server._conninfo(str(home.desk.store.engine.url.database)), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        files = [path for path in (server.directory / "data" / "base").rglob("*") if path.is_file()]
        return any(wrapped in path.read_bytes() for path in files)

    assert found()
    home.shredded(kept.id)
    assert found(), "a database of this kind writes beside, and forgets nothing by itself"
    sweeping.sweep(home.desk, NOW)
    assert not found()
