"""The docket as a table: what the policy says, what the log holds, what comes of it. One row is one rule of the feed."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocklists import directive, names
from blocklists.docket import SHOWN, Data, Docket, Verdict
from blocklists.log.entry import Entry, read
from blocklists.refusals import RULES
from blocklists.sources import Basis
from blocklists.trust.envelope import Envelope
from tests.blocklists.trust import office
from tests.blocklists.trust.office import DAY, START, amend, block, digest, epoch, follow, logged, make_policy, reviewed, sign, when

A = block("XX-1", ".site.example")
EMERGENCY = block("XX-1", ".site.example", emergency={"ground": "A life is at risk."}, owner_unidentifiable=None, owner_unidentifiable_why=None)
SOUTH = block("YY-1", "pills.example", category="drugs", expires_at=when(20))
WIDER = amend(A, ".site.example", "more.example")


def some(count: int) -> list[str]:
    return [f"a{n}.example" for n in range(count)]


def compromised(name: str, since: int) -> dict[str, Any]:
    return {"keyid": office.key(name).keyid, "since": since}


def docket(**policy: Any) -> Docket:
    return Docket(Data(make_policy(*policy.pop("epochs", ()), **policy), ("kept.example",), office.SUFFIXES), ("landing.house.example",))


def listed(found: Docket, day: float) -> set[str]:
    """Names in force so many days after START; a subtree's has a leading dot."""
    at = START + int(day * DAY)
    return {
        ("" if exact else ".") + names.key_text(key) for basis in found.state(at) if basis.starts <= at < basis.ends for key, exact in basis.listed
    }


class Row(NamedTuple):
    name: str
    entries: list[bytes]
    rules: list[str]
    """Of each entry: why it is skipped; empty when it stands, `held` when it waits."""
    in_force: str = ""
    """Names in force at the end of day 5, by spaces."""
    policy: dict[str, Any] = {}  # noqa: RUF012 - never changed


