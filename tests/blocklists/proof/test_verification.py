"""A proof shows what was signed and logged, to somebody who has the root file and nothing else, and never more than that."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import Key, Signature  # type: ignore[attr-defined]
from tuf.api.metadata import Metadata, Role, Root

from blocklists import proof, verification
from blocklists.errors import BadDocument, FeedError
from blocklists.finding import Finding
from blocklists.proving import prove
from blocklists.trust import strict
from tests.blocklists.feed.authority import Authority
from tests.blocklists.proof.history import at


def judged(state_dir: Path, root: bytes, name: str, hour: float, full: bool = True) -> Finding:
    return verification.verify(prove(state_dir, name, at(hour), full).encode(), root)


@pytest.mark.parametrize(
    ("name", "hour", "orders"),
    [
        ("site.example", -1, ()),
        ("site.example", 0, ("XX-1",)),
        ("www.site.example", 2, ("XX-1",)),
        ("site.example", 3.5, ()),  # suspended
        ("site.example", 4.6, ("XX-1",)),  # the suspension is over
        ("deep.site.example", 5.5, ("XX-1", "XX-4")),
        ("other.example", 0.5, ()),
        ("other.example", 3.9, ("XX-2",)),  # its later withdrawal does not reach back
        ("other.example", 4, ()),
        ("www.other.example", 3, ()),  # the order is exact
        ("notsite.example", 3, ()),
        ("exact.example", 6, ()),  # one signature is too few
        ("never.example", 6, ()),
    ],
)
def test_what_was_in_force_then(state_dir: Path, authority: Authority, name: str, hour: float, orders: tuple[str, ...]) -> None:
    found = judged(state_dir, authority.root_json(), name, hour)
    assert (found.in_force, found.orders) == (bool(orders), orders)
    assert found.size == 8
    assert found.root_version == 2


def test_without_the_log_it_shows_signatures_and_inclusion_and_says_what_it_does_not(state_dir: Path, authority: Authority) -> None:
    found = judged(state_dir, authority.root_json(), "www.site.example", 2, full=False)
    assert found.in_force is None
    assert [(each.position, each.id, each.action, each.rule) for each in found.entries] == [(0, "XX-1", "block", ""), (3, "XX-1", "suspend", "")]
    assert found.entries[0].signers == ("n1 (person n1)", "n2 (person n2)")
    assert not any("In force" in line for line in found.proved())
    assert "in force" in found.not_proved()[0]
    assert any("policy is the newest" in line and found.policy in line for line in found.not_proved()), "an older one may not know a stolen key"


def test_an_order_with_too_few_signatures_is_shown_to_have_no_effect(state_dir: Path, authority: Authority) -> None:
    found = judged(state_dir, authority.root_json(), "exact.example", 6)
    assert [(each.id, each.rule) for each in found.entries] == [("XX-3", "signature.threshold")]
    with pytest.raises(BadDocument, match="proves nothing"):
        prove(state_dir, "exact.example", at(6), full=False)


def test_nothing_is_proved_about_a_name_nobody_ordered_nor_about_the_time_after_the_checkpoint(state_dir: Path) -> None:
    with pytest.raises(FeedError, match="--full"):
        prove(state_dir, "never.example", at(6), full=False)
    with pytest.raises(FeedError, match="proves nothing about"):
        prove(state_dir, "site.example", at(100), full=True)


def test_another_authoritys_root_file_accepts_nothing(state_dir: Path) -> None:
    data = prove(state_dir, "site.example", at(2)).encode()
    with pytest.raises(BadDocument, match="metadata does not verify"):
        verification.verify(data, Authority(seed="other ").root_json())


def test_a_root_that_counts_one_key_twice_is_refused(state_dir: Path, authority: Authority) -> None:
    """TUF counts ids. A root that asks for two signatures, signed twice by one holder, must not pass on trust."""
    root = Metadata[Root].from_bytes(authority.root_json())
    (keyid,) = root.signed.roles["root"].keyids
    twin = "0" * 64
    root.signed.keys[twin] = Key.from_dict(twin, root.signed.keys[keyid].to_dict())
    root.signed.roles["root"] = Role([keyid, twin], 2)
    root.sign(authority.key("root"))
    root.signatures[twin] = Signature(twin, root.signatures[keyid].signature)
    root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
    with pytest.raises(BadDocument, match=twin[:8]):
        verification.verify(prove(state_dir, "site.example", at(2)).encode(), root.to_bytes())


def test_a_root_file_newer_than_the_provers_accepts_it(state_dir: Path, authority: Authority) -> None:
    newer = authority.files["metadata/2.root.json"]
    assert verification.verify(prove(state_dir, "site.example", at(2)).encode(), newer).in_force


def test_a_log_that_leaves_out_a_withdrawal_is_refused(state_dir: Path, authority: Authority) -> None:
    made = prove(state_dir, "other.example", at(5), full=True)
    assert made.prefix is not None
    without = made._replace(entries=made.entries[:1])
    with pytest.raises(BadDocument, match="not all those"):
        verification.verify(without.encode(), authority.root_json())
    shorter = without._replace(prefix=made.prefix[:4])
    with pytest.raises(BadDocument, match="not that of the checkpoint"):
        verification.verify(shorter.encode(), authority.root_json())


def test_an_entry_that_concerns_another_name_is_refused(state_dir: Path, authority: Authority) -> None:
    one, other = (prove(state_dir, name, at(5), full=False) for name in ("other.example", "site.example"))
    mixed = one._replace(entries=sorted([*one.entries, *other.entries]))
    with pytest.raises(BadDocument, match="do not concern"):
        verification.verify(mixed.encode(), authority.root_json())


def test_a_log_that_was_begun_anew_after_an_offline_signing_is_refused(authority: Authority, state_dir: Path) -> None:
    made = prove(state_dir, "site.example", at(5), full=False)
    other = Authority()
    for entry in authority.entries[3:]:
        other.append(entry)
    other.publish()
    with pytest.raises(BadDocument, match="does not go on from"):
        verification.verify(made._replace(checkpoint=other.note).encode(), authority.root_json())


# --- any change


def claims(found: Finding) -> dict[str, Any]:
    return found.document()


@pytest.fixture(scope="module", params=[False, True], ids=["signatures", "whole log"])
def sound(request: pytest.FixtureRequest, state_dir: Path) -> bytes:
    return prove(state_dir, "deep.site.example", at(5.5), request.param).encode()


@settings(max_examples=60)
@given(data=st.data())
def test_a_changed_octet_is_refused_or_changes_no_claim_but_the_question(data: st.DataObject, sound: bytes, authority: Authority) -> None:
    """The question (name and time) is the reader's to see: asked otherwise, the same evidence may answer it, and then as an honest prover would."""
    place = data.draw(st.integers(0, len(sound) - 1))
    octet = data.draw(st.integers(0, 255).filter(lambda value: value != sound[place]))
    changed = sound[:place] + bytes([octet]) + sound[place + 1 :]
    _check_change(changed, sound, authority)


