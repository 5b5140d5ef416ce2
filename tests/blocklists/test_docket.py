"""The docket as a table: what the policy says, what the log holds, what comes of it. One row is one rule of the feed."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from blocklists import names
from blocklists.docket import Data, Docket, Verdict
from blocklists.refusals import RULES
from tests.blocklists.trust import office
from tests.blocklists.trust.office import DAY, ORIGIN, START, amend, block, digest, epoch, follow, logged, make_policy, reviewed, sign, when

A = block("XX-1", ".site.example")
EMERGENCY = block("XX-1", ".site.example", emergency={"ground": "A life is at risk."}, owner_unidentifiable=None, owner_unidentifiable_why=None)
SOUTH = block("YY-1", "pills.example", category="drugs", expires_at=when(20))
WIDER = amend(A, ".site.example", "more.example")


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
    Row("one of what is not the newest", [logged(A), logged(WIDER), logged(amend(A, "x.example"))], ["", "", "replay.follows"], ".site.example more.example"),
    Row("one by another authority", [logged(A), logged(amend(A, "x.example", category="terrorism"), ("s1", "s2"))], ["", "signature.authority"], ".site.example"),
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
    Row("two orders, one withdrawn", [logged(A), logged(block("XX-2", ".site.example")), logged(follow("withdraw", A))], ["", "", ""], ".site.example"),
    # Emergencies
    Row("an emergency is over after 72 hours", [logged(EMERGENCY)], [""]),
    Row("one that the reviewer confirmed", [logged(EMERGENCY), logged(reviewed(EMERGENCY), ("r1",), 2)], ["", ""], ".site.example"),
    Row("one that officers confirmed", [logged(EMERGENCY), logged(reviewed(EMERGENCY), ("n1", "n2"), 2)], ["", "signature.reviewer"]),
    Row("one confirmed too late", [logged(EMERGENCY), logged(reviewed(EMERGENCY), ("r1",), 3)], ["", "order.over"]),
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
        [logged(block("XX-1", *[f"a{n}.example" for n in range(8)])), logged(block("XX-2", "b1.example", "b2.example", "b3.example")), logged(block("XX-3", "c.example"))],
        ["", "held", ""],
        " ".join(f"a{n}.example" for n in range(8)) + " c.example",
    ),
    Row("bulk, with one officer more", [logged(block("XX-1", *[f"a{n}.example" for n in range(11)]), ("n1", "n2", "n3"))], [""], " ".join(f"a{n}.example" for n in range(11))),
    Row("names in force already are not new", [logged(block(f"XX-{n}", *[f"a{n}.example" for n in range(6)])) for n in range(3)], ["", "", ""], " ".join(f"a{n}.example" for n in range(6))),
    Row(
        "an hour later the next ten, and on this day no more",
        [logged(block(f"XX-{n}", *[f"{n}-{m}.example" for m in range(10)]), day=n / 24) for n in range(3)] + [logged(block("XX-3", "z.example"), day=1)],
        ["", "", "held", ""],
        " ".join([f"{n}-{m}.example" for n in range(2) for m in range(10)] + ["z.example"]),
    ),
    Row(
        "a log that dates back buys nothing",
        [logged(block("XX-1", *[f"a{n}.example" for n in range(10)]), day=4), logged(block("XX-2", "b.example"), day=2)],
        ["", "held"],
        " ".join(f"a{n}.example" for n in range(10)),
    ),
    # Epochs
    Row(
        "a retired officer's earlier orders stand, later ones do not",
        [logged(SOUTH, ("s1",)), logged(block("YY-2", "b.example", category="drugs", expires_at=when(20)), ("s1",))],
        ["", "signature.none"],
        "pills.example",
        {"epochs": (epoch(), epoch(1, officers={name: value for name, value in epoch()["officers"].items() if name != "s1"}))},
    ),
]  # fmt: skip


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
