"""The shell's pages for every role in both languages, and in a real browser: axe, a phone's width, the keyboard, the dark."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from tests.authority.desk.people.house import FIRST, PASSWORD, House, plain
from tests.tools import require

PAGES = (
    "/account", "/people", "/people/new", "/people/dan", "/proposals", "/proposals/1", "/documents", "/documents/protected", "/documents/procedure",
    "/audit",
)  # fmt: skip
OPEN: dict[str, set[str]] = {
    "administrator": set(PAGES) - {"/audit"},
    "auditor": set(PAGES) - {"/people/new"},
    "reviewer": set(PAGES) - {"/people/new"},
    "officer": {"/account", "/proposals", "/proposals/1", "/documents", "/documents/protected", "/documents/procedure"},
    "clerk": {"/account", "/documents", "/documents/protected", "/documents/procedure"},
    "operator": {"/account"},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With something to look at; nobody changes it."""
    found = House(tmp_path_factory.mktemp("desk"))
    found.know_password("ada", "eve")
    found.propose("ada", "grant", login="dan", role="officer", why="She has passed the course.")
    found.agreed("ada", "eve", "document", kind="protected", body="portal.example\nbank.example\n")
    found.propose("bea", "document", kind="protected", body="portal.example\nhospital.example\n", why="The hospital moved.")
    found.agreed("ada", "eve", "flagger", flagger="hotline")
    yield found
    found.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = require("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("login", list(FIRST))
def test_each_role_has_its_pages_and_no_other(house: House, login: str, language: str) -> None:
    browser = house.browser(login, Accept_Language=language)
    mine = set().union(*(OPEN[role] for role in FIRST[login]))
    for path in PAGES:
        answer = browser.http.get(path)
        assert answer.status_code == (200 if path in mine else 403), (path, plain(answer.text))
        assert f'<html lang="{language}">' in answer.text
        assert answer.headers["content-language"] == language
    first = browser.http.get("/")
    assert browser.http.get(first.headers["location"]).status_code in (200, 303)


def test_a_document_is_read_compared_and_fetched(house: House) -> None:
    eve = house.browser("eve")
    assert "bank.example" in eve.get("/documents/protected")
    changes = eve.get("/proposals/3")
    assert "-bank.example" in changes
    assert "+hospital.example" in changes
    file = eve.http.get("/documents/protected/text")
    assert file.text == "portal.example\nbank.example\n"
    assert file.headers["content-disposition"].startswith("attachment")
    assert "What a new desk begins with" in eve.get("/documents/texts")
    assert "removal_request:" in eve.get("/documents/texts")
    for path in ("/documents/nothing", "/documents/protected?version=9", "/documents/..%2f..%2fetc", "/proposals/999", "/people/nobody"):
        assert house.browser("gus").http.get(path).status_code == 404, path


def test_the_language_stays(house: House) -> None:
    browser = house.browser()
    assert "Sign in" in browser.get("/sign-in")
    browser.post("/sign-in", "/language", language="fr")
    assert "Se connecter" in browser.get("/sign-in")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(house: House, chromium: Browser, width: int, scheme: str) -> None:
    for login, paths in (("", ("/sign-in", "/invitation", "/nothing")), ("ada", PAGES[:-1]), ("cora", ("/audit", "/proposals/3"))):
        context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        if login:
            context.add_cookies([{"name": "desk", "value": house.browser(login).http.cookies["desk"], "url": house.url}])
        page = context.new_page()
        for path in paths:
            page.goto(house.url + path)
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            found = Axe().run(page).response
            assert found["passes"]
            assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]] == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
        context.close()


def test_a_person_signs_in_and_decides_by_keyboard_alone(house: House, chromium: Browser) -> None:
    """Without script, without a mouse; what has the focus is seen to have it."""
    context = chromium.new_context(java_script_enabled=False, locale="en")
    page = context.new_page()
    page.goto(house.url + "/sign-in")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "To the content"
    page.locator("#login").focus()
    page.keyboard.type("eve")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/(cases|account|proposals)"))
    page.goto(house.url + "/proposals/3")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.locator(":focus").inner_text() == "Agree, and do it":
            break
    assert page.locator(":focus").inner_text() == "Agree, and do it"
    context.close()
