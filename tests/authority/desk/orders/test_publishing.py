"""From signed to the log and back: nothing unsigned is published, nothing published is forgotten, and the log is believed."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from authority import packets
from authority.desk import ordering, publishing, signing
from authority.desk.errors import Conflict, DeskError
from authority.desk.roles import LOG
from authority.desk.tables import Audit, Grant, Message, Person, Recommendation
from authority.errors import AuthorityError
from authority.publisher import publish
from tests.authority.cast import order as order_of
from tests.authority.cast import signed
from tests.authority.desk.orders.house import HOUR, House
from tests.authority.feeding import serving
from tests.tools import DEADLINE


def test_publishing_again_changes_nothing(house: House) -> None:
    number, order = house.ordered()
    size, events = house.tree().size, len(house.events(number))
    assert house.publish(order).log_index == order.log_index
    assert (house.tree().size, len(house.events(number))) == (size, events)


def test_who_asked_for_it_is_on_record_before_the_log_has_it(house: House) -> None:
    number, order = house.ordered()
    with house.desk.store.reading() as session:
        lines = session.scalars(select(Audit).where(Audit.object.in_((f"order:{number}", f"case:{number}"))).order_by(Audit.number)).all()
    said = [(each.who, each.action) for each in lines]
    assert said.index(("officer", "order.publish")) < said.index(("officer", "case.publish"))
    assert order.digest in next(each.details for each in lines if each.action == "order.publish")


def test_what_the_log_refuses_leaves_the_case_as_it_was(house: House) -> None:
    number, _ = house.ordered("first.test")
    stale = house.draft(number, "renew")
    house.bring(stale, "north-1", "north-2")
    house.follow(number, "amend", "north-1", "north-2")
    with pytest.raises(Conflict, match=r"is not published: .*replay.follows"):
        house.publish(stale)
    assert house.row(number).state == "in_force"


def killed_after_the_log(house: House, digest: str) -> None:
    """Publishes in a process of its own, which is killed when the log has it and the database not."""
    script = f"""
        import os, signal
        from pathlib import Path
        from authority.desk import publishing
        from authority.desk.desk import Desk
        from authority.desk.roles import Actor
        from authority.desk.settings import DeskSettings
        publishing.settle = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        settings = DeskSettings(directory="authority", database={house.desk.store.engine.url.render_as_string()!r})
        desk = Desk(settings, Path({str(house.directory.parent)!r}))
        publishing.publish(desk, Actor("officer", frozenset({{"officer"}}), {house["officer"].person}), {digest!r}, "go", {house.now})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], timeout=DEADLINE, check=False)
    assert done.returncode == -signal.SIGKILL


def test_what_was_killed_between_log_and_database_is_completed_once(house: House) -> None:
    number = house.case("killed.test")
    order = house.opened(number)
    house.bring(order, "north-1", "north-2")
    killed_after_the_log(house, order.digest)
    assert house.blocked()["killed.test"] == number
    assert house.row(number).state == "signing"
    assert publishing.follow_log(house.desk, house.now) == [number]
    case = house.row(number)
    assert (case.state, case.order_id) == ("in_force", number)
    assert (house.last(number).step, house.last(number).who) == ("publish", "log")
    assert publishing.follow_log(house.desk, house.now) == []
    assert [each.step for each in house.events(number)].count("publish") == 1


def test_the_officer_who_tries_again_after_the_crash_completes_it_too(house: House) -> None:
    number = house.case()
    order = house.opened(number)
    house.bring(order, "north-1", "north-2")
    killed_after_the_log(house, order.digest)
    size = house.tree().size
    done = house.publish(order)
    assert done.log_index is not None
    assert house.row(number).state == "in_force"
    orders = [each for each in range(size, house.tree().size) if house.tree().entry(each).startswith(b'{"envelope"')]
    assert orders == []


