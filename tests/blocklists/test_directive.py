"""Directives: what an order must carry, its digest, and the fold against a slow reading of the rules, instant by instant."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocklists import names
from blocklists.directive import EMERGENCY_SECONDS, SUSPENSION_SECONDS, BadDirective, Directive, canonical, fold, load, show_time
from blocklists.errors import BadName

DAY = 86400
START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())


def at(day: float) -> str:
    return show_time(datetime.fromtimestamp(START + day * DAY, UTC))


def order(**fields: Any) -> dict[str, Any]:
    whole = {
        "id": "XX-2026-1",
        "action": "block",
        "issuer": {"authority": "Office", "contact": "office@authority.example"},
        "targets": [{"fqdn": "site.example", "match": "subtree"}],
        "category": "fraud",
        "legal_basis": "Law 1",
        "reasons": {"en": "A fraud."},
        "issued_at": at(0),
        "effective_at": at(1),
        "expires_at": at(100),
        "redress": {"url": "https://authority.example/", "deadline_days": "30", "court": "Court"},
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def follow(action: str, previous: Directive, **fields: Any) -> Directive:
    if action == "amend":
        return load(order(action="amend", follows=previous.digest(), id=previous.id, **fields))
    blank = dict.fromkeys(("targets", "category", "legal_basis", "redress", "effective_at", "expires_at"))
    return load(order(**{**blank, "action": action, "follows": previous.digest(), "id": previous.id, **fields}))


def test_text_from_yaml_and_typed_values_from_json_are_one_directive() -> None:
    loose = load(order())
    typed = load(json.loads(canonical(loose.document())))
    assert typed == loose
    assert typed.digest() == loose.digest()
    assert loose.document()["redress"]["deadline_days"] == 30


def test_the_digest_is_that_of_the_canonical_json_spelt_out() -> None:
    directive = load(order(reasons={"fr": "Été", "en": "Summer"}))
    text = (
        '{"action":"block","category":"fraud","effective_at":"2026-03-02T00:00:00Z","expires_at":"2026-06-09T00:00:00Z","id":"XX-2026-1",'
        '"issued_at":"2026-03-01T00:00:00Z","issuer":{"authority":"Office","contact":"office@authority.example"},"legal_basis":"Law 1",'
        '"reasons":{"en":"Summer","fr":"Été"},"redress":{"court":"Court","deadline_days":30,"url":"https://authority.example/"},'
        '"targets":[{"fqdn":"site.example","match":"subtree"}],"type":"directive","version":1}'
    )
    assert canonical(directive.document()).decode() == text
    assert directive.digest() == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_one_instant_in_two_zones_and_one_name_in_two_scripts_are_one_directive() -> None:
    one = load(order(effective_at="2026-03-02T00:00:00Z", targets=[{"fqdn": "Café.example.", "match": "exact"}]))
    two = load(order(effective_at="2026-03-02T01:30:00+01:30", targets=[{"fqdn": "xn--caf-dma.example", "match": "exact"}]))
    assert one == two
    assert one.digest() == two.digest()


@given(
    st.text(st.sampled_from("abXYZ019-_.\\*/ é"), max_size=12) | st.integers(250, 258).map(lambda length: ("a" * 49 + ".") * 5 + "b" * (length - 250))
)
def test_a_target_is_the_name_that_is_listed(text: str) -> None:
    """Plain names take a short cut; it leads where the long way leads."""
    try:
        wire = names.listed(text)
    except BadName:
        with pytest.raises(BadDirective):
            load(order(targets=[{"fqdn": text, "match": "exact"}]))
        return
    (target,) = load(order(targets=[{"fqdn": text, "match": "exact"}])).targets or ()
    assert (target.fqdn, target.key) == (names.to_text(wire), names.key(wire))


def test_times_may_come_as_times() -> None:
    assert load(order(issued_at=datetime.fromtimestamp(START, UTC))) == load(order())
    with pytest.raises(BadDirective, match=r"issued_at.*with its zone"):
        load(order(issued_at=datetime(2026, 3, 1)))


@pytest.mark.parametrize(
    ("fields", "field", "complaint"),
    [
        ({"expires_at": None}, "expires_at", "is missing"),
        ({"targets": None}, "targets", "is missing"),
        ({"redress": None}, "redress", "is missing"),
        ({"issuer": None}, "issuer", "is missing"),
        ({"expire_at": at(3)}, "expire_at", "mend its spelling"),
        ({"id": "XX 1"}, "id", "letters, digits"),
        ({"expires_at": "2026-03-09"}, "expires_at", "with its zone"),
        ({"expires_at": "2026-03-09T00:00:00"}, "expires_at", "with its zone"),
        ({"expires_at": "1789000000"}, "expires_at", "with its zone"),
        ({"expires_at": "2026-03-09T00:00:00.5Z"}, "expires_at", "without fractions"),
        ({"expires_at": "2026-13-09T00:00:00Z"}, "expires_at", "month"),
        ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at", "year"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at", "year"),
        ({"expires_at": at(0.5)}, "expires_at", "before the order takes effect"),
        ({"targets": []}, "targets", "at least 1"),
        ({"targets": [{"fqdn": f"a{n}.example", "match": "exact"} for n in range(1001)]}, "targets", "at most 1000"),
        ({"targets": [{"fqdn": "site.example"}]}, "targets.0.match", "is missing"),
        ({"targets": [{"fqdn": "site.example/page", "match": "exact"}]}, "targets.0.fqdn", "'/'"),
        ({"targets": [{"fqdn": "192.0.2.1", "match": "exact"}]}, "targets.0.fqdn", "ends in a number"),
        ({"targets": [{"fqdn": ".", "match": "subtree"}]}, "targets.0.fqdn", "root"),
        ({"reasons": {}}, "reasons", "at least 1"),
        ({"reasons": {"EN": "x"}}, "reasons.EN.[key]", "language tag"),
        ({"reasons": {"en": "  "}}, "reasons.en", "at least 1"),
        ({"category": "a\nb"}, "category", "one line"),
        ({"follows": "sha256:" + "0" * 64}, "follows", "a block follows nothing"),
        ({"action": "amend"}, "follows", "needs the sha256"),
        ({"action": "amend", "follows": "sha256:0"}, "follows", "64 hex"),
        ({"action": "withdraw", "follows": "sha256:" + "0" * 64}, "targets", "whole id"),
        ({"action": "delete"}, "action", "'block'"),
        ({"nonce": "xyz"}, "nonce", "32 hex"),
        ({"version": "2"}, "version", "1"),
        ({"type": "decision"}, "type", "directive"),
        ({"owner_unidentifiable": "true"}, "owner_unidentifiable", "go together"),
        (
            {
                "owner_unidentifiable": "true",
                "owner_unidentifiable_why": "x",
                "removal_request": {"sent_at": at(0), "recipient": "r", "deadline": at(0.5), "outcome": "none"},
            },
            "owner_unidentifiable",
            "contradicts removal_request",
        ),
        ({"owner_unidentifiable": "false"}, "owner_unidentifiable", "True"),
        ({"redress": {"url": "x", "deadline_days": "0", "court": "c"}}, "redress.deadline_days", "greater than or equal to 1"),
    ],
)
def test_a_faulty_order_is_refused_by_name(fields: dict[str, Any], field: str, complaint: str) -> None:
    with pytest.raises(BadDirective, match=re.escape(complaint)) as caught:
        load(order(**fields))
    assert ".".join(map(str, caught.value.field)) == field
    assert str(caught.value).startswith(field + ": ")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ),
    st.data(),
)
def test_any_value_in_any_field_is_refused_or_round_trips(value: Any, data: st.DataObject) -> None:
    """Refused with BadDirective, or the document that comes out loads to the same directive with the same digest."""
    field = data.draw(st.sampled_from(sorted(Directive.model_fields)))
    try:
        directive = load({**order(), field: value})
    except BadDirective:
        return
    again = load(json.loads(canonical(directive.document())))
    assert again == directive
    assert again.digest() == directive.digest()


def test_a_block_holds_from_its_effective_time_to_its_expiry() -> None:
    directive = load(order())
    assert fold([directive], START).terms == [(directive, START + DAY, START + 100 * DAY)]
    assert fold([directive], START + 100 * DAY - 1).terms
    assert not fold([directive], START + 100 * DAY).terms


def test_an_emergency_ends_after_72_hours_unless_confirmed() -> None:
    bare = load(order(emergency={"ground": "Live attack"}))
    assert fold([bare], START).terms[0].ends == START + DAY + EMERGENCY_SECONDS
    confirmed = load(order(emergency={"ground": "Live attack", "confirmed_at": at(2)}))
    assert fold([confirmed], START).terms[0].ends == START + 100 * DAY


def test_an_amendment_takes_over_at_its_time_and_its_expiry_counts() -> None:
    first = load(order())
    second = follow("amend", first, effective_at=at(10), expires_at=at(20))
    third = follow("amend", second, effective_at=at(15), expires_at=at(300))
    folded = fold([third, first, second], START)
    assert folded.terms == [
        (first, START + DAY, START + 10 * DAY),
        (second, START + 10 * DAY, START + 15 * DAY),
        (third, START + 15 * DAY, START + 300 * DAY),
    ]
    assert folded.without_effect == []


def test_a_suspension_opens_a_gap_of_72_hours_at_most() -> None:
    first = load(order())
    long = follow("suspend", first, effective_at=at(10), expires_at=at(90))
    short = follow("suspend", first, effective_at=at(30), expires_at=at(31))
    assert [(term.starts, term.ends) for term in fold([first, long, short], START).terms] == [
        (START + DAY, START + 10 * DAY),
        (START + 10 * DAY + SUSPENSION_SECONDS, START + 30 * DAY),
        (START + 31 * DAY, START + 100 * DAY),
    ]


def test_a_withdrawal_ends_an_id_for_ever_even_before_its_block_arrives() -> None:
    first = load(order())
    second = follow("amend", first, effective_at=at(3))
    gone = follow("withdraw", first)
    assert fold([gone, first, second], START) == ([], ("XX-2026-1",), [])
    alone = fold([gone], START)
    assert alone.withdrawn == ("XX-2026-1",)
    assert "no block of XX-2026-1" in alone.without_effect[0][1]


def test_a_withdrawal_to_come_ends_the_terms_and_is_not_yet_listed() -> None:
    first = load(order())
    gone = follow("withdraw", first, effective_at=at(5))
    assert fold([first, gone], START) == ([(first, START + DAY, START + 5 * DAY)], (), [])


def test_unblocking_goes_by_id_whatever_it_follows() -> None:
    first = load(order())
    never_seen = follow("amend", first, category="other")
    assert fold([first, follow("withdraw", never_seen)], START).terms == []


def test_copies_forks_and_strays_change_nothing_and_are_named() -> None:
    first = load(order())
    copy = load(order(category="other"))
    one, other = follow("amend", first, category="one"), follow("amend", first, category="other")
    stray = follow("amend", copy)
    folded = fold([first, copy, one, other, stray], START)
    assert [term.directive for term in folded.terms] == [one]
    assert [(position, reason.split(";")[0]) for position, reason in folded.without_effect] == [
        (1, "XX-2026-1 blocks already, and an id blocks once"),
        (3, "another amendment of XX-2026-1 follows the same directive"),
        (4, f"it does not follow the newest directive of XX-2026-1, which is {one.digest()}"),
    ]


def in_force(directives: list[Directive], identity: str, instant: int) -> Directive | None:
    """The rules said slowly, for one id and one instant."""
    case = [directive for directive in directives if directive.id == identity]
    if any(one.action == "withdraw" and one.starts <= instant for one in case):
        return None
    if any(one.action == "suspend" and one.starts <= instant < one.ends for one in case):
        return None
    newest = next((one for one in case if one.action == "block"), None)
    current = None
    while newest is not None:
        if newest.starts <= instant:
            current = newest
        digest = newest.digest()
        newest = next((one for one in case if one.action == "amend" and one.follows == digest), None)
    return current if current is not None and instant < current.ends else None


@st.composite
def histories(draw: st.DrawFn) -> list[Directive]:
    days = st.integers(0, 20)
    made: list[Directive] = []
    for number in range(draw(st.integers(1, 8))):
        first, last = sorted((draw(days), draw(days)))
        action = draw(st.sampled_from(["block", "amend", "amend", "suspend", "withdraw"]))
        if action == "block" or not made:
            urgent = {"ground": "x"} if draw(st.booleans()) else None
            fields = {"id": f"XX-{draw(st.integers(1, 2))}", "category": f"c{number}", "emergency": urgent}
            made.append(load(order(effective_at=at(first), expires_at=at(last), **fields)))
        else:
            fields = {"reasons": {"en": f"r{number}"}, "effective_at": at(first)}
            if action != "withdraw":
                fields["expires_at"] = at(last)
            made.append(follow(action, draw(st.sampled_from(made)), **fields))
    return draw(st.permutations(made))


@given(histories(), st.integers(0, 20))
def test_the_fold_equals_the_rules_at_every_instant(directives: list[Directive], now: int) -> None:
    folded = fold(directives, START + now * DAY)
    for identity in ("XX-1", "XX-2"):
        for half_day in range(2 * now, 50):
            instant = START + half_day * DAY // 2
            found = [term.directive for term in folded.terms if term.directive.id == identity and term.starts <= instant < term.ends]
            expected = in_force(directives, identity, instant)
            assert found == ([] if expected is None else [expected])
    assert all(term.starts < term.ends and term.ends > START + now * DAY for term in folded.terms)
