"""The same thing at once, or twice, or in place of another: one wins, nobody is lied to, nothing that was accepted is lost."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from authority import packets
from authority.desk.tables import ApiToken, Appeal, Order, Referral
from tests.authority.desk.attacks.besieged import Besieged

WHY = "because it is so"


def at_once(*calls: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """What each answers when all begin together."""
    found: list[httpx.Response | None] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(number: int) -> None:
        barrier.wait()
        found[number] = calls[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [each for each in found if each is not None]


def test_four_publish_at_once_and_it_is_published_once(house: Besieged) -> None:
    number = house.case()
    order = house.opened(number)
    house.bring(order, "north-1", "north-2")
    before = house.tree().size
    path = f"/orders/{order.digest}/publish"
    found = at_once(*(
        lambda who=who: house.program(who).post(path, json={"why": WHY}) for who in ("officer", "officer-2", "clerk", "reviewer")
    ))  # fmt: skip
    assert [each.status_code for each in found] == [200] * 4, [each.text for each in found]
    assert [each.step for each in house.events(number)].count("publish") == 1
    assert 2 <= house.tree().size - before <= 5, "the order once, and heads of the audit log"


def test_two_confirm_at_once_and_one_token_is_made(house: Besieged) -> None:
    made = house.ask("administrator", "POST", "/proposals", 201, json={"kind": "flagger", "body": {"flagger": "twice"}, "why": WHY})
    path = f"/proposals/{made['proposal']['id']}/decision"
    found = at_once(*(lambda who=who: house.program(who).post(path, json={"confirm": True}) for who in ("officer", "officer-2", "reviewer")))
    assert sorted(each.status_code for each in found) == [200, 409, 409]
    with house.desk.store.reading() as session:
        assert session.scalar(select(func.count(ApiToken.id)).where(ApiToken.flagger == "twice")) == 1


def test_who_drops_an_order_while_it_is_signed_leaves_nothing_half_done(house: Besieged) -> None:
    number = house.case()
    order = house.opened(number)
    signed = house.signed(order, "north-1", "north-2")
    found = at_once(
        lambda: house.program("officer").post("/packets", content=signed),
        lambda: house.program("officer-2").post(f"/orders/{order.digest}/abandon", json={"why": WHY}),
        lambda: house.program("officer").post(f"/orders/{order.digest}/publish", json={"why": WHY}),
    )
    assert {each.status_code for each in found} <= {200, 409}
    with house.desk.store.reading() as session:
        row = session.scalar(select(Order).where(Order.digest == order.digest))
    assert row is not None
    assert (row.log_index is None) != (house.row(number).state == "in_force")
    assert (row.log_index is None) or row.ended_at is None


def test_a_key_that_named_another_referral_loses_nothing(house: Besieged) -> None:
    """A flagger whose key comes again with a threat to life was told that it was taken, and it was not."""
    first = {"names": ["one.example"], "words": "an old page"}
    key = {"Idempotency-Key": "mine-1"}
    taken = house.ask("flagger", "POST", "/referrals", 201, json=first, headers=key)
    assert house.ask("flagger", "POST", "/referrals", 200, json=first, headers=key)["reference"] == taken["reference"]
    for other in ({**first, "threat": True}, {**first, "names": ["two.example"]}, {**first, "words": "another"}):
        refused = house.ask("flagger", "POST", "/referrals", 422, json=other, headers=key)
        assert refused["field"] == "key"
    found = at_once(*(lambda: house.program("flagger").post("/referrals", json=first, headers={"Idempotency-Key": "mine-2"}) for _ in range(4)))
    assert len({each.json()["reference"] for each in found}) == 1
    assert sorted(each.status_code for each in found) == [200, 200, 200, 201]


def test_one_senders_key_is_not_anothers(house: Besieged) -> None:
    key = {"Idempotency-Key": "shared"}
    one = house.ask("flagger", "POST", "/referrals", 201, json={"names": ["three.example"]}, headers=key)
    other = house.ask("officer", "POST", "/referrals", 201, json={"names": ["three.example"]}, headers=key)
    assert one["reference"] != other["reference"]


@pytest.mark.parametrize("form", ["report", "appeal"])
def test_a_form_that_comes_back_with_something_else_in_it_is_not_lost(house: Besieged, form: str) -> None:
    """Who goes back in the browser, writes something else and sends it again was led to the first one's page."""
    order = house.row(house.ordered()[0]).order_id or ""
    given = {"location": "https://four.example/a", "words": "first"} if form == "report" else {"order": order, "standing": "owner", "words": "first"}
    table: Any = Referral if form == "report" else Appeal
    with httpx.Client(base_url=house.url) as stranger:
        stamp = stamped(stranger.get(f"/{form}").text)
        house.now += 10
        sent = stranger.post(f"/{form}", data={**given, "stamp": stamp})
        assert sent.status_code == 303, sent.text
        assert stranger.post(f"/{form}", data={**given, "stamp": stamp}).headers["location"] == sent.headers["location"]
        again = stranger.post(f"/{form}", data={**given, "words": "second", "stamp": stamp})
        assert again.status_code == 422
        assert "sent already" in again.text
        house.now += 10
        fresh = stranger.post(f"/{form}", data={**given, "words": "second", "stamp": stamped(again.text)})
        assert fresh.status_code == 303
        assert fresh.headers["location"] != sent.headers["location"]
    with house.desk.store.reading() as session:
        words = set(session.scalars(select(table.words)))
    assert {"first", "second"} <= words