def test_a_thousand_changed_texts_are_refused_or_change_no_claim(sound: bytes, authority: Authority) -> None:
    """Changes that stay canonical JSON, which an octet changed at random seldom does: one base64 value after another, one bit each."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    document = json.loads(sound)
    for place in _places(document):
        for _ in range(3):
            changed = json.loads(sound)
            _flip(changed, place, draw)
            _check_change(strict.write(changed), sound, authority)


def _check_change(changed: bytes, sound: bytes, authority: Authority) -> None:
    try:
        found = verification.verify(changed, authority.root_json())
    except BadDocument:
        return
    before, after = proof.read(sound), proof.read(changed)
    if (before.name, before.at) == (after.name, after.at):
        assert claims(found) == claims(verification.verify(sound, authority.root_json()))
        return
    asked = before._replace(name=after.name, at=after.at)
    assert after == asked, "only the question was changed"
    if found.in_force is not None:
        from blocklists.replay import in_force  # noqa: PLC0415

        assert before.prefix is not None
        data = verification.data_of(verification.policy.load(before.policy), before.protected or b"", before.suffixes or b"", False)
        assert found.orders == in_force(before.prefix, data, after.name, after.at)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [each for key, item in value.items() for each in _places(item, (*path, key))]
    if isinstance(value, list):
        return [each for index, item in enumerate(value) for each in _places(item, (*path, index))]
    return [path]


def _flip(document: Any, path: tuple[Any, ...], draw: random.Random) -> None:
    *above, last = path
    for step in above:
        document = document[step]
    value = document[last]
    if isinstance(value, int) and not isinstance(value, bool):
        document[last] = value ^ (1 << draw.randrange(12))
    elif isinstance(value, str):
        try:
            octets = bytearray(base64.b64decode(value, validate=True))
            octets[draw.randrange(len(octets))] ^= 1 << draw.randrange(8)
            document[last] = base64.b64encode(octets).decode()
        except (ValueError, IndexError):
            document[last] = value + "x"
    else:
        document[last] = ""


@settings(max_examples=200)
@given(st.binary(max_size=300) | st.text(alphabet='{}[]":,01ntype proofversion', max_size=200).map(str.encode))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(BadDocument):
        proof.read(data)
