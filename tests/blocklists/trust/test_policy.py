"""The policy: read exactly as signed or refused, coherent in itself, and never another past."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import BadDocument
from blocklists.trust import policy, strict
from tests.blocklists.trust import office
from tests.blocklists.trust.office import epoch, make_policy, policy_document

WHOLE = policy_document(
    epoch(),
    epoch(100, withdraw_threshold=2),
    operators={"isp-1": {"name": "A provider", "key": office.public("isp-1")}},
    compromised=[{"keyid": "ab" * 32, "since": 7}],
    note="An example.",
)


def test_what_was_written_reads_back() -> None:
    data = strict.write(WHOLE)
    assert policy.load(data).encode() == data


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, item in inner for place in _places(item, (*path, name)))]


PLACES = _places(WHOLE)[1:]
ODD = st.sampled_from(
    [None, True, False, 0, 1, -1, 2**53 - 1, "", " ", "1", "x", "a b", "\u00a0", "é", [], {}, [1], {"a": 1}, "north", "officer", "ab" * 32]
)


@given(st.sampled_from(PLACES), st.sampled_from(["replace", "remove", "add"]), ODD)
def test_any_policy_is_read_exactly_as_signed_or_refused(place: tuple[Any, ...], how: str, odd: Any) -> None:
    document = copy.deepcopy(WHOLE)
    inner: Any = document
    for name in place[:-1]:
        inner = inner[name]
    if how == "replace":
        inner[place[-1]] = odd
    elif how == "remove":
        del inner[place[-1]]
    elif isinstance(inner, dict):
        inner["odd"] = odd
    else:
        inner.append(odd)
    data = strict.write(document)
    try:
        found = policy.load(data)
    except BadDocument:
        return
    assert found.encode() == data


def test_true_is_not_one() -> None:
    """Python takes true for 1, and what was signed says otherwise."""
    with pytest.raises(BadDocument, match="otherwise than it is written"):
        policy.load(strict.write({**WHOLE, "version": True}))


def _officers(**changes: Any) -> dict[str, Any]:
    officers: dict[str, Any] = epoch()["officers"]
    return {"officers": {**officers, **{name: {**officers.get(name, officers["n1"]), **fields} for name, fields in changes.items()}}}


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (_officers(n2={"key": office.public("n1")}), "two offices have the same key"),
        (_officers(n2={"person": "Person  N1 "[:-1]}), "holds two offices"),
        (_officers(r1={"person": "\uff30erson n1"}), "holds two offices"),
        (_officers(r1={"authority": "north"}), "a reviewer to none"),
        (_officers(n5={"authority": "west", "key": office.public("n5"), "person": "person n5"}), None),
        ({"officers": {name: one for name, one in epoch()["officers"].items() if name != "s1"}}, None),
        ({"officers": {"r1": epoch()["officers"]["r1"]}}, "needs 2 officers, and 0 may order it"),
        ({"categories": {"fraud": {**epoch()["categories"]["fraud"], "authorities": ["west"]}}}, "names the authority 'west'"),
        ({"limits": {"names_per_hour": 0, "names_per_day": 20}}, "names_per_hour"),
        ({"withdraw_threshold": 17}, "withdraw_threshold"),
    ],
)
def test_an_epoch_is_coherent(fields: dict[str, Any], complaint: str | None) -> None:
    if complaint is None:
        assert make_policy(epoch(**fields))
        return
    with pytest.raises(BadDocument, match=complaint):
        make_policy(epoch(**fields))


@pytest.mark.parametrize("begins", [(1,), (0, 5, 5), (0, 9, 5)])
def test_epochs_begin_one_after_the_other_from_0(begins: tuple[int, ...]) -> None:
    with pytest.raises(BadDocument, match="the first begins at log position 0"):
        make_policy(*map(epoch, begins))


def test_each_position_has_the_epoch_that_began_last() -> None:
    found = make_policy(epoch(), epoch(10, withdraw_threshold=2), epoch(20, withdraw_threshold=3))
    assert [found.at(index).withdraw_threshold for index in (0, 9, 10, 19, 20, 2**48)] == [1, 1, 2, 2, 3, 3]


def test_a_compromised_key_counts_until_the_first_position_it_was_declared_for() -> None:
    keyid = office.key("n1").keyid
    for positions in ((8, 5), (5, 8)):
        found = make_policy(compromised=[{"keyid": keyid, "since": since} for since in positions])
        assert [found.is_compromised(keyid, index) for index in (0, 4, 5, 6, 8, 9)] == [False, False, True, True, True, True]
        assert not found.is_compromised(office.key("n2").keyid, 9)


OLD = make_policy(epoch(), epoch(10))


@pytest.mark.parametrize(
    ("new", "complaint"),
    [
        (make_policy(epoch(), epoch(10), epoch(15)), ""),
        (make_policy(epoch(), epoch(10), epoch(14)), "before log position 15"),
        (make_policy(epoch(), epoch(10, withdraw_threshold=2)), "before log position 15"),
        (make_policy(epoch(withdraw_threshold=2), epoch(10)), "before log position 15"),
        (make_policy(epoch()), "before log position 15"),
        (make_policy(epoch(), epoch(5), epoch(10)), "before log position 15"),
        (make_policy(epoch(), epoch(10), log={"origin": "other.example/log", "key": office.public("log")}), "is for the log"),
        (make_policy(epoch(), epoch(10), log={"origin": office.ORIGIN, "key": office.public("log-2")}), ""),
        (make_policy(epoch(), epoch(10), compromised=[{"keyid": "ab" * 32, "since": 0}]), ""),
    ],
)
def test_a_new_policy_judges_the_past_alike(new: policy.Policy, complaint: str) -> None:
    assert new.at(3).by_key  # what is worked out from an epoch is no part of it
    if not complaint:
        policy.check_follows(new, OLD, 15)
        return
    with pytest.raises(BadDocument, match=complaint):
        policy.check_follows(new, OLD, 15)


def test_an_epoch_that_has_not_begun_may_change() -> None:
    policy.check_follows(make_policy(epoch(), epoch(10, withdraw_threshold=2)), OLD, 10)


def test_a_key_stays_compromised() -> None:
    marked = make_policy(compromised=[{"keyid": "ab" * 32, "since": 7}])
    earlier = make_policy(compromised=[{"keyid": "ab" * 32, "since": 7}, {"keyid": "ab" * 32, "since": 3}])
    policy.check_follows(earlier, marked, 9)
    with pytest.raises(BadDocument, match="takes back"):
        policy.check_follows(marked, earlier, 9)


def test_a_policy_of_ten_thousand_compromised_keys_is_asked_quickly() -> None:
    """Each of 50,000 orders asks whether its keys count: a scan of the list for each would take minutes."""
    many = make_policy(compromised=[{"keyid": f"{n:064x}", "since": n} for n in range(10_000)])
    assert sum(many.is_compromised(f"{n:064x}", 5_000) for n in range(10_000)) == 5_001
