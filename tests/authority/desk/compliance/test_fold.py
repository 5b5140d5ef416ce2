"""What stands in the tables is what the log and the book of receipts say, however often and when the worker looked."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from authority import repository
from authority.desk import compliance
from authority.desk.enforcement import following
from authority.desk.enforcement import rows as table
from authority.desk.enforcement.fleet import COUNTED
from authority.desk.enforcement.tables import EnforcementWeek, Obligation, OperatorRecord
from authority.desk.roles import Actor
from tests.authority.desk.compliance import twin
from tests.authority.desk.compliance.world import DAY, HOUR, REGISTERED, Made, World

NUMBERS = itertools.count()
ADMINISTRATOR = Actor("a.admin", frozenset({"administrator"}), 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Pieces so small that receipts are taken in parts, and newcomers' rows in several transactions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "MOST", 4)
        patch.setattr(following, "TOGETHER", 3)
        patch.setattr(compliance, "RECEIPTS", 2)
        yield


WHAT = ("held", "refused", "suspended", "skipped")
IDS = st.integers(0, 4)
EVENTS = st.one_of(
    *[st.tuples(st.just("pass"), st.sampled_from([1, HOUR, 6 * HOUR, 25 * HOUR, 73 * HOUR, 6 * DAY]))] * 2,
    st.tuples(
        st.just("block"), IDS, st.sampled_from([0, 0, 30 * HOUR, -HOUR]), st.sampled_from([None, 1, -1, 48]), st.sampled_from([2, 30]), st.booleans(),
        st.integers(1, 2),
    ),
    st.tuples(st.just("amend"), IDS, st.sampled_from([0, 0, 30 * HOUR]), st.sampled_from([2, 30])),
    st.tuples(st.just("withdraw"), IDS, st.sampled_from([0, 0, 30 * HOUR, -HOUR])),
    st.tuples(st.just("suspend"), IDS, st.sampled_from([0, 0, 30 * HOUR])),
    st.tuples(st.just("confirm"), IDS),
    st.tuples(st.just("batch")),
    *[
        st.tuples(
            st.just("receipt"), st.integers(0, 2), st.sampled_from([0, 0, 0, 1, 3]),
            st.one_of(st.just([]), st.lists(st.tuples(IDS, st.sampled_from(WHAT)), max_size=3)),
            st.sampled_from([0, 0, 0, -2 * HOUR, HOUR, -80 * HOUR]), st.sampled_from([True] * 9 + [False]), st.sampled_from([False] * 9 + [True]),
        )
    ] * 6,
    st.tuples(st.just("registry"), st.integers(0, 2)),
    st.tuples(st.just("look")),
    st.tuples(st.just("look")),
)  # fmt: skip


def happen(world: World, event: tuple[Any, ...]) -> None:
    match event:
        case ("pass", seconds):
            world.now += seconds
        case ("block", number, starts, hours, days, emergency, names):
            fields = {"emergency": {"ground": "Now."}, "owner_unidentifiable": None, "owner_unidentifiable_why": None} if emergency else {}
            whole = f"XX-{number}"
            world.block(whole, starts=starts, hours=hours, days=days, names=names, **fields)
        case ("amend", number, starts, days) if f"XX-{number}" in world.orders:
            identity = f"XX-{number}"
            world.block(identity, starts=starts, days=days, action="amend", follows=world.orders[identity])
        case ("withdraw" | "suspend" as action, number, starts) if f"XX-{number}" in world.orders:
            world.follower(f"XX-{number}", action, starts=starts)
        case ("confirm", number) if f"XX-{number}" in world.orders:
            world.confirm(f"XX-{number}")
        case ("batch",):
            world.log(None)
        case ("receipt", number, behind, exceptions, at, ours, more) if f"op-{number + 1}" in REGISTERED[world.policy]:
            said = [(f"XX-{each}", what) for each, what in exceptions] + ([("and-more", "held")] if more else [])
            world.receipt(f"op-{number + 1}", max(0, len(world.entries) - behind), said, at=at, ours=ours)
        case ("registry", number):
            world.use(number)
        case ("look",):
            world.look()
            same(world)


def same(world: World) -> None:
    """The tables and the twin."""
    policy = repository.published(world.places).policy
    tree = world.flush()

    def ours(kept: Any) -> bool:
        return base64.b64decode(kept.receipt.checkpoint.root) == tree.root_at(kept.receipt.checkpoint.size)

    with world.desk.store.reading() as session:
        away = {each.operator: each.away for each in session.scalars(select(OperatorRecord))}
        fast = {
            (each.log_index, each.kind, each.operator): twin.Slow(
                each.due_at, each.received_at, each.taken_at, each.applied_at, each.receipt, each.outcome, each.exception
            )
            for each in table.load(session)
        }
        slow = twin.rows(world.entries, policy, world.book, away, ours, world.now)
        assert fast == slow
        weeks: dict[tuple[str, str, int], dict[str, int]] = {}
        for (_, kind, operator), row in slow.items():
            count = weeks.setdefault((operator, kind, table.week(row.due)), dict.fromkeys(COUNTED, 0))
            count[row.outcome] += 1
        found = session.scalars(select(EnforcementWeek))
        counted = {(each.operator, each.kind, each.week): {name: getattr(each, name) for name in COUNTED} for each in found}
        assert counted == weeks
        for each in session.scalars(select(Obligation)):
            same_one = [row.outcome for (index, kind, _), row in slow.items() if (index, kind) == (each.log_index, each.kind)]
            assert (each.open_rows, each.terms_rows) == (same_one.count("open"), same_one.count("terms"))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=tuple(each for each in Phase if each is not Phase.explain))
@given(events=st.lists(EVENTS, min_size=15, max_size=40))
# An operator leaves and a suspension moves what it owed, both seen at one look.
@example(events=[("block", 0, 0, None, 2, False, 1), ("look",), ("suspend", 0, 0), ("pass", 25 * HOUR), ("registry", 2), ("look",)])
def test_the_fold_that_goes_on_is_the_one_that_reads_everything(made: Made, tmp_path_factory: pytest.TempPathFactory, events: list[Any]) -> None:
    world = World(made, tmp_path_factory.getbasetemp() / f"world-{next(NUMBERS)}")
    try:
        happen(world, ("block", 0, 0, None, 30, False, 2))
        happen(world, ("block", 1, 0, 48, 2, False, 1))
        for event in events:
            happen(world, event)
        happen(world, ("look",))
        compliance.anew(world.desk, ADMINISTRATOR, "a test", world.now)
        same(world)
    finally:
        world.close()
