"""Every role gets new keys, and both who has followed all along and who comes new go on; a stolen officer's key is taken out."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from authority import drafts, metadata, online, packets
from authority.errors import AuthorityError
from authority.packets import Packet
from authority.publisher import Publisher, publish
from authority.spec import from_document
from blocklists.docket import Data, Docket
from blocklists.errors import BadDocument
from blocklists.guards import Suffixes
from blocklists.log.tree import Tree
from tests.authority.cast import NOW, Cast, client, found, in_log, order, root_of, served, signed

NONE = Suffixes(frozenset(), frozenset(), frozenset(), {})


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


def rotated(cast: Cast, here: Path, role: str, now: int) -> list[Packet]:
    """The packets of a rotation, signed by all who must."""
    if role == "root":
        root, targets = drafts.rotate(here, role, now, [cast.holder(name) for name in ("root-3", "root-4", "root-5")], 2)
        return [cast.sign(root, "root-1", "root-3", "root-4"), cast.sign(targets, "targets-1", "targets-2")]
    if role == "targets":
        root, targets = drafts.rotate(here, role, now, [cast.holder(name) for name in ("targets-3", "targets-4")], 2)
        return [cast.sign(root, "root-1", "root-3"), cast.sign(targets, "targets-1", "targets-3", "targets-4")]
    (packet,) = drafts.rotate(here, role, now)
    return [cast.sign(packet, *(("root-1", "root-2") if packet.kind == "root" else ("targets-2", "targets-3")))]


@pytest.mark.parametrize("role", drafts.ROLES)
def test_a_role_gets_new_keys_and_old_and_new_clients_follow(cast: Cast, tmp_path: Path, role: str) -> None:
    here, now = tmp_path / "authority", int(time.time())
    publisher = found(cast, here, now)
    publisher.publish([signed(cast, here, order())], now)
    someone = client(tmp_path / "old", here)
    before = {path.name for path in (here / "online").iterdir()}
    with served(here) as base:
        assert someone.look(base).size == 1
        given = rotated(cast, here, role, now)
        publisher.publish(given, now + 1)
        assert publisher.publish([signed(cast, here, order("XX-2", "two.test"))], now + 2).size == 2
        seen = someone.look(base)
        assert (seen.size, client(tmp_path / "new", here).look(base)) == (2, seen)
        assert in_log(here, seen)
    present = publisher.present
    assert present is not None
    if role in online.ROLES:
        (gone,) = [name for name in before if name.startswith(role)]
        assert not (here / "online" / gone).exists(), "a replaced key is not kept"
    assert not list((here / "packets").iterdir())
    assert publish(here, given, now + 3).size == 2, "what is published already is no fault"


def test_after_a_break_in_all_online_keys_are_replaced_in_one_go(cast: Cast, tmp_path: Path) -> None:
    """Drafts build upon what waits for signatures already."""
    here, now = tmp_path / "authority", int(time.time())
    publisher = found(cast, here, now)
    someone = client(tmp_path / "old", here)
    before = set((here / "online").iterdir())
    with served(here) as base:
        someone.look(base)
        for role in online.ROLES:
            drafts.rotate(here, role, now)
        drafts.revoke(here, "north-1", 0, now)
        root, targets = (packets.load(here / "packets" / f"{name}.packet.json") for name in ("root", "targets"))
        publisher.publish([cast.sign(root, "root-1", "root-2"), cast.sign(targets, "targets-1", "targets-2")], now + 1)
        assert someone.look(base) == client(tmp_path / "new", here).look(base)
    assert before.isdisjoint((here / "online").iterdir())
    assert len(list((here / "online").iterdir())) == 4
    assert someone.policy is not None
    assert [each.keyid for each in someone.policy.compromised] == [cast["north-1"].key.keyid]


def test_old_keys_count_no_more_after_the_rotation(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    publisher.publish(rotated(cast, here, "targets", NOW), NOW + 1)
    (renewal,) = drafts.rotate(here, "targets", NOW + 2)
    with pytest.raises(AuthorityError, match="does not count for this targets"):
        cast.sign(renewal, "targets-1")
    with pytest.raises(AuthorityError, match="the targets packet needs 2 signatures of the targets role and lacks 1"):
        publisher.publish([cast.sign(renewal, "targets-3")], NOW + 2)
    assert publisher.publish([cast.sign(renewal, "targets-3", "targets-4")], NOW + 2).targets == 3


def test_lost_holders_are_replaced_without_them(cast: Cast, tmp_path: Path) -> None:
    """None of targets' holders so far signs: root alone decides, and clients go on."""
    here, now = tmp_path / "authority", int(time.time())
    publisher = found(cast, here, now)
    someone = client(tmp_path / "old", here)
    with served(here) as base:
        someone.look(base)
        root, targets = drafts.rotate(here, "targets", now, [cast.holder("targets-4"), cast.holder("targets-5")], 1)
        assert [need.missing for need in packets.needs(targets)] == [2, 1]
        assert [need.wanted for need in packets.needs(targets)] == [True, False]
        publisher.publish([cast.sign(root, "root-1", "root-2"), cast.sign(targets, "targets-5")], now)
        assert someone.look(base) == client(tmp_path / "new", here).look(base)


