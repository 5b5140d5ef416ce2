"""Entries that nobody signed (receipts taken, heads of the audit log) stand between orders, and change nothing of what these come to."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from authority.sought import Sought
from blocklists import replay
from blocklists.docket import Data, Docket
from blocklists.log.entry import Entry
from tests.blocklists.trust import office
from tests.blocklists.trust.office import DAY, START, amend, block, follow, logged, make_policy, reviewed

A = block("XX-1", ".site.example")
E = block("XX-2", "urgent.example", emergency={"ground": "A life is at risk."}, owner_unidentifiable=None, owner_unidentifiable_why=None)
ORDERS = [
    logged(A),
    logged(E, day=0.1),
    logged(block("XX-3", "weak.example"), ("n1",), day=0.2),
    logged(reviewed(E), ("r1",), day=0.3),
    logged(amend(A, ".site.example", "more.example"), day=0.4),
    logged(follow("suspend", A), ("n3",), day=0.5),
    logged(follow("withdraw", E), ("n1",), day=0.6),
]
UNSIGNED = st.builds(lambda digest: f"sha256:{digest.hex()}", st.binary(min_size=32, max_size=32)).flatmap(
    lambda digest: st.builds(
        lambda count, audit: Entry(START, audit=digest, lines=count) if audit else Entry(START, None, digest, count),
        st.integers(1, 1 << 40),
        st.booleans(),
    )
)
BETWEEN = st.lists(st.tuples(st.integers(0, len(ORDERS)), UNSIGNED), max_size=12)


def mixed(between: list[tuple[int, Entry]], orders: list[bytes]) -> tuple[list[bytes], list[int]]:
    """The log with these before the orders named, and where each of the orders is then."""
    found: list[bytes] = []
    places: list[int] = []
    for number in range(len(orders) + 1):
        found += [entry.encode() for place, entry in between if place == number]
        if number < len(orders):
            places.append(len(found))
            found.append(orders[number])
    return found, places


def judged(log: list[bytes]) -> tuple[Docket, list[str]]:
    docket = Docket(_data())
    return docket, [docket.take(index, data).rule for index, data in enumerate(log)]


def _data() -> Data:
    return Data(make_policy(), ("kept.example",), office.SUFFIXES)


def in_force(docket: Docket, at: int) -> list[tuple[Any, ...]]:
    return [(basis.reference, basis.starts, basis.ends, tuple(basis.listed)) for basis in docket.state(at)]


@given(BETWEEN, st.integers(0, 10 * DAY))
def test_what_is_in_force_and_what_is_shown_of_a_name_is_the_same(between: list[tuple[int, Entry]], after: int) -> None:
    log, places = mixed(between, ORDERS)
    (plain, rules), (found, mixed_rules) = judged(ORDERED := list(ORDERS)), judged(log)
    assert [mixed_rules[place] for place in places] == rules
    assert not any(rule for index, rule in enumerate(mixed_rules) if index not in places)
    assert in_force(found, START + after) == in_force(plain, START + after)
    assert found.state(START + after).skipped_in_all == plain.state(START + after).skipped_in_all
    for name in ("deep.site.example", "more.example", "urgent.example", "other.example"):
        assert replay.bearing(log, name) == [places[index] for index in replay.bearing(ORDERED, name)]
        assert replay.in_force(log, _data(), name, START + after) == replay.in_force(ORDERED, _data(), name, START + after)
    sought = [index for index, _ in Sought(["XX-2"], []).among(log)]
    assert sought == [places[index] for index, _ in Sought(["XX-2"], []).among(ORDERED)]