def test_an_order_published_past_the_desk_is_known_and_can_be_lifted(house: House) -> None:
    number = house.case("past.test")
    order = house.opened(number)
    data = house.signed(order, "north-1", "north-2")
    ordering.abandon(house.desk, house["officer"], order.digest, "a mistake", house.now)
    publish(house.directory, [packets.read(data, "the packet")], house.now)
    assert publishing.follow_log(house.desk, house.now) == [number]
    assert house.row(number).state == "in_force"
    assert house.last(number).step == "published_elsewhere"
    with house.desk.store.reading() as session:
        assert session.scalars(select(Audit).where(Audit.action == "order.unexpected", Audit.object == f"order:{number}")).one().who == LOG.name
        assert ordering.find_order(session, order.digest).ended_at is None, "it is in force, and no dropped draft"
    house.follow(number, "withdraw", "north-1")
    assert "past.test" not in house.blocked()


def test_the_reviewers_signed_recommendation_is_one_recommendation(house: House) -> None:
    number, _ = house.ordered()
    order = house.follow(number, "recommend", "reviewer-1", who="reviewer", publisher="clerk", why="it is lawful satire")
    with house.desk.store.reading() as session:
        made = session.scalars(select(Recommendation).where(Recommendation.case_id == house.row(number).id)).one()
    assert made.answered_at is None
    event = house.last(number)
    assert (event.step, event.details["index"]) == ("recommend_withdrawal", order.log_index)
    assert house.row(number).state == "in_force"


def test_an_incomplete_order_never_reaches_the_log(house: House) -> None:
    order = house.opened(house.case())
    size = house.tree().size
    for signer in (None, "north-1"):
        if signer:
            house.bring(order, signer)
        with pytest.raises(DeskError, match="lacks signatures"):
            house.publish(order)
    assert house.tree().size == size


def test_a_server_that_runs_publishes_what_the_desk_hands_over(tmp_path: Path) -> None:
    house = House(tmp_path, int(time.time()))
    with serving(house.directory) as server:
        number, order = house.ordered("served.test")
        server.said(f"published {number}: entry {order.log_index}")
    assert house.row(number).state == "in_force"
    assert house.blocked()["served.test"] == number
    house.desk.close()


def test_what_operators_will_hold_is_said(tmp_path: Path) -> None:
    house = House(tmp_path, limits={"names_per_hour": 1, "names_per_day": 5})
    house.ordered("one.test")
    number, _ = house.ordered("two.test")
    assert house.last(number).details["held"] is True
    assert "two.test" not in house.blocked()
    number, _ = house.ordered("three.test", signers=("north-1", "north-2", "north-3"))
    assert "held" not in house.last(number).details
    assert "three.test" in house.blocked()
    house.desk.close()


def test_officers_of_two_authorities_do_not_add_up(tmp_path: Path) -> None:
    text = {"en": "An example."}
    house = House(tmp_path, categories={"terrorism": {"authorities": ["north", "south"], "threshold": 2, "texts": text}})
    number = house.case("both.test")
    order = house.opened(number)
    house.bring(order, "north-1")
    with pytest.raises(DeskError, match="south-1 may not sign"):
        house.bring(order, "south-1")
    with pytest.raises(Conflict, match="1 of officers of North"):
        house.publish(order)
    house.state(number, authority="south")
    with pytest.raises(Conflict, match="2 officers would have to sign it, and 1 may"):
        house.draft(number)
    house.desk.close()


def test_what_was_dropped_and_published_all_the_same_counts(house: House) -> None:
    """A withdrawal and a confirmation past the desk: operators go by the log, and so does the case."""
    number, _ = house.ordered("dropped.test")
    order = house.draft(number, "withdraw")
    data = house.signed(order, "north-1")
    ordering.abandon(house.desk, house["officer"], order.digest, "not yet", house.now)
    publish(house.directory, [packets.read(data, "the packet")], house.now)
    publishing.follow_log(house.desk, house.now)
    assert house.row(number).state == "withdrawn"
    assert house.last(number).who == "log"


def test_a_confirmation_in_the_log_outweighs_a_lapse_of_the_desk(house: House) -> None:
    number, _ = house.ordered("confirmed.test", until="emergency")
    order = house.draft(number, "confirm", "reviewer")
    data = house.signed(order, "reviewer-1")
    publish(house.directory, [packets.read(data, "the packet")], house.now)
    house.tick("lapse", number)
    publishing.follow_log(house.desk, house.now)
    case = house.row(number)
    assert (case.state, case.emergency) == ("in_force", False)
    assert house.blocked(house.now + 100 * HOUR)["confirmed.test"] == number


