"""The fold is killed at any of its transactions, again and again, on both databases: it goes on, and the tables are what they would have been."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authority.desk import compliance
from authority.desk.desk import Desk
from authority.desk.enforcement import following, listening
from authority.desk.enforcement.tables import Enforcement, OperatorRecord
from authority.desk.settings import DeskSettings
from authority.desk.tables import Base
from tests.authority.desk import postgresql
from tests.authority.desk.compliance.test_fold import same
from tests.authority.desk.compliance.world import HOUR, Made, World


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, made: Made, tmp_path: Path) -> Iterator[World]:
    """Forty orders, and receipts of two operators; the third is a newcomer whose first receipt has them all."""
    found = World(made, tmp_path)
    for number in range(40):
        found.now += HOUR
        found.block(f"XX-{number}", days=1 if number % 7 == 0 else 30)
        if number % 5 == 4:
            found.follower(f"XX-{number - 1}", "withdraw")
        if number % 3 == 0:
            found.receipt("op-1", exceptions=[(f"XX-{number}", "held")])
    found.use(1)
    found.receipt("op-2", exceptions=[("XX-3", "refused"), ("and-more", "held")])
    found.receipt("op-3")
    found.now += HOUR
    for name in ("op-1", "op-2"):
        found.receipt(name)
    found.flush()
    if request.param == "postgresql":
        with postgresql.serving() as server:
            found.desk.close()
            found.desk = Desk(DeskSettings(directory=str(found.directory), database=server.database()), tmp_path, lambda: found.now)
            Base.metadata.create_all(found.desk.store.engine)
            yield found
            found.close()
    else:
        yield found
        found.close()


def test_a_fold_that_is_killed_goes_on(world: World) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    kills = 0
    while True:
        command = [sys.executable, "-m", "tests.authority.desk.compliance.killed", str(world.directory)]
        url = world.desk.store.engine.url.render_as_string(hide_password=False)
        with subprocess.Popen([*command, url, str(world.now)], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(chance.randint(2, 12))]
            if "done\n" in lines:
                child.wait()
                break
            assert lines[-1] == "commits\n", "it failed by itself"
            child.kill()
            kills += 1
    assert kills > 1
    same(world)


def test_a_newcomers_first_receipt_is_many_small_transactions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else who writes waits for more than a piece of it."""
    for module, name, value in ((following, "MOST", 5), (following, "TOGETHER", 4), (compliance, "RECEIPTS", 2)):
        monkeypatch.setattr(module, name, value)
    sizes: list[int] = []
    take = listening.take

    def counted(session: Session, record: OperatorRecord, *rest: Any) -> int:
        before = record.size
        done = take(session, record, *rest)
        sizes.append(record.size - before)
        return done

    monkeypatch.setattr(listening, "take", counted)
    world.look()
    assert max(sizes) <= 4
    with world.desk.store.reading() as session:
        assert session.get_one(OperatorRecord, "op-3").number == 1
        done = session.scalar(select(func.count()).where(Enforcement.operator == "op-3", Enforcement.taken_at.is_not(None)))
        assert (done or 0) > 20
    same(world)
