"""Signing in at a real server, and every known way to get in without, or to make somebody else act."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from authority.desk.people import limits as bounds
from authority.desk.people import sessions, tokens
from authority.desk.tables import Audit, Invitation, Person
from authority.desk.web import bounds as bodies
from authority.desk.web.sign_in import safe
from tests.authority.desk.people.house import PASSWORD, House, plain


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One house for the tests that leave it as it was; everybody knows PASSWORD."""
    house = House(tmp_path_factory.mktemp("desk"))
    house.know_password("ada", "bea", "cora", "dan", "eve", "fay", "gus", "hal")
    yield house
    house.close()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[House]:
    """A house of one's own."""
    house = House(tmp_path)
    house.know_password("dan", "eve")
    yield house
    house.close()


def test_a_person_signs_in_works_and_signs_out(served: House) -> None:
    browser = served.browser()
    assert browser.http.get("/account").headers["location"] == "/sign-in?next=/account"
    answer = browser.sign_in("Eve ", next="/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "Eve Test" in browser.get("/account")
    out = browser.post("/account", "/sign-out")
    assert out.headers["location"] == "/sign-in?done=out"
    assert browser.http.get("/account").status_code == 303


def test_a_signed_out_token_is_worth_nothing_even_if_it_was_copied(served: House) -> None:
    browser = served.browser()
    browser.sign_in("eve")
    copied = browser.http.cookies["desk"]
    browser.post("/account", "/sign-out")
    thief = served.browser()
    thief.http.cookies.set("desk", copied, domain="127.0.0.1", path="/")
    assert thief.http.get("/account").status_code == 303


# --- the session


def test_a_planted_session_is_not_taken_over(served: House) -> None:
    """Fixation: whatever cookie was there before, another is given; the planted one opens nothing, and a session that was there ends."""
    victim = served.browser()
    victim.http.cookies.set("desk", "planted-by-a-thief", domain="127.0.0.1", path="/")
    answer = victim.sign_in("eve")
    token = re.search(r"desk=([^;]+)", answer.headers["set-cookie"])
    assert token is not None
    assert token[1] != "planted-by-a-thief"
    thief = served.browser()
    thief.http.cookies.set("desk", "planted-by-a-thief", domain="127.0.0.1", path="/")
    assert thief.http.get("/account").status_code == 303
    own = served.browser("dan")
    planted = own.http.cookies["desk"]
    own.http.post("/sign-in", data={"login": "eve", "password": PASSWORD})
    with served.desk.store.reading() as session:
        assert sessions.find(session, planted, served.now) is None


def test_a_session_ends_by_time_whatever_happens(alone: House) -> None:
    idle, busy = alone.browser("eve"), alone.browser("eve")
    for _ in range(sessions.MOST_SECONDS // (sessions.IDLE_SECONDS - 60)):
        alone.now += sessions.IDLE_SECONDS - 60
        assert busy.http.get("/account").status_code == 200
    assert idle.http.get("/account").status_code == 303
    alone.now += sessions.IDLE_SECONDS - 60
    assert busy.http.get("/account").status_code == 303


def test_the_database_holds_no_token_that_opens_anything(alone: House) -> None:
    browser = alone.browser()
    browser.sign_in("eve")
    made = browser.http.post("/account/tokens", data={"csrf": browser.csrf(), "label": "x", "days": "9", "old": PASSWORD}).text
    token = re.search(r"rhd_[\w-]+", made)
    assert token is not None
    octets = b"".join(file.read_bytes() for file in alone.desk.directory.iterdir() if file.is_file())
    for secret in (browser.http.cookies["desk"], token[0], PASSWORD):
        assert secret.encode() not in octets


def test_cookies_are_bound(tmp_path: Path) -> None:
    """By TLS: to this host and to TLS; no script reads them, no other site's form carries them. Without, as much as there is."""
    house = House(tmp_path, url="https://desk.authority.example/")
    house.know_password("eve")
    try:
        answer = house.browser().sign_in("eve")
        cookies = answer.headers.get_list("set-cookie")
        assert {cookie.partition("=")[0] for cookie in cookies} == {"__Host-desk", "__Host-browser"}
        for cookie in cookies:
            said = {part.strip().lower() for part in cookie.split(";")[1:]}
            assert {"httponly", "secure", "samesite=lax", "path=/"} <= said
            assert not any(part.startswith("domain") for part in said)
        assert "max-age" in answer.headers["strict-transport-security"]
    finally:
        house.close()


# --- guessing


def test_a_login_that_nobody_has_is_told_from_no_wrong_password(served: House) -> None:
    answers = [served.browser().sign_in(login, "wrong password here") for login in ("gus", "nobody-here")]
    assert [answer.status_code for answer in answers] == [403, 403]
    texts = [plain(answer.text).replace("gus", "").replace("nobody-here", "") for answer in answers]
    assert texts[0] == texts[1]


def test_an_account_that_is_tried_too_often_waits(alone: House) -> None:
    for number in range(bounds.FREE):
        assert alone.browser(X_Forwarded_For=f"192.0.2.{number}").sign_in("eve", "wrong").status_code == 403
    waits = alone.browser(X_Forwarded_For="192.0.2.99").sign_in("eve")
    assert waits.status_code == 429
    assert int(waits.headers["retry-after"]) == bounds.FIRST_WAIT
    alone.now += bounds.FIRST_WAIT
    assert alone.browser(X_Forwarded_For="192.0.2.99").sign_in("eve").status_code == 303


def test_tries_that_come_at_once_count_one_by_one(alone: House) -> None:
    def one(number: int) -> int:
        return alone.browser(X_Forwarded_For=f"198.51.100.{number}").sign_in("eve", "wrong").status_code

    alone.url  # noqa: B018 - it is served before they come
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(one, range(12)))
    assert sorted(found) == [403] * bounds.FREE + [429] * (12 - bounds.FREE)


def test_an_address_that_tries_many_accounts_waits(alone: House) -> None:
    """All of one IPv6 network is one address; another network is none of it."""
    for number in range(bounds.FROM_ONE_ADDRESS):
        assert alone.browser(X_Forwarded_For=f"2001:db8:1:2::{number:x}").sign_in(f"login-{number}", "wrong").status_code == 403
    assert alone.browser(X_Forwarded_For="2001:db8:1:2:ffff::1").sign_in("eve").status_code == 429
    assert alone.browser(X_Forwarded_For="2001:db8:1:3::1").sign_in("eve").status_code == 303
    alone.now += bounds.WINDOW
    assert alone.browser(X_Forwarded_For="2001:db8:1:2::1").sign_in("eve").status_code == 303


def test_who_knows_a_login_cannot_keep_its_holder_out(alone: House) -> None:
    """From a browser that the holder signed in from before, the holder is counted apart."""
    holder = alone.browser()
    assert holder.sign_in("eve").status_code == 303
    holder.post("/account", "/sign-out")
    stranger = alone.browser(X_Forwarded_For="203.0.113.5")
    for _ in range(bounds.FREE + 3):
        stranger.sign_in("eve", "wrong")
    assert stranger.sign_in("eve").status_code == 429
    assert holder.sign_in("eve").status_code == 303
    # The cookie is worth nothing for anybody else's account, and nothing when it is made up.
    for cookie in ("made.up", stranger.http.cookies.get("browser", "none")):
        other = alone.browser()
        other.http.cookies.set("browser", cookie, domain="127.0.0.1", path="/")
        assert other.sign_in("eve").status_code == 429


def test_a_client_does_not_choose_its_own_address(tmp_path: Path) -> None:
    house = House(tmp_path, proxies=())
    try:
        answers = [
            house.browser(X_Forwarded_For=f"192.0.2.{number}").sign_in(f"login-{number}", "wrong") for number in range(bounds.FROM_ONE_ADDRESS + 1)
        ]
        assert answers[-1].status_code == 429
    finally:
        house.close()


def test_nor_behind_a_proxy_where_only_what_the_proxy_added_counts(alone: House) -> None:
    tries = [f"192.0.2.{number}, 203.0.113.9" for number in range(bounds.FROM_ONE_ADDRESS + 1)]
    answers = [alone.browser(X_Forwarded_For=said).sign_in(f"login-{number}", "wrong") for number, said in enumerate(tries)]
    assert answers[-1].status_code == 429


def test_failures_are_written_down_and_what_was_typed_is_not(alone: House) -> None:
    alone.browser().sign_in("eve", "wrong-1")
    alone.browser().sign_in("my-password-typed-here", "wrong-2")
    alone.browser().sign_in("eve")
    with alone.desk.store.reading() as session:
        said = [(line.who, line.action, line.object, line.details) for line in session.scalars(select(Audit).order_by(Audit.number))][-3:]
        assert session.scalar(select(Person.failures).where(Person.login == "eve")) == 0
    assert [line[:3] for line in said] == [
        ("unknown", "sign_in.failed", "person:eve"), ("unknown", "sign_in.failed", "person:unknown"), ("eve", "sign_in", "person:eve"),
    ]  # fmt: skip
    assert '"wrong_before":1' in said[-1][3]
    assert "my-password" not in str(said)


def test_no_address_is_kept(alone: House) -> None:
    alone.browser(X_Forwarded_For="203.0.113.77").sign_in("eve", "wrong")
    alone.browser(X_Forwarded_For="203.0.113.77").sign_in("eve")
    for file in alone.desk.directory.iterdir():
        if file.is_file():
            assert b"203.0.113.77" not in file.read_bytes()


# --- somebody else's site


@pytest.mark.parametrize(
    "path", ["/sign-out", "/account", "/account/password", "/account/tokens", "/account/sessions", "/people/new", "/proposals/1", "/audit"]
)
def test_no_form_without_its_token_does_anything(served: House, path: str) -> None:
    browser = served.browser("ada")
    other = served.browser("bea").csrf()
    for data in ({}, {"csrf": ""}, {"csrf": "made-up"}, {"csrf": other}):
        assert browser.http.post(path, data=data).status_code == 403
    assert browser.http.get("/account").status_code == 200


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}, {"origin": "null"}]
)
def test_no_form_of_another_site_is_taken(served: House, headers: dict[str, str]) -> None:
    browser = served.browser("eve")
    assert browser.http.post("/sign-out", data={"csrf": browser.csrf()}, headers=headers).status_code == 403
    stranger = served.browser()
    for path, data in (("/sign-in", {"login": "eve", "password": PASSWORD}), ("/invitation", {"login": "eve"}), ("/language", {"language": "fr"})):
        answer = stranger.http.post(path, data=data, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_nothing_is_framed_scripted_or_loaded_from_elsewhere(served: House) -> None:
    for path in ("/sign-in", "/account", "/nothing", "/invitation"):
        answer = served.browser("eve").http.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy == "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert not re.search(r"<script|\son\w+=|style=|<style|javascript:|https?://", answer.text), path


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
     "javascript:alert(1)", "/%0d%0aSet-Cookie:x=1",
     "evil.example", "", "/api/v1/cases", "/sign-in?next=/", "/" + "x" * 600, "/\r\nLocation: https://evil.example", "///evil.example"],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(served: House, path: str) -> None:
    answer = served.browser().http.post("/sign-in", data={"login": "eve", "password": PASSWORD, "next": path})
    where = answer.headers["location"]
    assert where.startswith("/")
    assert not where.startswith(("//", "/\\"))
    assert "\r" not in where
    assert safe(path) == where
    assert served.browser("eve").http.get("/sign-in", params={"next": path}).headers["location"] == where


