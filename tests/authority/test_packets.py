"""One file goes from machine to machine: it is shown in full, never signs what it does not show, and hostile bytes are refused in our words."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authority import drafts, packets, shown
from authority.ceremony import ceremony
from authority.errors import AuthorityError
from authority.packets import Packet
from authority.spec import from_document
from blocklists.errors import RedHandError
from tests.authority.cast import NOW, ORIGIN, Cast, following, found, order, signed


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture(scope="module")
def made(cast: Cast, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Packet]:
    """One packet of each kind, half signed."""
    here = tmp_path_factory.mktemp("packets") / "authority"
    publisher = found(cast, here)
    publisher.publish([signed(cast, here, order("XX-0", "zero.test"))], NOW)
    root, targets = drafts.rotate(here, "targets", NOW, [cast.holder("targets-4"), cast.holder("targets-5")], 2)
    review = {"id": "XX-0", "decision": "confirm", "reasons": {"en": "Yes."}, "issued_at": "2026-09-22T00:00:00Z"}
    return {
        "root": cast.sign(root, "root-1"),
        "targets": cast.sign(targets, "targets-4"),
        "directive": cast.sign(drafts.draft_order(here, order("XX-1", "www.site.test", ".other.test")), "north-3"),
        "review": drafts.draft_order(here, review),
        "withdrawal": drafts.draft_order(here, following("XX-0", "withdraw")),
    }


def test_all_of_an_order_is_shown(made: dict[str, Packet]) -> None:
    text = shown.text(made["directive"])
    payload = json.loads(made["directive"].envelope.payload)

    def leaves(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [leaf for each in value.values() for leaf in leaves(each)]
        return [leaf for each in value for leaf in leaves(each)] if isinstance(value, list) else [str(value)]

    for leaf in leaves(payload):
        assert (leaf in text) or (leaf in ("True", "False") and leaf.lower() in text), leaf
    assert "www.site.test (exact): no objection" in text
    assert "other.test (subtree): no objection" in text
    assert "Signatures of those who may sign this order: 1 of 2, 1 missing" in text
    assert "signed    north-3 (north-3)" in text
    assert "may sign  north-1 (north-1)" in text
    assert "south-1" not in text.partition("Signatures")[2], "nobody is named who may not sign"


def test_policy_names_and_data_are_shown(made: dict[str, Packet]) -> None:
    text = shown.text(made["targets"])
    for said in ("names_per_hour: 5", "person: north-2", "authority.example\n", "portal.example\n", "the same as on this machine", "VERSION:"):
        assert said in text, said
    assert "Signatures of targets role of root version 1: 0 of 2, 2 missing (not needed; with it, clients change over without a gap)" in text
    assert "Signatures of targets role of root version 2: 1 of 2, 1 missing" in text


def test_a_root_shows_what_it_changes(made: dict[str, Packet]) -> None:
    text = shown.text(made["root"])
    assert "It follows version 1, in which (if this is the true one: compare it with your own copy):\n    root: as here\n" in text
    assert "targets: 2 of 3: targets-1, targets-2, targets-3" in text
    assert "Signatures of root role of root version 1: 1 of 2, 1 missing" in text, "the same people twice are asked once"
    assert text.count("Signatures of") == 1


@pytest.mark.parametrize(
    ("kind", "typed"), [("root", ORIGIN), ("targets", ORIGIN), ("directive", "XX-1"), ("review", "XX-0"), ("withdrawal", "XX-0")]
)
def test_what_must_be_typed(made: dict[str, Packet], kind: str, typed: str) -> None:
    assert shown.typed(made[kind]) == typed


def test_a_follower_names_the_digest_of_the_newest_order(made: dict[str, Packet]) -> None:
    follows = {json.loads(made[kind].envelope.payload)["follows"] for kind in ("review", "withdrawal")}
    assert len(follows) == 1
    assert next(iter(follows)).startswith("sha256:")


def test_the_name_itself_is_typed_when_there_is_one(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    assert shown.typed(drafts.draft_order(here, order("XX-1", "bücher.test"))) == "xn--bcher-kva.test"


def test_letters_that_turn_the_writing_around_are_shown_as_what_they_are(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    text = shown.text(drafts.draft_order(here, order(legal_basis="Law \u202e1 \u200b2")))
    assert "\u202e" not in text
    assert r"Law \u202e1 \u200b2" in text


def test_a_signer_is_told_how_many_the_desk_wants(cast: Cast, made: dict[str, Packet]) -> None:
    """With two of three it said: 2 of 2, complete."""
    wanting = cast.sign(replace(made["directive"], wanted=3), "north-1")
    said = list(shown.signatures(packets.read(wanting.encode(), "the packet")))
    whose = "those who may sign this order (the policy asks for 2, its desk for 1 more for guards that were overridden)"
    assert said[0] == f"Signatures of {whose}: 2 of 3, 1 missing"
    assert not packets.complete(wanting)
    assert packets.complete(cast.sign(wanting, "north-2"))
    (joined,) = packets.merged([cast.sign(made["directive"], "north-1"), wanting])
    assert not packets.complete(joined)
    # Fewer than the policy asks for, nobody can want.
    assert next(shown.signatures(replace(made["directive"], wanted=1))) == "Signatures of those who may sign this order: 1 of 2, 1 missing"


def test_officers_of_two_authorities_do_not_complete_an_order(cast: Cast, tmp_path: Path) -> None:
    """Operators count those of one authority."""
    here = tmp_path / "authority"
    document = cast.document()
    document["categories"]["terrorism"]["authorities"] = ["north", "south"]
    publisher = found(cast, here, categories=document["categories"])
    packet = cast.sign(drafts.draft_order(here, order("XX-1", "www.site.test")), "north-1", "south-1")
    said = list(shown.signatures(packet))
    assert said[0] == "Signatures of officers of North: 1 of 2, 1 missing"
    assert not any("south-1" in line for line in said)
    with pytest.raises(AuthorityError, match="2 officers of one authority must sign it, and 1 did"):
        publisher.publish([packet], NOW)
    packet = cast.sign(packet, "north-2")
    assert packets.complete(packet)
    publisher.publish([packet], NOW)
    # So too where the policy asks for one, and the desk for another.
    document["categories"]["fraud"]["authorities"] = ["north", "south"]
    other = tmp_path / "other"
    found(cast, other, categories=document["categories"])
    packet = replace(drafts.draft_order(other, order("XX-2", "two.test", category="fraud", expires_at="2026-10-01T00:00:00Z")), wanted=2)
    assert not packets.complete(cast.sign(packet, "north-1", "south-1"))
    assert packets.complete(cast.sign(packet, "north-1", "north-2"))


def test_a_compromised_key_is_not_counted(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    revoked = drafts.revoke(here, "north-1", 0, NOW)
    begun = cast.sign(drafts.draft_order(here, order("XX-1", "www.site.test")), "north-1", "north-2")
    publisher.publish([cast.sign(revoked, "targets-1", "targets-2")], NOW)
    packet = replace(drafts.draft_order(here, order("XX-1", "www.site.test")), signed=begun.signed)
    assert list(shown.signatures(packet))[:2] == ["Signatures of those who may sign this order: 1 of 2, 1 missing", "  signed    north-2 (north-2)"]
    with pytest.raises(AuthorityError, match="does not count for this directive"):
        cast.sign(packet, "north-1")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"category": "gossip"}, "category 'gossip' is not in the policy, which has fraud, terrorism"),
        ({"log": "another.example/1"}, "this log is " + ORIGIN),
        ({"expires_at": None}, "expires_at: is missing"),
        ({"owner_unidentifiable": None, "owner_unidentifiable_why": None}, "removal_request: is missing"),
        ({"emergency": {"ground": "x", "confirmed_at": "2026-09-21T13:00:00Z"}}, "is not known when an order is signed"),
    ],
)
def test_a_draft_says_what_is_wrong(cast: Cast, tmp_path: Path, fields: dict[str, Any], why: str) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    with pytest.raises(RedHandError, match=why):
        drafts.draft_order(here, order(**fields))
    with pytest.raises(AuthorityError, match="the log has no order 'XX-9' to follow"):
        drafts.draft_order(here, following("XX-9", "withdraw"))
    with pytest.raises(AuthorityError, match="the review: decision"):
        drafts.draft_order(
            here, {"id": "X", "follows": "sha256:" + "0" * 64, "decision": "perhaps", "reasons": {"en": "x"}, "issued_at": "2026-09-21T12:00:00Z"}
        )


def wants(count: object) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update(wanted=count)


def other_policy(document: dict[str, Any]) -> None:
    policy = json.loads(base64.b64decode(document["files"]["policy.json"]))
    policy["epochs"][0]["withdraw_threshold"] = 2
    document["files"]["policy.json"] = base64.b64encode(json.dumps(policy, sort_keys=True, separators=(",", ":")).encode()).decode()


def no_suffixes(document: dict[str, Any]) -> None:
    del document["files"]["suffixes.dat"]


def no_roots(document: dict[str, Any]) -> None:
    document["roots"] = []


def other_key(document: dict[str, Any]) -> None:
    """A key under an id that is not computed from it: one holder would count as two."""
    keys = document["signed"]["signed"]["keys"]
    keys[next(iter(keys))] = {**keys[list(keys)[-1]]}


def odd_field(document: dict[str, Any]) -> None:
    document["signed"]["signed"]["redhand"] = ["pinned"]


def no_person_twice(document: dict[str, Any]) -> None:
    people = document["signed"]["signed"]["redhand"]["people"]
    document["signed"]["signed"]["redhand"]["people"] = dict.fromkeys(people, "one and the same")


def other_kind(document: dict[str, Any]) -> None:
    document["kind"] = "root"


def spaced(document: dict[str, Any]) -> None:
    payload = base64.b64decode(document["signed"]["payload"])
    document["signed"]["payload"] = base64.b64encode(payload.replace(b'"id":', b'"id": ')).decode()


@pytest.mark.parametrize(
    ("kind", "change", "why"),
    [
        ("targets", other_policy, "shows other files than it would sign"),
        ("targets", no_suffixes, "holds the files policy.json, protected.json, and needs"),
        ("targets", no_roots, "does not say who signs"),
        ("targets", other_kind, "not TUF root metadata"),
        ("root", other_key, "is not the one its id is computed from"),
        ("directive", spaced, "not in its canonical form"),
        ("directive", other_kind, "not TUF root metadata"),
        *(("directive", wants(count), "signatures") for count in (0, -1, True, "3", 2.0, None, 10**30)),
    ],
)
def test_a_packet_that_does_not_hold_together_is_refused(
    made: dict[str, Packet], kind: str, change: Callable[[dict[str, Any]], None], why: str
) -> None:
    document = json.loads(made[kind].encode())
    change(document)
    with pytest.raises(RedHandError, match=why):
        packets.read(json.dumps(document).encode(), "the packet")


@pytest.mark.parametrize("change", [odd_field, no_person_twice])
def test_what_holds_together_but_must_not_be_signed_is_shown_and_not_signed(
    cast: Cast, tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    here = tmp_path / "authority"
    _, targets = ceremony(here, from_document(cast.document(), tmp_path), NOW)
    document = json.loads(targets.encode())
    document["signed"], kept = document["roots"][0], document["signed"]
    change(document)
    document["roots"], document["signed"] = [document["signed"]], kept
    packet = packets.read(json.dumps(document).encode(), "the packet")
    assert "0 of 2, 2 missing" in shown.text(packet)
    with pytest.raises(RedHandError, match=r"holds two of its keys|not for the log"):
        cast.sign(packet, "targets-1")


@given(st.randoms(use_true_random=False), st.sampled_from(["root", "targets", "directive", "review"]))
def test_a_packet_is_read_as_it_was_written_or_refused(made: dict[str, Packet], random_: random.Random, kind: str) -> None:
    """Bytes changed, cut, doubled: what is read signs the same, shows the same and is written the same, or is refused as RedHandError."""
    data = bytearray(made[kind].encode())
    for _ in range(random_.randint(1, 3)):
        at = random_.randrange(len(data))
        data[at : at + random_.choice((0, 1, 1, 8))] = random_.choice(
            (b"", b"0", b'"', b"}", bytes([random_.randrange(256)]), b"null", b"[[[[", b"9" * 30)
        )
    try:
        packet = packets.read(bytes(data), "the packet")
        text = shown.text(packet)
    except RedHandError:
        return
    again = packets.read(packet.encode(), "the packet")
    assert (again.same, shown.text(again)) == (packet.same, text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "version", "kind", "signed", "files", "roots", "signatures", "_type"]), inner, max_size=6)
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_packet_or_refused(document: Any) -> None:
    try:
        packets.read(json.dumps(document).encode(), "the packet")
    except RedHandError:
        return
    raise AssertionError("this is no packet")