ROWS = [
    # Who may order
    Row("two officers of the category's authority", [logged(A)], [""], ".site.example"),
    Row("three are as good as two", [logged(A, ("n1", "n2", "n3"))], [""], ".site.example"),
    Row("one officer is too few", [logged(A, ("n1",))], ["signature.threshold"]),
    Row("the reviewer does not count for a block", [logged(A, ("n1", "r1"))], ["signature.threshold"]),
    Row("an officer of another authority does not count", [logged(A, ("n1", "s1"))], ["signature.threshold"]),
    Row("another authority may not order this", [logged(A, ("s1", "s2"))], ["signature.authority"]),
    Row("a category of one signature", [logged(SOUTH, ("s1",))], [""], "pills.example"),
    Row("two authorities do not add up", [logged(block(category="terrorism"), ("n1", "s1"))], ["signature.threshold"]),
    Row("either authority of a category", [logged(block(category="terrorism"), ("s1", "s2"))], [""], "site.example"),
    Row("strangers", [logged(A, ("stranger", "other"))], ["signature.none"]),
    Row("strangers beside officers", [logged(A, ("stranger", "n1", "n2"))], [""], ".site.example"),
    Row("no signature", [logged(A, ())], ["signature.none"]),
    Row("a category that is not", [logged(block(category="spying"))], ["payload.category"]),
    Row("longer than the category lasts", [logged(block(expires_at=when(366.01)))], ["payload.duration"]),
    Row("as long as the category lasts", [logged(block(expires_at=when(366)))], [""], "site.example"),
    Row("longer than a grace after its review", [logged(block(review_due=when(50), expires_at=when(64.01)))], ["payload.review"]),
    Row("as long as the grace after its review", [logged(block(review_due=when(50), expires_at=when(64)))], [""], "site.example"),
    Row("a key compromised before", [logged(A)], ["signature.compromised"], policy={"compromised": [compromised("n2", 0)]}),
    Row("a key compromised later", [logged(A)], [""], ".site.example", {"compromised": [compromised("n2", 1)]}),
    Row("enough without the compromised key", [logged(A, ("n1", "n2", "n3"))], [""], ".site.example", {"compromised": [compromised("n2", 0)]}),
    # Replay
    Row("an order twice", [logged(A), logged(A)], ["", "replay.nonce"], ".site.example"),
    Row("an id twice", [logged(A), logged(block("XX-1", "other.example"))], ["", "replay.id"], ".site.example"),
    Row("a nonce twice", [logged(A), logged(block("XX-2", nonce=A["nonce"]))], ["", "replay.nonce"], ".site.example"),
    Row("another log's", [logged(block(log="orders.other.example/2026"))], ["replay.origin"]),
    Row("of no log", [logged(block(log=None))], ["payload.form"]),
    Row("without a nonce", [logged(block(nonce=None))], ["payload.form"]),
    Row("too few sign first, and enough later", [logged(A, ("n1",)), logged(A)], ["signature.threshold", ""], ".site.example"),
    Row("after an entry that is none", [b"{}", logged(A)], ["entry.form", ""], ".site.example"),
    Row("a transcription's confirmation", [logged({**EMERGENCY, "emergency": {"ground": "x", "confirmed_at": when(0)}})], ["payload.form"]),
    Row("nothing was asked of the owner", [logged(block(owner_unidentifiable=None, owner_unidentifiable_why=None))], ["payload.form"]),
    # Amendments
    Row("an amendment", [logged(A), logged(WIDER)], ["", ""], ".site.example more.example"),
    Row("one of nothing", [logged(WIDER)], ["order.unknown"]),
    Row(
        "one of what is not the newest",
        [logged(A), logged(WIDER), logged(amend(A, "x.example"))],
        ["", "", "replay.follows"],
        ".site.example more.example",
    ),
    Row(
        "one by another authority",
        [logged(A), logged(amend(A, "x.example", category="terrorism"), ("s1", "s2"))],
        ["", "signature.authority"],
        ".site.example",
    ),
    Row("one by one officer", [logged(A), logged(WIDER, ("n1",))], ["", "signature.threshold"], ".site.example"),
    Row("one of what was withdrawn", [logged(A), logged(follow("withdraw", A)), logged(WIDER)], ["", "", "order.withdrawn"]),
    # Withdrawals and suspensions
    Row("withdrawn by one officer", [logged(A), logged(follow("withdraw", A), ("n3",))], ["", ""]),
    Row("withdrawn by the reviewer", [logged(A), logged(follow("withdraw", A), ("r1",))], ["", ""]),
    Row("withdrawn by another authority", [logged(A), logged(follow("withdraw", A), ("s1",))], ["", "signature.threshold"], ".site.example"),
    Row(
        "two must withdraw, and the reviewer is one",
        [logged(A), logged(follow("withdraw", A), ("n3",)), logged(follow("withdraw", A), ("n3", "r1"))],
        ["", "signature.threshold", ""],
        policy={"epochs": (epoch(withdraw_threshold=2),)},
    ),
    Row("withdrawn, whatever it follows", [logged(A), logged(follow("withdraw", A, follows=digest(SOUTH)))], ["", ""]),
    Row("a withdrawal of nothing", [logged(follow("withdraw", A))], ["order.unknown"]),
    Row("withdrawn from tomorrow on", [logged(A), logged(follow("withdraw", A, effective_at=when(6)))], ["", ""], ".site.example"),
    Row("a withdrawal ends its id for ever", [logged(A), logged(follow("withdraw", A)), logged(block("XX-1", "y.example"))], ["", "", "replay.id"]),
    Row("suspended by any officer", [logged(A), logged(follow("suspend", A, issued_at=when(4)), ("s2",), 4)], ["", ""]),
    Row("suspended by the reviewer", [logged(A), logged(follow("suspend", A, issued_at=when(4)), ("r1",), 4)], ["", ""]),
    Row("a suspension is over after 72 hours", [logged(A), logged(follow("suspend", A, issued_at=when(1)), ("r1",), 1)], ["", ""], ".site.example"),
    Row(
        "a compromised key suspends nothing",
        [logged(A), logged(follow("suspend", A, issued_at=when(4)), ("s1",), 4)],
        ["", "signature.compromised"],
        ".site.example",
        {"compromised": [compromised("s1", 1)]},
    ),
    # Several orders on one name
    Row(
        "two orders, one withdrawn", [logged(A), logged(block("XX-2", ".site.example")), logged(follow("withdraw", A))], ["", "", ""], ".site.example"
    ),
    # Emergencies
    Row("an emergency is over after 72 hours", [logged(EMERGENCY)], [""]),
    Row("one that the reviewer confirmed", [logged(EMERGENCY), logged(reviewed(EMERGENCY), ("r1",), 2)], ["", ""], ".site.example"),
    Row("one that officers confirmed", [logged(EMERGENCY), logged(reviewed(EMERGENCY), ("n1", "n2"), 2)], ["", "signature.reviewer"]),
    Row("one confirmed too late", [logged(EMERGENCY), logged(reviewed(EMERGENCY), ("r1",), 3)], ["", "order.over"]),
    Row(
        "one confirmed too late, and dated back",
        [logged(EMERGENCY), logged(block("XX-2", "late.example"), day=4), logged(reviewed(EMERGENCY), ("r1",), 2)],
        ["", "", "order.over"],
        "late.example",
    ),
    Row("one that a review only speaks of", [logged(EMERGENCY), logged(reviewed(EMERGENCY, "recommend_withdrawal"), ("r1",), 2)], ["", ""]),
    Row("a review of what is not an emergency", [logged(A), logged(reviewed(A), ("r1",))], ["", "order.over"], ".site.example"),
    Row("a review of another digest", [logged(A), logged(reviewed(A, follows=digest(SOUTH)), ("r1",))], ["", "replay.follows"], ".site.example"),
    Row("a review twice", [logged(EMERGENCY), *[logged(reviewed(EMERGENCY), ("r1",), 2)] * 2], ["", "", "replay.nonce"], ".site.example"),
    Row("a review under an order's kind", [logged(EMERGENCY), logged(reviewed(EMERGENCY), ("r1",), kind=office.DIRECTIVE)], ["", "payload.form"]),
    # Guards, name by name
    Row("a protected name among others", [logged(block("XX-1", "kept.example", "site.example"))], [""], "site.example"),
    Row("a public suffix by the data signed", [logged(block("XX-1", ".shared.example", ".a.hosted.example", "site.example"))], [""], "site.example"),
    Row("our own landing", [logged(block("XX-1", "landing.house.example", ".house.example", "site.example"))], [""], "site.example"),
    # Rate: 10 an hour, 20 a day
    Row(
        "only the excess is held, and smaller ones pass",
        [logged(block("XX-1", *some(8))), logged(block("XX-2", "b1.example", "b2.example", "b3.example")), logged(block("XX-3", "c.example"))],
        ["", "held", ""],
        " ".join(some(8)) + " c.example",
    ),
    Row("bulk, with one officer more", [logged(block("XX-1", *some(11)), ("n1", "n2", "n3"))], [""], " ".join(some(11))),
    Row("names in force already are not new", [logged(block(f"XX-{n}", *some(6))) for n in range(3)], ["", "", ""], " ".join(some(6))),
    Row(
        "an hour later the next ten, and on this day no more",
        [logged(block(f"XX-{n}", *[f"{n}-{m}.example" for m in range(10)]), day=n / 24) for n in range(3)]
        + [logged(block("XX-3", "z.example"), day=1)],
        ["", "", "held", ""],
        " ".join([f"{n}-{m}.example" for n in range(2) for m in range(10)] + ["z.example"]),
    ),
    Row(
        "a log that dates back buys nothing",
        [logged(block("XX-1", *some(10)), day=4), logged(block("XX-2", "b.example"), day=2)],
        ["", "held"],
        " ".join(some(10)),
    ),
    # Epochs
    Row(
        "a retired officer's earlier orders stand, later ones do not",
        [logged(SOUTH, ("s1",)), logged(block("YY-2", "b.example", category="drugs", expires_at=when(20)), ("s1",))],
        ["", "signature.none"],
        "pills.example",
        {"epochs": (epoch(), epoch(1, officers={name: value for name, value in epoch()["officers"].items() if name != "s1"}))},
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_a_log_comes_to(row: Row) -> None:
    found = docket(**row.policy)
    verdicts = [found.take(index, entry) for index, entry in enumerate(row.entries)]
    assert [verdict.rule or ("held" if verdict.held else "") for verdict in verdicts] == row.rules
    assert listed(found, 5) == set(row.in_force.split())
    skipped = [each for each in found.state(START + 5 * DAY).skipped if each["rule"] != "guard.refused"]
    assert [(each["index"], each["rule"]) for each in skipped] == [(n, rule) for n, rule in enumerate(row.rules) if rule not in {"", "held"}]


def test_every_rule_is_met_in_the_table() -> None:
    assert {rule for row in ROWS for rule in row.rules} - {"", "held"} == RULES.keys() - {"guard.refused"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_second_docket_given_the_verdicts_says_the_same(row: Row) -> None:
    one, two, blind = docket(**row.policy), docket(**row.policy), docket(**row.policy)
    for index, entry in enumerate(row.entries):
        verdict = one.take(index, entry)
        assert two.take(index, entry, verdict) == verdict
        assert blind.take(index, entry, Verdict(b"another entry's", ((office.key("n1").keyid, True), (office.key("n2").keyid, True)))) == verdict
    states = [each.state(START) for each in (one, two)]
    assert states[0].bases == states[1].bases
    assert states[0].skipped == states[1].skipped


def test_a_log_that_is_filled_with_what_is_none_fills_no_version() -> None:
    found = docket()
    for index in range(SHOWN + 7):
        found.take(index, b"{}")
    state = found.state(START)
    assert [row["index"] for row in state.skipped] == list(range(7, SHOWN + 7))
    assert state.skipped_in_all == SHOWN + 7


def test_a_basis_says_which_order_where_in_the_log() -> None:
    found = docket()
    found.take(0, logged(A))
    (basis,) = found.state(START).bases
    assert (basis.kind, basis.mode, basis.reference, basis.layer) == ("directive", "redirect", "XX-1", "orders")
    assert (basis.starts, basis.ends) == (START, START + 100 * DAY)
    order = {name: value for name, value in A.items() if name != "targets"}
    assert basis.document == order | {"source": "feed", "layer": "orders", "verified": True, "digest": digest(A), "index": 0}


def test_a_demonstration_says_so_in_every_basis() -> None:
    found = Docket(Data(make_policy(), (), office.SUFFIXES, demonstration=True))
    found.take(0, logged(A))
    assert found.state(START).bases[0].document["demonstration"] is True


def test_a_file_by_hand_withdraws_at_once_whatever_the_clock_says() -> None:
    found = docket()
    found.take(0, logged(A))
    assert found.lift(sign(follow("withdraw", A, effective_at=when(50)), "n4")).rule == ""
    assert found.state(START - DAY).withdrawn == ["XX-1"]
    assert found.state(START).bases == []


def test_a_file_by_hand_suspends_for_its_72_hours() -> None:
    found = docket()
    found.take(0, logged(A))
    assert found.lift(sign(follow("suspend", A, issued_at=when(1)), "s2")).rule == ""
    assert [listed(found, day) for day in (0, 1, 3.99, 4)] == [{".site.example"}, set(), set(), {".site.example"}]
    assert found.state(START + 2 * DAY).suspended == ["XX-1"]


def test_a_file_by_hand_may_come_before_the_log_brings_its_order() -> None:
    found = docket()
    assert found.lift(sign(follow("withdraw", A), "n4")).rule == "order.unknown"
    assert found.take(0, logged(A)).rule == ""
    assert listed(found, 5) == set()


@pytest.mark.parametrize(
    ("envelope", "rule"),
    [
        (sign(follow("withdraw", A), "stranger"), "signature.none"),
        (sign(follow("withdraw", A), "s1"), "signature.threshold"),
        (sign(follow("withdraw", A, log="orders.other.example/2026"), "n1"), "replay.origin"),
        (sign(WIDER, "n1", "n2"), "payload.form"),
        (sign(follow("withdraw", A), "n1", kind="application/vnd.redhand.receipt+json"), "payload.form"),
    ],
)
def test_a_file_by_hand_needs_the_right_signatures_and_may_only_lift(envelope: Envelope, rule: str) -> None:
    found = docket()
    found.take(0, logged(A))
    assert found.lift(envelope).rule == rule
    assert listed(found, 5) == {".site.example"}


def test_a_file_by_hand_is_judged_by_the_newest_epoch_and_all_compromised_keys() -> None:
    found = docket(epochs=(epoch(), epoch(1000, withdraw_threshold=2)), compromised=[compromised("n2", 2000)])
    found.take(0, logged(A))
    assert found.lift(sign(follow("withdraw", A), "n1")).rule == "signature.threshold"
    assert found.lift(sign(follow("withdraw", A), "n1", "n2")).rule == "signature.compromised"
    assert found.lift(sign(follow("withdraw", A), "n1", "r1")).rule == ""


def test_the_log_is_judged_alike_whatever_was_carried_in_or_decided_here() -> None:
    """Ten names are in force by the log: withdrawn here alone, they still are not new when another order names them."""
    ten = block("XX-1", *some(10))
    entries = [logged(ten), logged(block("XX-2", *some(10)), day=0.1), logged(block("XX-3", "b.example"), day=0.2)]
    plain, here = docket(), docket()
    here.lift(sign(follow("withdraw", ten), "n1"))
    here.decide([decision("suspend", "XX-1"), decision("hold", "XX-2")])
    assert [here.take(*each) for each in enumerate(entries)] == [plain.take(*each) for each in enumerate(entries)]


def decision(what: str, identity: str = "XX-1", day: float = 5) -> dict[str, Any]:
    return {"what": what, "id": identity, "by": "A. Person", "reason": "ticket 7", "at": START + int(day * DAY)}


@pytest.mark.parametrize(
    ("decisions", "in_force", "held", "suspended"),
    [
        ([], "site.example", ["XX-2"], []),
        ([decision("release", "XX-2")], "site.example bulk", [], []),
        ([decision("release", "XX-2", day=-1)], "site.example", ["XX-2"], []),
        ([decision("hold")], "", ["XX-1", "XX-2"], []),
        ([decision("hold"), decision("release")], "site.example", ["XX-2"], []),
        ([decision("suspend")], "", ["XX-2"], ["XX-1"]),
        ([decision("suspend"), decision("resume")], "site.example", ["XX-2"], []),
        ([decision("release", "XX-2"), decision("suspend", "XX-2")], "site.example", [], ["XX-2"]),
        ([decision("resume", "XX-9"), decision("suspend", "XX-9")], "site.example", ["XX-2"], []),
    ],
)
def test_the_operator_decides_by_name_what_is_in_force_here(
    decisions: list[dict[str, Any]], in_force: str, held: list[str], suspended: list[str]
) -> None:
    found = docket()
    found.take(0, logged(block("XX-1")))
    assert found.take(1, logged(block("XX-2", *some(11)))).held
    found.decide([decision("hold"), decision("hold", "XX-2"), decision("suspend")])
    found.decide(decisions)
    assert listed(found, 5) == {name for each in in_force.split() for name in (some(11) if each == "bulk" else [each])}
    state = found.state(START + 5 * DAY)
    assert [row["id"] for row in state.held] == held
    assert state.suspended == suspended
    if held == ["XX-1", "XX-2"]:
        assert state.held[0]["why"] == "A. Person: ticket 7"


def test_only_a_new_decision_changes_something() -> None:
    found = docket()
    found.take(0, logged(block("XX-1")))
    changes = []
    for decisions in ([], [decision("suspend")], [decision("suspend")], [decision("suspend"), decision("resume")], []):
        found.decide(decisions)
        changes.append(found.state(START).changed)
    assert changes == [{"XX-1"}, {"XX-1"}, set(), {"XX-1"}, {"XX-1"}]


def test_what_ended_changes_once() -> None:
    found = docket()
    found.take(0, logged(A))
    found.take(1, logged(block("XX-2", expires_at=when(9))))
    ids = {day: found.state(START + day * DAY).changed for day in (0, 8, 9, 10, 100, 101)}
    assert ids == {0: {"XX-1", "XX-2"}, 8: set(), 9: {"XX-2"}, 10: set(), 100: {"XX-1"}, 101: set()}
    assert found.state(START).changed == {"XX-1", "XX-2"}  # a clock that was set back


def test_a_withdrawal_or_suspension_that_was_logged_applies_though_our_clock_stands_still() -> None:
    found = docket()
    found.take(0, logged(A))
    other = block("XX-2", "other.example")
    found.take(1, logged(other))
    found.take(2, logged(follow("withdraw", A, issued_at=when(3)), ("n1",), 3))
    found.take(3, logged(follow("suspend", other, issued_at=when(3)), ("n1",), 3))
    assert listed(found, 0) == set()
    state = found.state(START)
    assert (state.withdrawn, state.suspended) == (["XX-1"], ["XX-2"])


def test_an_amendment_that_is_held_leaves_the_order_before_it_in_force() -> None:
    found = docket()
    found.take(0, logged(A))
    bulk = amend(A, *some(11))
    assert found.take(1, logged(bulk)).held
    assert listed(found, 5) == {".site.example"}
    found.decide([decision("release")])
    assert listed(found, 5) == set(some(11))
    assert found.take(2, logged(amend(bulk, "z.example"))).held is False
    assert listed(found, 5) == {"z.example"}


def test_a_name_that_guards_refuse_is_said_with_its_reason() -> None:
    found = docket()
    found.take(0, logged(block("XX-1", "kept.example", "site.example")))
    (row,) = found.state(START).skipped
    assert (row["index"], row["id"], row["rule"]) == (0, "XX-1", "guard.refused")
    assert "kept.example is a protected name" in row["why"]


def test_entries_are_taken_in_order() -> None:
    with pytest.raises(ValueError, match="entry 1 is not the next, which is 0"):
        docket().take(1, logged(A))


@pytest.mark.parametrize("seed", range(12))
def test_step_by_step_is_the_same_as_at_once_and_as_the_fold_of_what_stands(seed: int) -> None:
    """Three ways to the same list: a docket asked after each entry, its `changed` believed; a new docket; and `directive.fold`."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    entries = list(_history(dice, 40))
    found, kept, standing = docket(), dict[str, list[Basis]](), list[directive.Directive]()
    as_of = START
    for index, (day, payload, signers) in enumerate(entries):
        verdict = found.take(index, logged(payload, signers, day))
        if not verdict.rule and not verdict.held and payload["type"] == "directive":
            standing.append(directive.load(payload))
        as_of = max(as_of, START + int(day * DAY))
        state = found.state(as_of)
        kept.update({identity: state.of(identity) for identity in state.changed})
        assert {identity: bases for identity, bases in kept.items() if bases} == _by_id(state.bases)
    fresh = docket()
    for index, (day, payload, signers) in enumerate(entries):
        fresh.take(index, logged(payload, signers, day))
    assert fresh.state(as_of).bases == found.state(as_of).bases
    assert fresh.state(as_of).skipped == found.state(as_of).skipped
    terms = directive.fold(standing, as_of).terms
    assert {(basis.reference, basis.starts, basis.ends) for basis in found.state(as_of).bases} == {
        (term.directive.id, term.starts, term.ends) for term in terms
    }


def _by_id(bases: list[Basis]) -> dict[str, list[Basis]]:
    found: dict[str, list[Basis]] = {}
    for basis in bases:
        found.setdefault(basis.reference, []).append(basis)
    return found


def _history(dice: random.Random, count: int) -> Iterator[tuple[float, dict[str, Any], tuple[str, ...]]]:
    """Orders and what follows them, some of it wrong; days never go back."""
    newest: dict[str, dict[str, Any]] = {}
    day = 0.0
    for number in range(count):
        day += dice.choice([0.001, 0.02, 0.5, 1.5])
        identity = f"XX-{dice.randrange(5)}"
        fields = {
            "effective_at": when(day + dice.choice([-1, 0, 0, 2])),
            "expires_at": when(day + dice.choice([2, 3, 9])),
            "nonce": office.nonce((day, number)),
        }
        targets = dice.sample(some(12), dice.choice([1, 2, 5]))
        signers = dice.choice([("n1", "n2"), ("n1", "n2"), ("n1", "n2", "n3"), ("n1",)])
        if identity not in newest:
            newest[identity] = payload = block(identity, *targets, **fields)
        else:
            what = dice.choice(["amend"] * 4 + ["suspend", "withdraw", "block"])
            if what == "amend":
                payload = amend(newest[identity], *targets, **fields)
                newest[identity] = dice.choice([payload, payload, newest[identity]])
            elif what == "block":
                payload = block(identity, *targets, **fields)
            else:
                payload = follow(what, newest[identity], issued_at=fields["effective_at"], nonce=fields["nonce"])
        yield day, payload, signers


LOGGED = logged(A, ("n1", "n2"), 1)


@settings(max_examples=400)
@given(st.data())
def test_an_altered_entry_is_skipped_or_says_what_was_signed(data: st.DataObject) -> None:
    """Any edit of an entry's bytes: skipped by a rule, or the order is the one that enough officers signed, octet by octet."""
    octets = bytearray(LOGGED)
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=2) | st.sampled_from([b"0", b"9", b"true", b"null", b"=", b"\\u0041"])
        )
    found = docket()
    verdict = found.take(0, bytes(octets))
    if verdict.rule:
        assert verdict.rule in RULES
        assert found.state(START + 2 * DAY).bases == []
        assert found.take(1, LOGGED).rule == ""  # and it harms no entry after it
    else:
        envelope = read(bytes(octets)).envelope
        assert envelope is not None
        assert envelope.payload == sign(A, "n1").payload
        assert sum(good for _, good in verdict.signatures) == 2


@given(st.sampled_from(["id", "follows", "action", "nonce", "issued_at", "log"]), st.text(max_size=8))
def test_a_withdrawal_that_was_altered_after_it_was_signed_lifts_nothing(field: str, value: str) -> None:
    withdrawal = follow("withdraw", A)
    signed = sign(withdrawal, "n1", "n2", "n3")
    altered = signed._replace(payload=directive.canonical({**withdrawal, field: value}))
    found = docket()
    found.take(0, logged(A))
    assert found.lift(altered).rule == ("signature.none" if altered.payload != signed.payload else "")
    assert listed(found, 5) == {".site.example"}


def test_the_bytes_of_a_cache_are_not_asked_when_the_entry_is_another() -> None:
    """A verdict kept for one entry is no verdict for another, whatever says so."""
    forged = Entry(START, sign(A, "n1")._replace(signatures=tuple(sorted((office.key(name).keyid, b"x" * 64) for name in ("n1", "n2"))))).encode()
    good = docket().take(0, logged(A))
    assert docket().take(0, forged, good).rule == "signature.none"


def test_fifty_thousand_orders_would_fold_in_time() -> None:
    """A fiftieth of a first sync; 0.6 ms each is the promise, and ten times that is asked here, for machines that do much else."""
    entries = [logged(block(f"XX-{n}", f"a{n}.example"), ("n1", "n2", "n3")) for n in range(1000)]
    found = docket()
    began = time.process_time()
    assert not any(found.take(*each).rule for each in enumerate(entries))
    assert time.process_time() - began < 6
    assert len(found.state(START).bases) == 1000
    found.take(1000, logged(block("YY", "y.example"), ("n1", "n2", "n3")))
    assert found.state(START).changed == {"YY"}


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"\x1b[2J":1,"logged_at":1}'.replace(b"\x1b", b"\\u001b"),
        logged({**A, "\x1b[2J": 1}),
        logged({**A, "category": "\x1b[2J"}),
        logged({**A, "reasons": {"\x1b[2J": "x"}}),
        logged({**A, "log": "\u202eelpmaxe"}),
        logged(block(category="\u202eelpmaxe")),
        logged({**reviewed(A), "\x1b[2J": 1}, ("r1",)),
    ],
)
def test_the_words_for_what_was_skipped_can_be_shown_on_a_terminal(hostile: bytes) -> None:
    verdict = docket().take(0, hostile)
    assert verdict.rule
    assert verdict.why.isprintable()


