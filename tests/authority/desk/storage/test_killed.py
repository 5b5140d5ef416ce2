"""kill -9 at any instant: what was acknowledged is there, what was not is whole or not there at all, and the audit chain is unbroken."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, inspect, select, text

from authority.desk import backup, migrations
from authority.desk.roles import Actor
from authority.desk.store import Store
from authority.desk.tables import Audit, Case, Event, Referral
from tests.authority.desk import postgresql
from tests.authority.desk.storage import worker
from tests.authority.desk.storage.house import NOW, House, house, whole

ROUNDS = 8
CRASHES = 3
SECONDS = 20.0


@pytest.fixture(scope="module")
def draw() -> random.Random:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.fixture(scope="module")
def durable() -> Iterator[postgresql.Server]:
    """A PostgreSQL server that waits for the disk, as it does by itself; tests kill it."""
    with postgresql.serving(durable=True) as made:
        yield made


def begun(target: Callable[..., None], *arguments: object) -> tuple[BaseProcess, Connection]:
    """A process that has said it is ready."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([worker.__name__])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(*arguments, theirs), daemon=True)
    process.start()
    theirs.close()
    assert ours.poll(SECONDS), "it did not begin"
    ours.recv()
    return process, ours


def told(pipe: Connection) -> Iterator[Any]:
    """All that is in the pipe, until its other end is gone."""
    with pipe:
        while True:
            try:
                yield pipe.recv()
            except (EOFError, ConnectionError):
                return


def until(pipe: Connection, number: int, most_seconds: float, draw: random.Random) -> list[Any]:
    """So many acknowledgements, and a random moment more: the next transaction is somewhere in its middle."""
    got = []
    while len(got) < number:
        assert pipe.poll(SECONDS), "it does nothing"
        got.append(pipe.recv())
    end = time.perf_counter() + draw.random() * most_seconds
    while time.perf_counter() < end:
        pass
    return got


def held(home: House, acknowledged: list[Any]) -> None:
    """That all of it is in the database."""
    with home.desk.store.reading() as session:
        whole(session)
        read = dict(session.execute(select(Audit.object, func.count()).where(Audit.action == "case.read").group_by(Audit.object)).all())
        reads: dict[str, int] = {}
        for what, *rest in acknowledged:
            if what == "refer":
                key, reference, number = rest
                found = session.execute(
                    select(Referral.key, Case.number).join(Case, Case.id == Referral.case_id).where(Referral.reference == reference)
                ).one()
                assert tuple(found) == (f"clerk:{key}", number)
            elif what == "assess":
                number, version = rest
                event = session.scalars(select(Event).join(Case).where(Case.number == number, Event.number == version)).one()
                assert event.step == "assess"
            elif what == "read":
                reads[f"case:{rest[0]}"] = reads.get(f"case:{rest[0]}", 0) + 1
        assert {number for number, times in reads.items() if read.get(number, 0) < times} == set()


def test_a_process_that_is_killed_loses_nothing_it_acknowledged(kind: str, home: House, tmp_path: Path, draw: random.Random) -> None:
    acknowledged: list[Any] = []
    database = home.desk.store.engine.url.render_as_string() if kind == "postgresql" else ""
    for number in range(ROUNDS):
        process, pipe = begun(worker.work, tmp_path, database, number)
        acknowledged += until(pipe, draw.randrange(1, 15), 0.01, draw)
        process.kill()
        acknowledged += told(pipe)
        process.join()
        assert process.exitcode == -9
        held(home, acknowledged)
    assert [each for each in acknowledged if each[0] == "ended"] == []
    # And the desk goes on: what is sent again by its key is known.
    key, reference, case = next(each[1:] for each in acknowledged if each[0] == "refer")
    with home.desk.store.reading() as session:
        (name,) = session.scalars(select(Referral.names).where(Referral.reference == reference)).one()
    again = home.refer(name, key)
    assert (again.reference, again.number, again.again) == (reference, case, True)


