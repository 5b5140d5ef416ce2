"""Sign-in by the house's provider: a real one over HTTP, honest and then dishonest in each way that the protocol guards against."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from authority.desk.errors import DeskError
from authority.desk.people import oidc
from authority.desk.web.app import create_app
from tests.authority.desk.people.house import Browser, House
from tests.authority.desk.people.provider import CLIENT, SECRET, Provider
from tests.tools import free_ports


@pytest.fixture
def provider() -> Iterator[Provider]:
    found = Provider()
    yield found
    found.close()


@pytest.fixture
def house(tmp_path: Path, provider: Provider) -> Iterator[House]:
    """A desk that trusts the provider, which vouches for eve and gus; times are today's, as the provider's are."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (port,) = free_ports(1)
    found = House(
        tmp_path, port=port, url=f"http://127.0.0.1:{port}/", sign_in={"issuer": provider.issuer, "client_id": CLIENT, "client_secret_file": "secret"}
    )
    found.now = int(time.time())
    found.agreed("ada", "bea", "subject", login="eve", subject="sub-eve")
    yield found
    found.close()


def go(browser: Browser) -> httpx.Response:
    """There and back, as a browser goes: the desk, the provider, the desk."""
    away = browser.http.get("/sign-in/house?next=/account")
    assert away.status_code == 303, away.text
    with httpx.Client(verify=False) as client:
        at = client.get(away.headers["location"])
    return browser.http.get(at.headers["location"])


def test_a_person_signs_in_by_the_provider(house: House, provider: Provider) -> None:
    browser = house.browser()
    assert "/sign-in/house" in browser.get("/sign-in")
    answer = go(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "Eve Test" in browser.get("/account")
    provider.new_key()  # keys are changed now and then: the desk fetches the new ones
    assert go(house.browser()).status_code == 303


def test_whom_nobody_here_is_does_not_come_in(house: House, provider: Provider) -> None:
    """Nor who has somebody's mail address there, nor who works here no more."""
    provider.subject = "sub-stranger"
    provider.lies = {"email": "eve@authority.example", "preferred_username": "eve"}
    assert go(house.browser()).status_code == 403
    provider.subject, provider.lies = "sub-eve", {}
    house.agreed("ada", "bea", "end_person", login="eve")
    assert go(house.browser()).status_code == 403


@pytest.mark.parametrize(
    "lies",
    [{"iss": "https://other.example"}, {"iss": None}, {"aud": "another-client"}, {"aud": None}, {"aud": ["another-client"]}, {"nonce": "another"},
     {"nonce": None}, {"exp": 1}, {"exp": None}, {"iat": 9_999_999_999}, {"sub": None}, {"azp": "another-client"},
     {"at_hash": "wrong"}, {"nbf": 9_999_999_999}],
    ids=lambda lies: "-".join(f"{name}:{value}" for name, value in lies.items()),
)  # fmt: skip
def test_a_token_with_a_false_claim_is_refused(house: House, provider: Provider, lies: dict[str, Any]) -> None:
    provider.lies = lies
    answer = go(house.browser())
    assert answer.status_code == 403
    assert "desk=" not in answer.headers.get("set-cookie", "").replace("house=", "")


def test_a_token_that_is_not_signed_by_the_providers_key_is_refused(house: House, provider: Provider) -> None:
    """Not signed at all; signed with the public key as if it were a shared secret; signed by a key that the provider does not show."""
    provider.unsigned = True
    assert go(house.browser()).status_code == 403
    provider.unsigned, provider.shared = False, True
    assert go(house.browser()).status_code == 403
    provider.shared = False
    assert go(house.browser()).status_code == 303
    browser = house.browser()
    away = browser.http.get("/sign-in/house")
    shown = provider.key.as_dict(private=False)
    provider.new_key()
    stolen, provider.key = provider.key, type(provider.key).import_key(shown)
    provider.token, honest = (lambda form, authorization: _with(provider, stolen, honest, form, authorization)), provider.token  # type: ignore[method-assign]
    with httpx.Client(verify=False) as client:
        back = client.get(away.headers["location"]).headers["location"]
    assert browser.http.get(back).status_code == 403


def _with(provider: Provider, key: Any, honest: Any, form: dict[str, str], authorization: str) -> Any:
    shown, provider.key = provider.key, key
    try:
        return honest(form, authorization)
    finally:
        provider.key = shown


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(house: House, provider: Provider) -> None:
    """State: an attacker's own answer given to somebody else's browser would sign them in as the attacker."""
    thief, victim = house.browser(), house.browser()
    away = thief.http.get("/sign-in/house")
    with httpx.Client(verify=False) as client:
        back = client.get(away.headers["location"]).headers["location"]
    assert victim.http.get(back).status_code == 403
    victim.http.get("/sign-in/house")
    assert victim.http.get(back).status_code == 403
    assert thief.http.get(back.replace("state=", "state=x")).status_code == 403
    assert victim.http.get("/sign-in/house/back").status_code == 403
    assert victim.http.get("/account").status_code == 303


def test_an_answer_comes_once_and_in_time(house: House, provider: Provider) -> None:
    browser = house.browser()
    away = browser.http.get("/sign-in/house")
    with httpx.Client(verify=False) as client:
        back = client.get(away.headers["location"]).headers["location"]
    house.now += oidc.GOOD_SECONDS + 1
    assert browser.http.get(back).status_code == 403
    assert browser.http.get(back).status_code == 403


def test_a_stolen_code_is_worth_nothing_without_the_verifier(house: House, provider: Provider) -> None:
    """PKCE: a code that was caught on its way is of no use in another sign-in."""
    thief, victim = house.browser(), house.browser()
    with httpx.Client(verify=False) as client:
        caught = client.get(victim.http.get("/sign-in/house").headers["location"]).headers["location"]
        own = client.get(thief.http.get("/sign-in/house").headers["location"]).headers["location"]
    code = httpx.URL(caught).params["code"]
    state = httpx.URL(own).params["state"]
    assert thief.http.get("/sign-in/house/back", params={"code": code, "state": state}).status_code == 403


def test_another_providers_answer_is_refused(house: House, provider: Provider) -> None:
    provider.answer_issuer = "https://other.example"
    assert go(house.browser()).status_code == 403
    provider.answer_issuer = provider.issuer
    assert go(house.browser()).status_code == 303


def test_a_provider_that_is_another_or_away_costs_nobody_their_password(house: House, provider: Provider) -> None:
    provider.other_issuer = True
    assert house.browser().http.get("/sign-in/house").status_code == 503
    provider.other_issuer, provider.away = False, True
    answer = house.browser().http.get("/sign-in/house")
    assert answer.status_code == 503
    assert 'name="password"' in answer.text


def test_a_provider_without_tls_is_no_provider(tmp_path: Path) -> None:
    house = House(tmp_path, sign_in={"issuer": "http://login.authority.example", "client_id": CLIENT})
    try:
        with pytest.raises(DeskError, match="not https"):
            create_app(house.desk)
    finally:
        house.close()