def test_what_people_write_is_shown_as_text(alone: House) -> None:
    evil = "<script>alert(1)</script>"
    alone.agreed("ada", "bea", "person", why=evil, login="mal", name=f"Mal {evil}", roles=["clerk"])
    pages = [alone.browser("ada").get(path) for path in ("/people", "/people/mal", "/proposals", "/proposals/1")]
    pages.append(alone.browser().sign_in(evil, "x").text)
    assert all("<script" not in page for page in pages)
    assert [("&lt;script&gt;" in page) for page in pages] == [True, True, False, True, True]


def test_no_stranger_makes_the_desk_read_much(served: House) -> None:
    stranger, known = served.browser(), served.browser("ada")
    big = {"csrf": known.csrf(), "body": "x" * (bodies.FORM_OCTETS + 10), "why": "x"}
    assert stranger.http.post("/documents/protected", data=big).status_code == 413
    assert known.http.post("/account", data=big).status_code == 413
    assert known.http.post("/documents/nothing", data=big).status_code == 422

    def drip() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 16_384

    assert stranger.http.post("/sign-in", content=drip(), headers={"content-type": "application/x-www-form-urlencoded"}).status_code == 413


# --- invitations


def test_an_invited_person_chooses_a_password_with_both_halves(alone: House) -> None:
    """Who proposed has one half, who confirmed the other; neither gets in, and the code is good once."""
    ada, bea = alone.browser("ada"), alone.browser("bea")
    asked = ada.post("/people/new", "/people/new", login="nan", name="Nan New", roles="clerk", why="She begins today.")
    first = _code(asked.text)
    done = bea.post("/proposals/1", "/proposals/1", decision="confirm")
    second = _code(done.text)
    assert first not in bea.get("/proposals/1")
    stranger = alone.browser()
    good = {"login": "nan", "first": first.upper().replace("-", " "), "second": second, "password": PASSWORD, "again": PASSWORD}
    for wrong in ({"first": second}, {"second": first}, {"first": ""}, {"login": "eve"}):
        assert stranger.http.post("/invitation", data={**good, **wrong}).status_code == 403
    assert stranger.http.post("/invitation", data={**good, "password": "nan new nan new", "again": "nan new nan new"}).status_code == 422
    alone.now += 3600
    assert stranger.http.post("/invitation", data=good).headers["location"] == "/sign-in?done=password"
    assert stranger.http.post("/invitation", data=good).status_code == 403
    assert stranger.sign_in("nan").status_code == 303
    with alone.desk.store.reading() as session:
        assert first not in str(session.scalars(select(Invitation)).all())