def stamped(page: str) -> str:
    found = re.search(r'name="stamp" value="([^"]+)"', page)
    assert found
    return found[1]


# --- packets that are not what they seem


def test_signatures_of_one_order_do_not_count_for_another(house: Besieged) -> None:
    one, other = house.opened(house.case()), house.opened(house.case())
    signed = json.loads(house.signed(other, "north-1", "north-2"))
    swapped = json.loads(house.packet(one).encode())
    swapped["signed"]["signatures"] = signed["signed"]["signatures"]
    refused = house.ask("officer", "POST", "/packets", 422, content=json.dumps(swapped).encode())
    assert "not good" in refused["detail"]
    house.ask("officer", "POST", f"/orders/{one.digest}/publish", 409, json={"why": WHY})


def test_a_packet_that_says_more_than_was_drafted_is_nobodys(house: Besieged) -> None:
    """Officers have signed, with their own keys, an order to block more than the desk drafted: whoever changed it on the way gets nowhere."""
    order = house.opened(house.case("five.example"))
    packet = json.loads(house.packet(order).encode())
    said = base64.b64decode(packet["signed"]["payload"])
    assert b"five.example" in said
    packet["signed"]["payload"] = base64.b64encode(said.replace(b"five.example", b"evil.example")).decode()
    changed = packets.read(json.dumps(packet).encode(), "the packet")
    signed = house.cast.sign(changed, "north-1", "north-2").encode()
    assert "not drafted here" in house.ask("officer", "POST", "/packets", 404, content=signed)["detail"]
    assert house.ask("officer", "GET", f"/orders/{order.digest}")["needs"][0]["signed"] == []


def test_what_else_a_packet_carries_is_not_looked_at(house: Besieged) -> None:
    """Its files could show a signer other rules: those that come back are dropped, and a packet that goes out again has those published here."""
    order = house.opened(house.case())
    packet = json.loads(house.signed(order, "north-1"))
    genuine = packet["files"]
    packet["files"] = {"policy.json": base64.b64encode(b'{"epochs":[]}').decode()}
    answer = house.program("officer").post("/packets", content=json.dumps(packet).encode())
    assert answer.status_code in (200, 422)
    assert json.loads(house.packet(order).encode())["files"] == genuine


def test_one_signature_brought_twice_is_one(house: Besieged) -> None:
    order = house.opened(house.case())
    house.ask("officer", "POST", "/packets", 422, content=house.packet(order).encode())
    house.ask("officer", "POST", f"/orders/{order.digest}/publish", 409, json={"why": WHY})
    twice = house.signed(order, "north-1")
    house.ask("officer", "POST", "/packets", content=twice)
    house.ask("officer", "POST", "/packets", 422, content=twice)
    house.ask("officer", "POST", f"/orders/{order.digest}/publish", 409, json={"why": WHY})