@pytest.mark.parametrize(
    ("signers", "why"),
    [
        (("root-3", "root-4", "root-5"), "by the holders so far, needs 2 signatures of the root role and lacks 1"),
        (("root-1", "root-2"), "the root packet needs 2 signatures of the root role and lacks 2"),
    ],
)
def test_a_new_root_needs_the_old_holders_and_the_new(cast: Cast, tmp_path: Path, signers: tuple[str, ...], why: str) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    root = drafts.rotate(here, "root", NOW, [cast.holder(name) for name in ("root-3", "root-4", "root-5")], 2)[0]
    with pytest.raises(AuthorityError, match=why):
        publisher.publish([cast.sign(root, *signers)], NOW)


def test_an_offline_signature_pins_the_log_that_its_signers_saw(cast: Cast, tmp_path: Path) -> None:
    here, other = tmp_path / "authority", tmp_path / "other"
    publisher = found(cast, here)
    publisher.publish([signed(cast, here, order())], NOW)
    (packet,) = drafts.rotate(here, "targets", NOW)
    ours = packet.tuf.signed.unrecognized_fields["redhand"]["pinned"]
    tree = Tree(here / "public" / "log")
    assert (ours["size"], root_of(ours)) == (1, tree.root)
    publisher_of_other = found(cast, other)
    publisher_of_other.publish([signed(cast, other, order())], NOW)
    with pytest.raises(AuthorityError, match="a state that this log never had"):
        publisher_of_other.publish([cast.sign(packet, "targets-1", "targets-2")], NOW)
    assert packet.roots[0].signed.unrecognized_fields["redhand"]["origin"] == "orders.authority.example/2026"