def test_a_new_password_ends_the_old_one_and_its_sessions(alone: House) -> None:
    browser = alone.browser("eve")
    alone.agreed("ada", "bea", "reset", login="eve")
    assert browser.http.get("/account").status_code == 303
    assert alone.browser().sign_in("eve").status_code == 403


def _code(page: str) -> str:
    found = re.search(r'<code class="code">([^<]+)</code>', page)
    assert found is not None, plain(page)
    return found[1]


# --- one's own account


def test_a_person_changes_their_password_and_is_signed_out_elsewhere(alone: House) -> None:
    here, there = alone.browser("eve"), alone.browser("eve")
    new = "a quiet lane behind the mill"
    assert here.post("/account", "/account/password", old="wrong", password=new, again=new).status_code == 422
    assert here.post("/account", "/account/password", old=PASSWORD, password="short", again="short").status_code == 422
    assert here.post("/account", "/account/password", old=PASSWORD, password=new, again=new).status_code == 303
    assert here.http.get("/account").status_code == 200
    assert there.http.get("/account").status_code == 303
    assert alone.browser().sign_in("eve", new).status_code == 303


def test_an_open_session_makes_no_token_without_the_password(alone: House) -> None:
    browser = alone.browser("eve")
    for _ in range(bounds.FREE):
        assert browser.post("/account", "/account/tokens", label="x", days="9", old="guess").status_code == 422
    assert browser.post("/account", "/account/tokens", label="x", days="9", old=PASSWORD).status_code == 429


def test_a_token_is_its_holders_and_ends_with_them(alone: House) -> None:
    browser = alone.browser("dan")
    token = re.search(r"rhd_[\w-]+", browser.post("/account", "/account/tokens", label="script", days="9", old=PASSWORD).text)
    assert token is not None
    program = alone.browser(Authorization=f"Bearer {token[0]}")
    # A token opens no page, and a cookie no API.
    assert program.http.get("/account").status_code == 303
    with alone.desk.store.reading() as session:
        found = tokens.find(session, token[0], alone.now)
        assert found is not None
        assert found.actor.name == "dan"
        assert tokens.find(session, token[0], alone.now + 9 * 86_400) is None
    alone.agreed("ada", "bea", "end_person", login="dan")
    with alone.desk.store.reading() as session:
        assert tokens.find(session, token[0], alone.now) is None


def test_nobody_ends_somebody_elses_token(alone: House) -> None:
    browser = alone.browser("dan")
    browser.post("/account", "/account/tokens", label="script", days="9", old=PASSWORD)
    other = alone.browser("eve")
    assert other.http.post("/account/tokens/1/end", data={"csrf": other.csrf()}).status_code == 404
    assert browser.post("/account", "/account/tokens/1/end").status_code == 303
