"""Who gets a message sees which authority writes, by the name that the signed policy gives it."""

from __future__ import annotations

from sqlalchemy import select

from authority.desk import alerts, removal
from authority.desk.tables import Message
from tests.authority.desk.orders.house import House


def test_a_request_names_the_authority_that_may_order_in_the_category(house: House) -> None:
    number = house.case("asked.test", until="assessed")
    for language in ("en", "fr"):
        with house.desk.store.writing() as session:
            removal.request(session, house.desk, house["clerk"], number, "abuse@host.test", "host", "known", house.now, language=language)
    with house.desk.store.reading() as session:
        bodies = list(session.scalars(select(Message.body).where(Message.recipient == "abuse@host.test").order_by(Message.id)))
    assert bodies[0].startswith("North writes to you.")
    assert bodies[1].startswith("North vous écrit.")
    assert all("North, desk@authority.example" in body for body in bodies)


def test_what_is_published_anew_is_read_anew_and_before_it_is_nobody(house: House) -> None:
    case = house.row(house.case("named.test"))
    assert alerts.house(house.desk, case) == "North"
    stamp = house.desk.places.metadata / "timestamp.json"
    hidden = stamp.rename(stamp.with_suffix(".away"))
    try:
        assert alerts.house(house.desk, case) == ""
    finally:
        hidden.rename(stamp)
    assert alerts.house(house.desk, case) == "North"