def test_a_packet_drafted_before_another_was_published_is_stale(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    first, second = (cast.sign(drafts.rotate(here, "targets", NOW + number)[0], "targets-1", "targets-2") for number in (1, 2))
    publisher.publish([second], NOW + 3)
    with pytest.raises(AuthorityError, match="targets packet is version 2, and version 2 is published; draft it again"):
        publisher.publish([first], NOW + 4)
    with pytest.raises(AuthorityError, match="several different packets are for one role"):
        publisher.publish([first, second], NOW + 4)


def test_an_expired_packet_is_not_published(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    packet = cast.sign(drafts.rotate(here, "targets", NOW)[0], "targets-1", "targets-2")
    with pytest.raises(AuthorityError, match="the targets packet expired on 2027-"):
        publisher.publish([packet], NOW + 366 * 86_400, sure=True)


# --- the policy


def test_the_policy_changes_by_epochs_and_the_past_stays_judged_as_it_was(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    publisher.publish([signed(cast, here, order())], NOW)
    document = cast.document()
    document["officers"]["north-4"] = {"authority": "north", "key": cast.holder("north-4")}
    del document["officers"]["north-1"]
    packet = drafts.draft_policy(here, from_document(document, here), NOW)
    publisher.publish([cast.sign(packet, "targets-1", "targets-2")], NOW)
    present = publisher.present
    assert present is not None
    assert [epoch.begins for epoch in present.policy.epochs] == [0, 1]
    with pytest.raises(AuthorityError, match="does not count"):
        signed(cast, here, order("XX-2", "two.test"), "north-1", "north-4")
    publisher.publish([signed(cast, here, order("XX-2", "two.test"), "north-2", "north-4")], NOW)
    docket = Docket(Data(present.policy, (), NONE))
    assert [docket.take(index, data).rule for index, data in enumerate(Tree(here / "public" / "log").entries(0, 2))] == ["", ""]
    again = drafts.draft_policy(here, from_document(document, here), NOW)
    assert again.files["policy.json"] == present.files["policy.json"], "the same file asks for no epoch"


def test_a_policy_drafted_before_an_order_was_published_would_judge_the_past(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    document = cast.document(withdraw_threshold=2)
    late = cast.sign(drafts.draft_policy(here, from_document(document, here), NOW, begins=0), "targets-1", "targets-2")
    soon = cast.sign(drafts.draft_policy(here, from_document(document, here), NOW, begins=10), "targets-1", "targets-2")
    publisher.publish([signed(cast, here, order())], NOW)
    with pytest.raises(BadDocument, match="changes an epoch that began before log position 1"):
        publisher.publish([late], NOW)
    assert publisher.publish([soon], NOW).targets == 2
    with pytest.raises(AuthorityError, match="log position 0 is in the past"):
        drafts.draft_policy(here, from_document(document, here), NOW, begins=0)


def test_holders_are_changed_by_rotation_alone(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    document = cast.document(root={"threshold": 1, "keys": [cast.holder("root-1")]})
    with pytest.raises(AuthorityError, match=r"root: the file names other holders .* than root version 1; write there those in force"):
        drafts.draft_policy(here, from_document(document, here), NOW)
    with pytest.raises(AuthorityError, match="an origin never changes"):
        drafts.draft_policy(here, from_document(cast.document(origin="another.example/1"), here), NOW)


def test_a_compromised_key_takes_down_what_it_was_needed_for(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    publisher = found(cast, here)
    for number in range(3):
        publisher.publish([signed(cast, here, order(f"XX-{number}", "one.test"), "north-1", "north-2")], NOW + number)
    packet = drafts.revoke(here, cast["north-2"].key.keyid[:16], 1, NOW)
    late = signed(cast, here, order("XX-7", "one.test"), "north-1", "north-2")
    publisher.publish([cast.sign(packet, "targets-1", "targets-2")], NOW + 5)
    present = publisher.present
    assert present is not None
    docket = Docket(Data(present.policy, (), NONE))
    rules = [docket.take(index, data).rule for index, data in enumerate(Tree(here / "public" / "log").entries(0, 3))]
    assert rules == ["", "signature.compromised", "signature.compromised"]
    with pytest.raises(AuthorityError, match=r"signature\.compromised"):
        publisher.publish([late], NOW + 6)
    assert publisher.publish([signed(cast, here, order("XX-8", "one.test"), "north-1", "north-3")], NOW + 6).size == 4
    later = drafts.draft_policy(here, from_document(cast.document(), here), NOW)
    assert b'"compromised":[{' in later.files["policy.json"], "the line stays in whatever is drafted later"


@pytest.mark.parametrize(
    ("who", "since", "why"),
    [
        ("nobody", 0, "no officer's or reviewer's key or office; the offices are north-1, north-2, "),
        ("north-1", 5, "beyond the log, which has 0 entries"),
    ],
)
def test_revoke_says_what_is_wrong(cast: Cast, tmp_path: Path, who: str, since: int, why: str) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    with pytest.raises(AuthorityError, match=why):
        drafts.revoke(here, who, since, NOW)


def test_a_role_that_is_none_and_holders_for_an_online_role(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    with pytest.raises(AuthorityError, match="is no role; give one of root, targets, snapshot, timestamp, checkpoint, log"):
        drafts.rotate(here, "mirror", NOW)
    with pytest.raises(AuthorityError, match="its key is made here"):
        drafts.rotate(here, "timestamp", NOW, [cast.holder("root-1")])


def test_a_missing_online_key_is_named_before_anything_changes(cast: Cast, tmp_path: Path) -> None:
    here = tmp_path / "authority"
    found(cast, here)
    (path,) = (here / "online").glob("timestamp-*.pem")
    path.unlink()
    packet = signed(cast, here, order())
    with pytest.raises(AuthorityError, match=r"the timestamp key .* is not in"):
        Publisher(here).publish([packet], NOW)
    (other,) = (here / "online").glob("snapshot-*.pem")
    other.chmod(0o640)
    with pytest.raises(AuthorityError, match="can be read by others than its owner"):
        Publisher(here).publish([packet], NOW)
    assert Tree(here / "public" / "log").size == 0
    (root,) = drafts.rotate(here, "timestamp", NOW)
    assert metadata.role(root.tuf.signed, "timestamp").threshold == 1