def test_a_database_server_that_is_killed_loses_nothing_it_acknowledged(durable: postgresql.Server, tmp_path: Path, draw: random.Random) -> None:
    database = durable.database()
    home = house(tmp_path, database)
    acknowledged: list[Any] = []
    for number in range(CRASHES):
        process, pipe = begun(worker.work, tmp_path, database, number)
        acknowledged += until(pipe, draw.randrange(1, 25), 0.01, draw)
        durable.kill()
        acknowledged += told(pipe)  # it ends by itself: the server is away
        process.join()
        durable.start()
        held(home, [each for each in acknowledged if each[0] != "ended"])
    assert all("OperationalError" in each[1] for each in acknowledged if each[0] == "ended")
    home.refer("after.test")
    home.desk.close()


def test_a_commit_waits_for_the_disk(home: House, kind: str, tmp_path: Path) -> None:
    """kill -9 cannot tell what a power cut would: these settings can."""
    if kind == "postgresql":
        with home.desk.store.engine.connect() as connection:
            connection.execute(text("ALTER ROLE CURRENT_USER SET synchronous_commit = off"))
            connection.commit()
        again = Store(home.desk.store.engine.url.render_as_string())
        try:
            with again.writing() as session:
                assert session.scalar(text("SHOW synchronous_commit")) == "on"
        finally:
            with again.engine.connect() as connection:
                connection.execute(text("ALTER ROLE CURRENT_USER RESET synchronous_commit"))
                connection.commit()
            again.close()
    else:
        with home.desk.store.writing() as session:
            assert session.scalar(text("PRAGMA synchronous")) == 2  # FULL: sqlite.org/pragma.html
            assert session.scalar(text("PRAGMA journal_mode")) == "wal"


def _killed(process: BaseProcess, pipe: Connection, seconds: float, draw: random.Random) -> bool:
    """Kills it at some moment of that time; whether it was done before."""
    done = pipe.poll(draw.random() * seconds)
    process.kill()
    process.join()
    return bool(done) or "done" in list(told(pipe))


def test_an_upgrade_that_is_killed_leaves_all_or_nothing(kind: str, new_store: Callable[[str], Store], draw: random.Random) -> None:
    seconds = 0.5
    for _ in range(4):
        store = new_store(kind)
        began = time.perf_counter()
        done = _killed(*begun(worker.upgrade, store.engine.url.render_as_string()), seconds, draw)
        seconds = min(seconds, time.perf_counter() - began) if done else seconds
        tables = inspect(store.engine).get_table_names()
        assert tables == [] or len(tables) > 20
        assert tables or not done
        migrations.upgrade(store)
        migrations.require_current(store)


def test_a_restore_that_is_killed_leaves_all_or_nothing(kind: str, new_store: Callable[[str], Store], tmp_path: Path, draw: random.Random) -> None:
    home = house(tmp_path)
    for number in range(60):
        home.refer(f"n{number}.test")
    path = tmp_path / "desk.backup"
    summary = backup.write(home.desk.store, path, Actor("keeper"), NOW)
    home.desk.close()
    for _ in range(4):
        store = new_store(kind)
        done = _killed(*begun(worker.restore, store.engine.url.render_as_string(), path), 0.6, draw)
        if inspect(store.engine).get_table_names():
            with store.reading() as session:
                assert whole(session) == summary.rows["audit"] + 1
                assert session.scalar(select(func.count()).select_from(Case)) == 60
        else:
            assert not done
            assert backup.restore(store, path, Actor("keeper"), NOW) == summary


def test_a_backup_that_is_killed_leaves_none_of_its_name(kind: str, home: House, tmp_path: Path, draw: random.Random) -> None:
    for number in range(60):
        home.refer(f"n{number}.test")
    for number in range(4):
        path = tmp_path / f"{number}.backup"
        done = _killed(*begun(worker.write, home.desk.store.engine.url.render_as_string(), path), 0.15, draw)
        assert path.exists() or not done
        if path.exists():
            assert backup.check(path).rows["desk_case"] == 60
    with home.desk.store.reading() as session:
        whole(session)
