"""What an operator owes, and what its receipts prove: each rule by a small story."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from authority.desk import compliance
from authority.desk.desk import Desk
from authority.desk.enforcement import fleet
from authority.desk.enforcement import rows as table
from authority.desk.enforcement.fulfilment import Row
from authority.desk.enforcement.tables import OperatorRecord
from authority.desk.errors import Forbidden
from authority.desk.roles import Actor
from authority.desk.tables import Audit
from tests.authority.cast import NOW
from tests.authority.desk.compliance.test_fold import same
from tests.authority.desk.compliance.world import DAY, HOUR, Made, World

OFFICER = Actor("o.officer", frozenset({"officer"}), 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture
def world(made: Made, tmp_path: Path) -> Iterator[World]:
    found = World(made, tmp_path)
    found.look()
    yield found
    found.close()


def row(world: World, index: int, kind: str = "block", operator: str = "op-1") -> Row | None:
    """What stands in the table once the worker has looked."""
    world.look()
    same(world)
    with world.desk.store.reading() as session:
        found = {(each.log_index, each.kind, each.operator): each for each in table.load(session)}
    return found.get((index, kind, operator))


def state(world: World, index: int, kind: str = "block", operator: str = "op-1") -> str:
    found = row(world, index, kind, operator)
    return fleet.state(found, world.now) if found is not None else "none"


def test_received_is_not_applied_and_our_time_counts(world: World) -> None:
    index = world.block("XX-1", hours=24)
    assert state(world, index) == "waiting"
    world.now += HOUR
    world.receipt("op-1", exceptions=[("XX-1", "held")])
    found = row(world, index)
    assert found is not None
    assert (found.due_at, found.received_at, found.taken_at) == (NOW + 24 * HOUR, world.now, None)
    assert found.exception == [{"what": "held", "why": "so"}]
    world.now += 30 * HOUR
    assert (state(world, index), state(world, index, operator="op-2")) == ("withheld", "silent")
    world.receipt("op-1", at=-20 * HOUR)  # its own clock says that it was in time
    found = row(world, index)
    assert found is not None
    assert (found.outcome, found.taken_at, found.applied_at) == ("late", world.now, world.now - 20 * HOUR)
    assert (found.received_at, found.exception, found.receipt) == (NOW + HOUR, None, 2)


def test_without_a_time_in_the_order_the_policy_says_how_long(world: World) -> None:
    early, late = world.block("XX-1", starts=5 * HOUR), world.block("XX-2", hours=-1)
    found, other = row(world, early), row(world, late)
    assert found is not None
    assert other is not None
    assert (found.due_at, other.due_at) == (NOW + 29 * HOUR, NOW)  # nothing is due before it was logged


def test_what_ends_before_it_is_due_was_never_owed(world: World) -> None:
    first, second = world.block("XX-1"), world.block("XX-2")
    world.now += 3 * HOUR
    lift = world.follower("XX-1", "withdraw")
    world.now += 30 * HOUR
    world.follower("XX-2", "withdraw")
    assert (state(world, first), state(world, second), state(world, lift, "lift")) == ("void", "missed", "silent")
    world.receipt("op-1")
    assert (state(world, first), state(world, second), state(world, lift, "lift")) == ("void", "missed", "late")


def test_an_amendment_takes_the_place_of_what_it_follows(world: World) -> None:
    first = world.block("XX-1")
    world.receipt("op-1")
    world.now += HOUR
    second = world.block("XX-1", action="amend", follows=world.orders["XX-1"])
    assert (state(world, first), state(world, second)) == ("applied", "waiting")
    assert state(world, first, operator="op-2") == "void"
    stray = world.block("XX-1", action="amend", follows="sha256:" + "0" * 64)
    assert state(world, stray) == "none"


def test_a_suspension_is_restored_and_stops_the_time_of_the_block(world: World) -> None:
    index = world.block("XX-1", hours=24)
    world.now += 20 * HOUR
    lift = world.follower("XX-1", "suspend")
    found = row(world, index)
    assert found is not None
    assert found.due_at == NOW + 20 * HOUR + 3 * DAY
    world.now += HOUR
    world.receipt("op-1")
    assert (state(world, index), state(world, lift, "lift")) == ("applied", "applied")
    world.now += 4 * DAY
    assert state(world, lift, "lift", "op-2") == "missed"
    world.receipt("op-2")  # after the suspension: it proves nothing of it
    assert (state(world, lift, "lift", "op-2"), state(world, index, operator="op-2")) == ("missed", "late")


def test_an_end_by_its_own_terms_owes_no_receipt(world: World) -> None:
    """Who had the order ends it alone, and says so with the next receipt; who never had it has nothing to restore."""
    index = world.block("XX-1", days=2)
    world.receipt("op-1")
    world.now += 10 * DAY
    assert (state(world, index, "lift"), state(world, index, "lift", "op-2")) == ("terms", "none")
    world.receipt("op-1", exceptions=[("XX-9", "held")], at=-9 * DAY)  # its clock is before the end: it confirms nothing
    assert state(world, index, "lift") == "terms"
    world.receipt("op-1")
    assert state(world, index, "lift") == "applied"


def test_an_emergency_lapses_unless_the_reviewer_confirmed_it(world: World) -> None:
    ground = {"emergency": {"ground": "Now."}, "owner_unidentifiable": None, "owner_unidentifiable_why": None}
    first, second = world.block("XX-1", **ground), world.block("XX-2", **ground)
    world.receipt("op-1")
    world.now += DAY
    world.confirm("XX-2")
    world.now += 3 * DAY
    assert (state(world, first, "lift"), state(world, second, "lift")) == ("terms", "none")
    world.receipt("op-2")
    assert (state(world, first, operator="op-2"), state(world, second, operator="op-2")) == ("missed", "late")


def test_names_that_a_guard_refuses_leave_the_others_in_force(world: World) -> None:
    one, two = world.block("XX-1"), world.block("XX-2", names=2)
    world.receipt("op-1", exceptions=[("XX-1", "refused"), ("XX-2", "refused")])
    found = row(world, two)
    assert found is not None
    assert (found.outcome, found.exception) == ("applied", [{"what": "refused", "why": "so"}])
    assert state(world, one) == "waiting"


def test_exceptions_that_are_not_named_prove_nothing(world: World) -> None:
    index = world.block("XX-1")
    world.receipt("op-1", exceptions=[("and-more", "held")])
    found = row(world, index)
    assert found is not None
    assert (found.outcome, found.exception) == ("open", [{"what": "unnamed", "why": "so"}])
    world.receipt("op-1")
    assert state(world, index) == "applied"


def test_an_order_that_was_applied_and_is_suspended_there_later_is_said(world: World) -> None:
    index = world.block("XX-1")
    world.receipt("op-1")
    world.receipt("op-1", exceptions=[("XX-1", "suspended")])
    found = row(world, index)
    assert found is not None
    assert (found.outcome, found.exception) == ("applied", [{"what": "suspended", "why": "so"}])
    with world.desk.store.reading() as session:
        (standing,) = [each for each in fleet.fleet(session, OFFICER, world.now, 4) if each.record.operator == "op-1"]
        assert standing.record.exceptions == [{"id": "XX-1", "what": "suspended", "why": "so"}]


def test_a_log_that_was_never_ours_proves_nothing_and_is_an_alarm(world: World, caplog: pytest.LogCaptureFixture) -> None:
    index = world.block("XX-1")
    world.receipt("op-1", ours=False)
    assert state(world, index) == "waiting"
    assert "ALARM op-1 has a log in force that was never ours" in caplog.text
    with world.desk.store.reading() as session:
        assert session.scalars(select(Audit.action).where(Audit.object == "operator:op-1")).all() == ["compliance.operator", "compliance.foreign"]
        assert fleet.fleet(session, OFFICER, world.now, 4)[0].trouble
    world.receipt("op-1")
    assert state(world, index) == "applied"


def test_who_comes_later_has_the_whole_time_from_then_on_and_who_left_owes_no_more(world: World) -> None:
    index = world.block("XX-1", hours=24)
    world.now += 20 * HOUR
    world.use(1)
    newcomer = row(world, index, operator="op-3")
    assert newcomer is not None
    assert newcomer.due_at == world.now + 24 * HOUR
    world.use(2)
    assert state(world, index, operator="op-2") == "void"
    later = world.block("XX-2")
    assert (state(world, later, operator="op-2"), state(world, later, operator="op-3")) == ("none", "waiting")
    world.now += 60 * HOUR
    world.use(1)  # op-2 is back
    back = row(world, later, operator="op-2")
    assert back is not None
    assert back.due_at == world.now + 24 * HOUR


def test_looking_again_brings_nothing_and_looking_together_counts_once(world: World) -> None:
    for number in range(30):
        world.block(f"XX-{number}")
    for _ in range(5):
        world.receipt("op-1")
    others = [Desk(world.desk.settings, world.directory.parent, lambda: world.now) for _ in range(4)]
    threads = [threading.Thread(target=compliance.refresh, args=(each, world.now)) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in others:
        each.close()
    world.look()
    same(world)
    assert world.look() == compliance.Refreshed(0, 0, 0)
    with world.desk.store.reading() as session:
        assert session.get_one(OperatorRecord, "op-1").number == 5


def test_only_an_administrator_makes_the_tables_anew(world: World) -> None:
    with pytest.raises(Forbidden):
        compliance.anew(world.desk, OFFICER, "because", world.now)