# Another policy over the same log

RENEWALS = [
    ("an operator more", {"operators": {"isp-1": {"name": "An operator", "key": office.public("isp-1")}}}, True),
    ("an epoch from the next entry on", {"epochs": (epoch(), epoch(2, withdraw_threshold=3))}, True),
    ("a key compromised from the next entry on", {"compromised": [compromised("n1", 2)]}, True),
    ("a key compromised before", {"compromised": [compromised("n1", 1)]}, False),
    ("another past", {"epochs": (epoch(), epoch(1, withdraw_threshold=3))}, False),
]


@pytest.mark.parametrize(("change", "same"), [row[1:] for row in RENEWALS], ids=[row[0] for row in RENEWALS])
def test_a_new_policy_is_followed_without_reading_the_log_anew_if_it_leaves_the_past_alone(change: dict[str, Any], same: bool) -> None:
    log = [logged(A), logged(block("XX-2", "other.example"))]
    coming = [logged(block("XX-3", "third.example")), logged(follow("withdraw", A), ("n1", "n2")), logged(follow("withdraw", block("XX-2")), ("n3",))]
    kept, fresh = docket(), docket(**change)
    for index, data in enumerate(log):
        kept.take(index, data)
        fresh.take(index, data)
    assert kept.renew(fresh.data) is same
    if not same:
        kept = docket(**change)  # what a refusal calls for; and it left the old one as it was
        for index, data in enumerate(log):
            kept.take(index, data)
    for index, data in enumerate(coming, len(log)):
        assert kept.take(index, data) == fresh.take(index, data)
    assert (listed(kept, 5), kept.state(START).skipped) == (listed(fresh, 5), fresh.state(START).skipped)


def test_other_data_and_lifts_by_hand_that_a_new_epoch_would_judge_call_for_a_new_docket() -> None:
    kept = docket()
    kept.take(0, logged(A))
    assert not kept.renew(kept.data._replace(protected=("site.example",)))
    assert not kept.renew(kept.data._replace(demonstration=True))
    assert kept.lift(sign(follow("withdraw", A), "n1")).rule == ""
    operators = {"isp-1": {"name": "An operator", "key": office.public("isp-1")}}
    assert kept.renew(docket(operators=operators).data)
    # By this epoch one officer could not have withdrawn it.
    assert not kept.renew(docket(operators=operators, epochs=(epoch(), epoch(1, withdraw_threshold=2))).data)
    assert not kept.renew(docket(operators=operators, compromised=[compromised("n1", 1)]).data)
