"""Each account and token of the desk, in a thief's hands: whatever is tried with it, nothing unsigned comes into force, and nothing signed is lifted.

docs/desk-threats.md names the tests of its rows; the last test holds it to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from authority.desk.people import accounts, tokens
from authority.desk.roles import Actor
from authority.desk.tables import Audit, Grant, Order, Person
from authority.desk.web.forms import FORMS
from tests.authority.desk.orders.house import DAY
from tests.authority.desk.outside.programs import Programs

WHY = {"why": "stolen"}
DETAILS = {
    "category": "terrorism", "finding": "x", "found": "gone", "names": "other.test", "officer": "clerk", "told": "x", "ground": "x", "court": "x",
    "decided_at": "2026-01-01", "recipient": "a@b.test", "kind": "host", "occasion": "block", "recommendation": "1", "answer": "followed",
    "decision": "lifted", "appeal": "x", "standing": "owner", "words": "x", "language": "en", "hours": "1",
}  # fmt: skip
DOCS = Path(__file__).parents[3] / "docs" / "desk-threats.md"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    made = Programs(tmp_path_factory.mktemp("stolen"), limits={"names_per_hour": 1000, "names_per_day": 5000})
    made.add("administrator-2", "administrator")
    made.add("operator", "operator")
    with made.desk.store.writing() as session:
        for login in ("administrator-2", "operator"):
            made.keys[login] = tokens.make(session, made[login], "a program", 30, made.now).token
    yield made
    made.close()


class Prey:
    """What a thief would like to have in force, or lifted."""

    def __init__(self, house: Programs, name: str) -> None:
        self.house = house
        self.standing, block = house.ordered(f"standing.{name}.test")
        self.bare = house.opened(house.case(f"bare.{name}.test"))
        self.half = house.opened(house.case(f"half.{name}.test"))
        house.bring(self.half, "north-1")
        self.lifting = house.draft(self.standing, "withdraw")
        self.drafted = house.draft(house.case(f"drafted.{name}.test"))
        self.orders: list[Order] = [self.bare, self.half, self.lifting, self.drafted, block]
        self.before = (house.tree().size, house.blocked())

    def numbers(self) -> list[str]:
        return [self.standing, self.half.order_id]

    def forged(self) -> list[bytes]:
        """With signatures that are none: by the thief's key, under it and in an officer's name; any octets; another officer's, renamed."""
        thief, other = self.house.cast["thief"], self.house.cast["north-2"].key.keyid
        made = []
        for order in (self.bare, self.half, self.lifting):
            packet = self.house.packet(order)
            by_thief = thief.sign(packet.envelope.signed_bytes())
            pairs = [(thief.key.keyid, by_thief), (other, by_thief), (other, b"x" * 64)]
            pairs += [(other, octets) for _, octets in packet.envelope.signatures]
            made += [replace(packet, signed=packet.envelope.with_signature(keyid, octets)).encode() for keyid, octets in pairs]
        return made

    def untouched(self) -> None:
        """Operators hold what they held."""
        assert (self.house.tree().size, self.house.blocked()) == self.before
        assert self.house.blocked(self.house.now + DAY) == self.before[1]


def try_all(prey: Prey, who: str) -> list[tuple[str, int]]:
    """Everything that the API has for cases, orders and packets, with somebody's token; what each call answered."""
    client, said = prey.house.program(who), []

    def call(method: str, path: str, **more: object) -> None:
        answer = client.request(method, path, **more)  # type: ignore[arg-type]
        assert answer.status_code < 500, (path, answer.text)
        said.append((path, answer.status_code))

    for data in prey.forged():
        call("POST", "/packets", content=data)
    for order in prey.orders:
        call("POST", f"/orders/{order.digest}/publish", json=WHY)
    for number in prey.numbers():
        for what in ("block", "renew", "amend", "withdraw", "suspend", "confirm", "recommend"):
            answer = client.post(f"/cases/{number}/orders", json={**WHY, "what": what})
            if answer.status_code == 201:
                call("POST", f"/orders/{answer.json()['digest']}/publish", json=WHY)
        call("PATCH", f"/cases/{number}/facts", json={**WHY, "facts": {"expires_days": 1}})
        for step in FORMS:
            call("POST", f"/cases/{number}/steps/{step}", json={**WHY, "details": DETAILS})
    for order in prey.orders:
        for act in ("override", "signing", "publish", "abandon", "publish"):
            more = {"guard": "popularity", "name": "x.test"} if act == "override" else {}
            call("POST", f"/orders/{order.digest}/{act}", json={**WHY, **more})
    return said


