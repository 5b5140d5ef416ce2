"""A trusted flagger's program that refers more than is taken of one token: it is told to wait, and what was accepted is kept."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import func, select

from authority.desk.people import tokens
from authority.desk.roles import Actor
from authority.desk.tables import Referral
from tests.authority.desk.outside.programs import Programs


@pytest.fixture
def other(house: Programs) -> Iterator[httpx.Client]:
    """The same flagger's program with another token."""
    with house.desk.store.writing() as session:
        token = tokens.make_for_flagger(session, Actor("administrator"), "acme", "their other program", 30, house.now).token
    with httpx.Client(base_url=f"{house.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        yield client


def test_a_stolen_flaggers_token_is_limited_and_nobody_else_is(house: Programs, other: httpx.Client) -> None:
    most = house.desk.settings.flagger_referrals_per_hour
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: house.program("flagger").post("/referrals", json={"names": [f"flood-{each}.test"]}), range(most + 8)))
    taken = [each.json()["reference"] for each in answers if each.status_code == 201]
    refused = [each for each in answers if each.status_code == 429]
    assert (len(taken), len(refused)) == (most, 8)
    problem = house.ask("flagger", "POST", "/referrals", 429, json={"names": ["one-more.test"]})
    assert problem["detail"] == "too many came with this token; try again in 3600 s"
    assert all(each.headers["retry-after"] == "3600" for each in refused)
    with house.desk.store.reading() as session:
        kept = session.scalar(select(func.count()).select_from(Referral).where(Referral.sender == "acme"))
    assert kept == most
    # What came of what was accepted can still be asked; another token of the same flagger, and people's tokens, refer on.
    assert house.ask("flagger", "GET", f"/referrals/{taken[0]}")["state"] == "received"
    assert other.post("/referrals", json={"names": ["other-token.test"]}).status_code == 201
    house.ask("clerk", "POST", "/referrals", 201, json={"names": ["from-the-house.test"]})
    house.now += 3600
    house.ask("flagger", "POST", "/referrals", 201, json={"names": ["an-hour-later.test"]})
