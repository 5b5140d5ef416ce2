"""Packets out and in: officers' keys never come here, and what comes back adds good signatures of the right offices, and nothing else."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authority import keys, packets
from authority.desk import ordering, signing
from authority.desk.errors import BadField, Conflict, DeskError, Forbidden, NotFound
from tests.authority.commands import redhand
from tests.authority.desk.orders.house import HOUR, House


def test_what_is_given_out_can_be_judged_and_signed_elsewhere(house: House) -> None:
    order = house.opened(house.case("given.test"))
    name, data = signing.packet(house.desk, house["officer"], order.digest, house.now)
    assert name.startswith(order.order_id)
    packet = packets.read(data, "the packet")
    assert set(packet.files) == {"policy.json", "protected.json", "suffixes.dat"}
    assert "given.test" in signing.standing(house.desk, order).text


def test_signatures_are_brought_by_anybody_who_may_and_are_the_signers(house: House) -> None:
    number = house.case()
    order = house.opened(number)
    house.bring(order, "north-1", who="officer-2")
    own, other = house.signed(order, "north-2"), house.signed(order, "north-3")
    signing.take(house.desk, house["officer-2"], own, house.now)
    signing.take(house.desk, house["reviewer"], other, house.now)
    brought = [(each.who, each.details["office"], each.details["own"]) for each in house.events(number) if each.step == "add_signature"]
    assert brought == [("officer-2", "north-1", False), ("officer-2", "north-2", True), ("reviewer", "north-3", False)]
    with house.desk.store.reading() as session:
        standing = signing.standing(house.desk, ordering.find_order(session, order.digest))
    assert standing.complete
    assert standing.needs[0].signed == ("north-1 (north-1)", "north-2 (north-2)", "north-3 (north-3)")


def test_one_officer_twice_is_one_signature(house: House) -> None:
    order = house.opened(house.case())
    house.bring(order, "north-1")
    with pytest.raises(BadField, match="north-1 has signed already"):
        signing.take(house.desk, house["officer"], house.signed(order), house.now)
    with pytest.raises(Conflict, match="1 of officers of North"):
        house.publish(order)


def test_an_officers_machine_says_how_many_the_desk_wants(house: House, tmp_path: Path) -> None:
    """At two of the three signatures that an overridden guard takes, `sign` said: 2 of 2, complete; and the desk then did not publish it."""
    house.document("popular", "known.test\n")
    order = house.draft(house.case("known.test"))
    order = ordering.override(house.desk, house["officer"], order.digest, "popularity", "known.test", "A court named it", house.now)
    ordering.open_signing(house.desk, house["officer"], order.digest, "go", house.now)
    file = tmp_path / "known.packet.json"
    file.write_bytes(signing.packet(house.desk, house["officer"], order.digest, house.now)[1])
    said = []
    for name in ("north-1", "north-2", "north-3"):
        keys.write_private(tmp_path / f"{name}.pem", house.cast[name], b"secret")
        output = redhand("sign", file, "--key", tmp_path / f"{name}.pem", "--yes-typed", "known.test", passphrase="secret")
        said.append(next(line.rpartition(": ")[2] for line in reversed(output.splitlines()) if "Signatures of" in line))
        if name == "north-2":
            assert "the policy asks for 2, its desk for 1 more for guards that were overridden" in output
            signing.take(house.desk, house["officer"], file.read_bytes(), house.now)
            with pytest.raises(Conflict, match="lacks signatures: 1 of"):
                house.publish(order)
    assert said == ["1 of 3, 2 missing", "2 of 3, 1 missing", "3 of 3, complete"]
    signing.take(house.desk, house["officer"], file.read_bytes(), house.now)
    house.publish(order)


def test_other_offices_and_strangers_do_not_count(house: House) -> None:
    order = house.opened(house.case())
    packet = house.packet(order)
    for name, why in (("south-1", "may not sign this order"), ("reviewer-1", "may not sign this order"), ("nobody", "is no office's in the policy")):
        key = house.cast[name]
        forced = replace(packet, signed=packet.envelope.with_signature(key.key.keyid, key.sign(packet.envelope.signed_bytes())))
        with pytest.raises(BadField, match=why):
            signing.take(house.desk, house["officer"], forced.encode(), house.now)


def test_a_bad_signature_displaces_no_good_one(house: House) -> None:
    order = house.opened(house.case())
    house.bring(order, "north-1")
    packet = house.packet(order)
    bad = packet.envelope.with_signature(house.cast["north-1"].key.keyid, b"x" * 64).with_signature(house.cast["north-2"].key.keyid, b"y" * 64)
    with pytest.raises(BadField, match="the signature of north-2 is not good"):
        signing.take(house.desk, house["officer"], replace(packet, signed=bad).encode(), house.now)
    house.bring(order, "north-2")
    house.publish(order)


def test_what_was_changed_on_its_way_is_not_what_was_drafted(house: House) -> None:
    order = house.opened(house.case("true.test"))
    packet = house.packet(order)
    changed = replace(packet, signed=packet.envelope._replace(payload=packet.envelope.payload.replace(b"true.test", b"fake.test")))
    with pytest.raises(NotFound, match="was changed on its way"):
        signing.take(house.desk, house["officer"], house.cast.sign(changed, "north-1").encode(), house.now)
    files = {**packet.files, "protected.json": packet.files["protected.json"].replace(b"portal", b"portax")}
    signed = house.cast.sign(replace(packet, files=files), "north-1")
    kept = signing.take(house.desk, house["officer"], signed.encode(), house.now)
    assert b"portax" not in kept.packet


def test_nothing_is_signed_before_it_was_asked_or_after_it_was_dropped(house: House) -> None:
    number = house.case()
    order = house.draft(number)
    with pytest.raises(Conflict, match="nobody was asked to sign"):
        house.packet(order)
    ordering.open_signing(house.desk, house["officer"], order.digest, "go", house.now)
    old = house.signed(order, "north-1")
    house.draft(number)
    with pytest.raises(Conflict, match="another took its place"):
        signing.take(house.desk, house["officer"], old, house.now)


def test_a_draft_dropped_takes_no_signature(house: House) -> None:
    number = house.case()
    order = house.opened(number)
    old = house.signed(order, "north-1", "north-2")
    ordering.abandon(house.desk, house["officer"], order.digest, "not needed", house.now)
    assert house.row(number).state == "assessed"
    with pytest.raises(Conflict, match="dropped"):
        signing.take(house.desk, house["officer"], old, house.now)
    with pytest.raises(Conflict, match="dropped"):
        house.publish(order)


def test_a_clerk_an_administrator_and_an_auditor_bring_none(house: House) -> None:
    order = house.opened(house.case())
    data = house.signed(order, "north-1")
    for who in ("clerk", "administrator", "auditor"):
        with pytest.raises(Forbidden):
            signing.take(house.desk, house[who], data, house.now)


def test_an_order_kept_secret_needs_the_reviewer_or_a_judge_and_an_end(house: House) -> None:
    silence = {"until": house.now + HOUR, "basis": "Secrets Act"}
    with pytest.raises(BadField, match="until"):
        house.case(nondisclosure={"basis": "Secrets Act"})
    number = house.case("secret.test", nondisclosure={**silence, "until": house.now + 400 * 24 * HOUR})
    with pytest.raises(BadField, match=r"nondisclosure\.until"):
        house.draft(number)
    house.state(number, nondisclosure=silence)
    order = house.opened(number)
    house.bring(order, "north-1", "north-2", "north-3")
    with pytest.raises(Conflict, match="1 of the reviewer, because it is not disclosed"):
        house.publish(order)
    house.bring(order, "reviewer-1", who="reviewer")
    house.publish(order)
    assert house.blocked()["secret.test"] == number
    with pytest.raises(Forbidden):
        house.state(house.case(), "clerk", nondisclosure={**silence, "judge": "so he says"})
    number = house.case("judged.test", nondisclosure={**silence, "judge": "Court of Example, no. 7, 2026-09-20"})
    order = house.opened(number)
    house.bring(order, "north-1", "north-2")
    house.publish(order)
    assert house.blocked()["judged.test"] == number


def test_the_reviewer_does_not_stand_in_for_an_officer(house: House) -> None:
    order = house.opened(house.case(nondisclosure={"until": house.now + HOUR, "basis": "Secrets Act"}))
    house.bring(order, "north-1")
    house.bring(order, "reviewer-1", who="reviewer")
    with pytest.raises(Conflict, match="1 of officers of North"):
        house.publish(order)


def test_a_private_key_is_refused_and_nothing_of_it_kept(house: House) -> None:
    pem = house.cast["north-1"].pem(None)
    with pytest.raises(BadField, match="this is a private key"):
        signing.take(house.desk, house["officer"], pem, house.now)
    secret = pem.splitlines()[1]
    for path in (house.directory / "desk").rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes(), path


def test_no_module_of_the_desk_signs_or_reads_a_private_key() -> None:
    for path in Path(ordering.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom | ast.Import):
                named = {node.module} if isinstance(node, ast.ImportFrom) else {each.name for each in node.names}
                assert not named & {"authority.keys", "authority.hardware", "authority.online", "blocklists.private_key"}, path
            assert getattr(node, "attr", "") != "sign_packet", path


@pytest.fixture(scope="module")
def waiting(house: House) -> ordering.Order:
    return house.opened(house.case("fuzzed.test"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_octets_are_a_new_good_signature_or_refused_and_change_nothing(house: House, waiting: ordering.Order, data: st.DataObject) -> None:
    document = json.loads(house.packet(waiting).encode())
    place = data.draw(st.sampled_from(["kind", "signed", "files", "roots", "type", "version"]))
    document[place] = data.draw(st.one_of(st.none(), st.integers(), st.text(max_size=5), st.just([]), st.just({}), st.just({"payload": "e30="})))
    octets = json.dumps(document).encode()
    if data.draw(st.booleans()):
        cut = data.draw(st.integers(0, len(octets)))
        octets = octets[:cut] + data.draw(st.binary(max_size=4)) + octets[cut + 1 :]
    with house.desk.store.reading() as session:
        before = ordering.find_order(session, waiting.digest).packet
    with pytest.raises(DeskError):
        signing.take(house.desk, house["officer"], octets, house.now)
    with house.desk.store.reading() as session:
        assert ordering.find_order(session, waiting.digest).packet == before