@pytest.mark.parametrize("who", ["clerk", "officer", "reviewer", "administrator", "auditor", "operator", "flagger", "nobody"])
def test_whatever_is_tried_with_it_nothing_unsigned_comes_into_force_and_nothing_is_lifted(house: Programs, who: str) -> None:
    prey = Prey(house, who)
    taken = [len(house.events(number)) for number in prey.numbers()]
    said = try_all(prey, who)
    assert not [each for each in said if each[0].endswith("/publish") and each[1] < 400 and prey.orders[-1].digest not in each[0]]
    assert not [each for each in said if each[0] == "/packets" and each[1] < 400]
    prey.untouched()
    if who in ("clerk", "officer", "reviewer"):
        with house.desk.store.reading() as session:
            lines = session.scalars(select(Audit).where(Audit.who == who, Audit.object == f"case:{prey.standing}")).all()
        assert lines  # what was tried with success is on record
    else:  # who works on no case changes none
        assert all(400 <= status < 500 for _, status in said)
        assert [len(house.events(number)) for number in prey.numbers()] == taken


def test_two_stolen_administrators_make_an_officer_who_signs_nothing(house: Programs) -> None:
    """They may make an account; it has no key, and no key of an officer's comes by it. The auditor sees who was made, and by whom."""
    body = {"login": "mallory", "name": "Mallory", "roles": ["officer"], "email": "", "office": "", "operator": "", "subject": ""}
    asked = house.ask("administrator", "POST", "/proposals", 201, json={"kind": "person", "body": body, **WHY})
    house.ask("administrator", "POST", f"/proposals/{asked['proposal']['id']}/decision", 403, json={"confirm": True, "reason": ""})
    house.ask("administrator-2", "POST", f"/proposals/{asked['proposal']['id']}/decision", json={"confirm": True, "reason": ""})
    with house.desk.store.writing() as session:
        person = accounts.find(session, "mallory")
        actor = Actor("mallory", frozenset({"officer"}), person.id)
        house.keys["mallory"] = tokens.make(session, actor, "a program", 30, house.now).token
        made = session.scalars(select(Audit).where(Audit.object == "person:mallory")).all()
    assert made
    prey = Prey(house, "mallory")
    try_all(prey, "mallory")
    prey.untouched()
    # Nor can they have the account known as the holder of an office: by the policy somebody else is.
    office = {"kind": "office", "body": {"login": "mallory", "office": "north-3"}, **WHY}
    assert "north-3" in house.ask("administrator", "POST", "/proposals", 409, json=office)["detail"]


def test_an_officer_made_in_the_database_signs_nothing(house: Programs) -> None:
    """Who writes the database makes accounts without anybody; of them no line of the audit log tells."""
    with house.desk.store.writing() as session:
        person = Person(login="eve", name="Eve", made_at=house.now)
        session.add(person)
        session.flush()
        session.add(Grant(person_id=person.id, role="officer", given_at=house.now))
        house.keys["eve"] = tokens.make(session, Actor("eve", frozenset({"officer"}), person.id), "x", 30, house.now).token
    prey = Prey(house, "eve")
    try_all(prey, "eve")
    prey.untouched()
    with house.desk.store.reading() as session:
        told = session.scalars(select(Audit).where(Audit.object == "person:eve", Audit.action.in_(("person.add", "person.grant")))).all()
    assert not told


def test_every_test_that_the_page_names_is_there() -> None:
    here = Path(__file__).parent
    named = re.findall(r"`((?:\.\./)?(?:\w+/)?test_\w+\.py)(?:::(\w+))?`", DOCS.read_text(encoding="utf-8"))
    assert len(named) > 15
    for file, function in named:
        text = (here / file).read_text(encoding="utf-8")
        assert not function or f"def {function}(" in text, (file, function)
