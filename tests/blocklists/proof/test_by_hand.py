"""What people do by hand about an order: decisions under a name, and lifts that wait for nothing."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blocklists import decisions, lifts, publish, store
from blocklists.agreed import Timekeeper
from blocklists.directive import show_time
from blocklists.errors import BadDocument, FeedError, StoreError
from tests.blocklists.feed.authority import Authority, date, order
from tests.blocklists.feed.mirror import Mirror
from tests.blocklists.feed.operator import Operator
from tests.blocklists.trust import office

BLOCK = order("XX-1", "site.example")


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """Has two orders in force; the authority is gone, and nothing follows the feed."""
    authority = Authority()
    authority.log(BLOCK)
    authority.log(order("XX-3", "third.example"))
    authority.publish()
    mirror = Mirror(lambda: authority.files)
    found = Operator(tmp_path, authority.root_json(), mirror.url)
    assert found.fault() == ""
    mirror.stop()
    assert found.blocked() == {"site.example", "third.example"}
    yield found
    found.close()


def lift(operator: Operator, payload: dict[str, Any], *names: str, now: int | None = None) -> lifts.Lifted:
    data = office.sign(payload, *names).encode() + b"\n"
    return lifts.lift(operator.state_dir, data, now or Timekeeper(operator.state_dir).now(), 10)


def test_a_withdrawal_by_hand_is_in_force_at_once_whatever_else_goes_on(operator: Operator) -> None:
    """The feed's lock is held as by a first fetch that hangs, a build runs, the authority is gone."""
    with publish.locked(operator.state_dir), (operator.state_dir / "trust" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = lift(operator, office.follow("withdraw", BLOCK), "n3")
    assert (found.id, found.action, found.until) == ("XX-1", "withdraw", None)
    assert found.built is not None
    assert found.built.serial == store.read_current(operator.state_dir)[0]
    assert operator.blocked() == {"third.example"}


def test_the_feed_goes_on_without_what_was_lifted(operator: Operator) -> None:
    lift(operator, office.follow("withdraw", BLOCK), "n3")
    operator.restart()
    operator.sync.settle()
    assert operator.blocked() == {"third.example"}
    facts = store.open_current(operator.state_dir).manifest["orders"]
    assert [f"{digest}.json" for digest in facts["lifted"]] == [path.name for path in (operator.state_dir / "lifts").iterdir()]


def test_the_reviewer_alone_may_suspend_until_it_ends(operator: Operator) -> None:
    now = Timekeeper(operator.state_dir).now()
    times = {"issued_at": show_time(date(now)), "expires_at": show_time(date(now + 3600))}
    found = lift(operator, office.follow("suspend", BLOCK, **times), "r1")
    assert found.until == now + 3600
    assert operator.blocked() == {"third.example"}
    assert operator.blocked(now + 3601) == {"site.example", "third.example"}


@pytest.mark.parametrize(
    ("payload", "names", "why"),
    [
        (office.follow("withdraw", BLOCK), ("s1",), "0 did"),
        (office.follow("withdraw", BLOCK), (), "signature.none"),
        (office.follow("withdraw", BLOCK), ("log",), "signature.none"),
        (office.follow("withdraw", BLOCK, log="other.example/log"), ("n1",), "for the log 'other.example/log'"),
        (office.follow("suspend", BLOCK, issued_at=office.when(-5), expires_at=office.when(-4)), ("n1",), "ended at"),
        (order("XX-9", "new.example"), ("n1", "n2"), "only lifted"),
        (office.reviewed(BLOCK), ("r1",), "holds application/vnd.redhand.review"),
    ],
)
def test_what_may_not_lift_is_refused_and_changes_nothing(operator: Operator, payload: dict[str, Any], names: tuple[str, ...], why: str) -> None:
    with pytest.raises((BadDocument, FeedError), match=why):
        lift(operator, payload, *names)
    assert operator.blocked() == {"site.example", "third.example"}
    assert not (operator.state_dir / "lifts").exists()


def test_a_lift_of_an_order_not_here_yet_waits_for_it(operator: Operator) -> None:
    found = lift(operator, office.follow("withdraw", order("XX-9", "late.example")), "n1")
    assert found.built is None
    assert len(list((operator.state_dir / "lifts").iterdir())) == 1
    assert operator.blocked() == {"site.example", "third.example"}


def test_an_order_that_is_not_in_force_just_now_is_lifted_by_its_own_officers_alone(operator: Operator) -> None:
    decide(operator, "hold", "XX-1")
    operator.sync.settle()
    with pytest.raises(BadDocument, match="0 did"):
        lift(operator, office.follow("withdraw", BLOCK), "s1")
    lift(operator, office.follow("withdraw", BLOCK), "n1")
    decide(operator, "release", "XX-1")
    operator.sync.settle()
    assert operator.blocked() == {"third.example"}


def test_without_a_verified_policy_nobody_may_lift_anything(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="no authority's policy was ever verified here"):
        lifts.lift(tmp_path, office.sign(office.follow("withdraw", BLOCK), "n1").encode(), 1, 10)


# --- decisions


def decide(operator: Operator, what: str, identity: str) -> None:
    decisions.add(operator.state_dir, decisions.make(what, identity, "A. Duty", "court order 17/26", Timekeeper(operator.state_dir).now()))


def test_decisions_are_applied_recorded_and_noticed_by_who_follows_the_feed(operator: Operator) -> None:
    operator.sync.settle()
    assert not operator.sync.stirred()
    for what, blocked in (
        ("suspend", {"third.example"}),
        ("resume", {"site.example", "third.example"}),
        ("hold", {"third.example"}),
        ("release", {"site.example", "third.example"}),
    ):
        decide(operator, what, "XX-1")
        assert operator.sync.stirred()
        operator.sync.settle()
        assert operator.blocked() == blocked
        recorded = store.open_current(operator.state_dir).manifest["orders"]["decisions"]
        assert recorded == [each.document() for each in decisions.read(operator.state_dir)]
    assert [each["what"] for each in recorded] == ["suspend", "resume", "hold", "release"]


def test_a_decision_within_one_tick_of_the_kernels_clock_is_noticed(operator: Operator) -> None:
    decide(operator, "hold", "XX-3")
    operator.sync.settle()
    directory = operator.state_dir / "decisions"
    tick = directory.stat().st_mtime_ns
    decide(operator, "hold", "XX-1")
    os.utime(directory, ns=(tick, tick))
    assert operator.sync.stirred()


@pytest.mark.parametrize(
    ("what", "identity", "by", "reason", "place"),
    [
        ("forget", "XX-1", "A", "b", "what"),
        ("hold", "../XX", "A", "b", "id"),
        ("hold", "XX-1", " ", "b", "by"),
        ("hold", "XX-1", "A", "two\nlines", "reason"),
    ],
)
def test_a_decision_that_is_none_is_refused(what: str, identity: str, by: str, reason: str, place: str) -> None:
    with pytest.raises(BadDocument, match=f"^the decision: {place}: "):
        decisions.make(what, identity, by, reason, 1)


def test_decisions_of_many_at_once_each_have_a_number(tmp_path: Path) -> None:
    numbers: list[int] = []

    def add(name: str) -> None:
        for at in range(20):
            numbers.append(decisions.add(tmp_path, decisions.make("hold", f"XX-{at}", name, "because", at)))

    threads = [threading.Thread(target=add, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 61))
    assert len(decisions.read(tmp_path)) == 60


def test_a_damaged_decision_is_named(tmp_path: Path) -> None:
    decisions.add(tmp_path, decisions.make("hold", "XX-1", "A", "b", 1))
    path = tmp_path / "decisions" / "1.json"
    path.chmod(0o644)
    path.write_text(json.dumps({"at": 1}))
    with pytest.raises(StoreError, match=r"1\.json"):
        decisions.read(tmp_path)