def test_several_entries_found_at_once_are_taken_in_the_order_of_the_log(house: House) -> None:
    number, _ = house.ordered("several.test")
    last, first = house.draft(number, "withdraw"), house.draft(number, "suspend")
    for order in (first, last):
        publish(house.directory, [packets.read(house.signed(order, "north-1"), "the packet")], house.now)
    publishing.follow_log(house.desk, house.now)
    assert [each.step for each in house.events(number) if each.step in ("suspend", "withdraw")] == ["suspend", "withdraw"]
    assert house.row(number).state == "withdrawn"


def test_a_list_that_changed_after_the_draft_stops_it_before_signing_and_before_publishing(house: House) -> None:
    number = house.case("sudden.test")
    order = house.draft(number)
    house.document("popular", "1,sudden.test\n")
    with pytest.raises(Conflict, match="since the order was drafted"):
        ordering.open_signing(house.desk, house["officer"], order.digest, "go", house.now)
    house.document("popular", "1,other.test\n")
    ordering.open_signing(house.desk, house["officer"], order.digest, "go", house.now)
    house.bring(order, "north-1", "north-2")
    house.document("popular", "1,sudden.test\n")
    with pytest.raises(Conflict, match="since the order was drafted"):
        house.publish(order)
    assert "sudden.test" not in house.blocked()
    house.document("popular", "")


def test_a_stolen_server_puts_nothing_unsigned_in_force(house: House) -> None:
    """Whoever holds the database and the server says what he likes of thresholds and signatures; the log is judged by the signed policy."""
    order = house.opened(house.case("stolen.test"))
    house.bring(order, "north-1")
    with house.desk.store.writing() as session:
        row = ordering.find_order(session, order.digest)
        row.threshold, row.guards = 0, []
    with pytest.raises(Conflict, match="lacks signatures"):
        house.publish(order)
    with house.desk.store.reading() as session:
        packet = signing.packet_of(ordering.find_order(session, order.digest))
    for forged in (packet, replace(packet, signed=packet.envelope.with_signature(house.cast["north-2"].key.keyid, b"x" * 64))):
        with pytest.raises(AuthorityError, match="is not published"):
            publish(house.directory, [forged], house.now)
    assert "stolen.test" not in house.blocked()


def test_an_order_that_nobody_drafted_here_is_alarmed_once(tmp_path: Path) -> None:
    """Two officers sign beside the desk: operators obey, so that those who can revoke keys must hear of it."""
    house = House(tmp_path)
    with house.desk.store.writing() as session:
        for login in ("administrator", "reviewer"):
            person = session.get_one(Person, house[login].person)
            person.email = f"{login}@authority.example"
            session.add(Grant(person_id=person.id, role=login, given_at=house.now))
    old = signed(house.cast, house.directory, order_of("XX-old", "old.test"), "north-1", "north-2")
    publish(house.directory, [old], house.now)
    publishing.follow_log(house.desk, house.now)  # the first look: an authority may be older than its desk
    new = signed(house.cast, house.directory, order_of("XX-beside", "beside.test"), "north-1", "north-2")
    publish(house.directory, [new], house.now)
    for _ in range(2):
        publishing.follow_log(house.desk, house.now)
    with house.desk.store.reading() as session:
        noted = {each.action: each for each in session.scalars(select(Audit).where(Audit.who == "log"))}
        messages = session.scalars(select(Message).where(Message.kind == "beside").order_by(Message.recipient)).all()
    assert set(noted) == {"log.before", "order.beside"}
    assert (noted["order.beside"].object, "north-1, north-2" in noted["order.beside"].details) == ("order:XX-beside", True)
    assert [each.recipient for each in messages] == ["administrator@authority.example", "reviewer@authority.example"]
    assert "XX-beside: block" in messages[0].body
    assert "XX-old" not in messages[0].body
    house.desk.close()
